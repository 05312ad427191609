"""YAML that people write, and what they are told where it is none."""

from pathlib import Path

import pytest

from tasks.text.yaml_files import read_yaml
from thirdshift.errors import SettingsInvalid


@pytest.mark.parametrize("text", ["a: [", "- a\n- b", "just words"])
def test_yaml_that_is_none_is_refused_by_its_name(text: str, tmp_path: Path) -> None:
    file = tmp_path / "lora.yaml"
    file.write_text(text)

    with pytest.raises(SettingsInvalid, match=r"lora\.yaml"):
        read_yaml(file, SettingsInvalid)


def test_an_empty_file_has_no_keys(tmp_path: Path) -> None:
    file = tmp_path / "lora.yaml"
    file.write_text("# nothing yet\n")

    assert read_yaml(file, SettingsInvalid) == {}
