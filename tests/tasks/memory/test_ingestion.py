"""Files into memory: added, changed, unchanged, deleted, back again, left out."""

import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tasks import memory
from tasks.memory.ingestion import ingest
from tasks.memory.store import store

_READ = """
import sys
from pathlib import Path
from tasks.memory.ingestion import ingest
print("on", flush=True)
ingest([Path(sys.argv[1])])
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "papers"
    made.mkdir()
    (made / "roaster.txt").write_text("The roaster was serviced in March.")
    (made / "営業.md").write_text("# 営業時間\n\n京都店は朝八時に開きます。")
    return made


def _results(*paths: Path) -> dict[str, str]:
    return {reading.path.name: reading.result for reading in ingest(paths)}


def test_files_are_added_once_and_then_cost_nothing(folder: Path) -> None:
    assert set(_results(folder).values()) == {"added"}
    versions = len(store().table("chunks").list_versions())

    assert set(_results(folder).values()) == {"unchanged"}
    assert len(store().table("chunks").list_versions()) == versions


def test_a_touched_file_is_not_read_again(folder: Path) -> None:
    ingest([folder])
    os.utime(folder / "roaster.txt", (1, 1))

    assert _results(folder)["roaster.txt"] == "unchanged"


def test_a_changed_file_replaces_its_chunks(folder: Path) -> None:
    ingest([folder])
    (folder / "roaster.txt").write_text("The roaster was sold in April, to a friend.")

    assert _results(folder)["roaster.txt"] == "changed"
    texts = [hit.text for hit in memory.recall("roaster", 10)]
    assert not any("serviced" in text for text in texts)
    assert any("sold in April" in text for text in texts)


def test_a_file_that_is_gone_is_marked_and_comes_back_with_the_file(folder: Path) -> None:
    ingest([folder])
    (folder / "roaster.txt").rename(folder.parent / "roaster.txt")

    assert _results(folder)["roaster.txt"] == "deleted"
    assert not any("roaster" in hit.text for hit in memory.recall("roaster", 10))
    assert "roaster.txt" not in _results(folder)

    (folder.parent / "roaster.txt").rename(folder / "roaster.txt")
    assert _results(folder)["roaster.txt"] == "added"
    assert memory.recall("roaster", 1)[0].text == "The roaster was serviced in March."


def test_a_folder_that_is_away_takes_nothing_with_it(folder: Path) -> None:
    ingest([folder])
    away = folder.rename(folder.parent / "away")

    (reading,) = ingest([folder])

    assert reading.result == "rejected"
    assert store().count("documents", "status = 'active'") == 2
    assert away.exists()


def test_one_bad_file_has_its_line_and_the_others_are_read(folder: Path) -> None:
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7 and nothing more")
    (folder / "empty.txt").write_text("")

    readings = {reading.path.name: reading for reading in ingest([folder])}

    assert readings["broken.pdf"].result == readings["empty.txt"].result == "rejected"
    assert all(readings[name].reason for name in ("broken.pdf", "empty.txt"))
    assert readings["roaster.txt"].result == "added"


def test_a_file_that_can_no_longer_be_read_keeps_what_memory_has(folder: Path) -> None:
    ingest([folder])
    (folder / "roaster.txt").write_bytes(b"")

    assert _results(folder)["roaster.txt"] == "rejected"
    assert memory.recall("roaster", 1)[0].text == "The roaster was serviced in March."


def test_spans_point_at_the_text_in_the_file(folder: Path) -> None:
    text = "# One\n\n" + "日本語の段落です。" * 60 + "\n\n# Two\n\n" + "An English one. " * 60
    (folder / "long.md").write_text(text)

    ingest([folder])

    hits = [h for h in memory.recall("段落 English", 50) if h.document.endswith("long.md")]
    assert len(hits) > 1
    assert all(text[hit.span[0] : hit.span[1]] == hit.text for hit in hits)


def test_every_mail_of_a_mailbox_is_a_document_and_a_lost_one_is_dropped(folder: Path) -> None:
    mail = "From a@b.c Mon Jan  5 10:00:00 2026\nSubject: {0}\nFrom: a@b.c\n\nThe {0} is here.\n\n"
    box = folder / "box.mbox"
    box.write_text(mail.format("kettle") + mail.format("grinder"))
    ingest([folder])
    assert any("grinder" in hit.text for hit in memory.recall("grinder", 3))

    box.write_text(mail.format("kettle"))
    ingest([folder])

    assert not any("grinder" in hit.text for hit in memory.recall("grinder", 10))
    assert any("kettle" in hit.text for hit in memory.recall("kettle", 10))


@pytest.mark.long
@pytest.mark.timeout(600)
def test_kill_9_at_twenty_moments_loses_doubles_and_halves_nothing(
    home: Path, tmp_path: Path
) -> None:
    papers = tmp_path / "many"
    papers.mkdir()
    line = "Bean lot {0}-{1} was cupped and scored on the day it arrived. "
    for number in range(150):
        text = "\n\n".join(line.format(number, part) * 6 for part in range(3))
        (papers / f"{number:03}.txt").write_text(text)
    chance = random.Random(7)
    for _ in range(20):
        child = subprocess.Popen(
            [sys.executable, "-c", _READ, str(papers)], stdout=subprocess.PIPE, cwd=Path.cwd()
        )
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(chance.uniform(0.0, 1.5))
        child.send_signal(signal.SIGKILL)
        child.wait()
        _assert_whole()

    ingest([papers])

    _assert_whole()
    assert store().count("documents") == 150
    assert set(Counter(r["uri"] for r in store().rows("chunks").to_pylist()).values()) == {
        store().count("chunks") // 150
    }
    shutil.rmtree(papers)


def _assert_whole() -> None:
    """Every document has all its chunks, each once."""
    rows = store().rows("chunks", None, ["id", "uri", "start", "end"]).to_pylist()
    assert len({row["id"] for row in rows}) == len(rows)
    for uri in {row["uri"] for row in rows}:
        spans = sorted((row["start"], row["end"]) for row in rows if row["uri"] == uri)
        text = Path(uri).read_text()
        assert not "".join(text[b:c] for (_, b), (c, _) in itertools.pairwise(spans)).strip()
        assert spans[0][0] == 0
        assert spans[-1][1] >= len(text.rstrip())
