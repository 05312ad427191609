"""The disk: what is written is whole or not there."""

import os
from pathlib import Path

import pytest

from tasks.machine.disk import sweep_parts, whole_file, whole_folder, write_whole


def test_a_file_is_replaced_whole_and_nothing_lies_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "new" / "file.json"
    write_whole(file, "old")
    write_whole(file, "新しい", durable=True)

    assert file.read_text("utf-8") == "新しい"
    assert list(file.parent.iterdir()) == [file]


def test_a_secret_file_is_its_owners_alone_from_the_first_byte(tmp_path: Path) -> None:
    write_whole(tmp_path / "key", b"secret", mode=0o600)

    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_another_file_is_as_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "file", b"")
    finally:
        os.umask(before)

    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_a_write_that_breaks_off_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("old")
    with pytest.raises(ZeroDivisionError), whole_file(file) as part:
        part.write_text("ne")
        raise ZeroDivisionError

    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    with pytest.raises(ZeroDivisionError), whole_folder(folder) as part:
        (part / "half").write_text("of it")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []

    with whole_folder(folder, durable=True) as part:
        (part / "all").write_text("of it")
    assert [file.name for file in folder.iterdir()] == ["all"]
    assert list(tmp_path.iterdir()) == [folder]


def test_what_a_killed_write_left_is_swept_and_a_download_that_goes_on_is_not(
    tmp_path: Path,
) -> None:
    for name in ("list.json.0123abcd.part", "model.gguf.part", "list.json"):
        (tmp_path / name).write_text("half")
        os.utime(tmp_path / name, (0, 0))
    with whole_file(tmp_path / "new.json") as part:
        part.write_text("under way")
        assert sweep_parts(tmp_path) == 4

    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["list.json", "model.gguf.part", "new.json"]
