"""One file, every key explained; the environment wins; a bad value is named."""

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from thirdshift.errors import SettingsInvalid
from thirdshift.settings import Section, Settings, at_home, settings
from thirdshift.template import template


def test_everything_lies_below_the_home_folder(home: Path) -> None:
    paths = ("store_path", "prefect_path", "models_path", "reports_path", "logs_path", "run_path")

    assert all(getattr(settings(), name).is_relative_to(home) for name in paths)
    assert settings().file == home / "settings.toml"


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(
    home: Path, override: Callable[..., None]
) -> None:
    home.mkdir()
    (home / "settings.toml").write_text("[ports]\nprefect = 5000\nengine = 5001\n")
    override(PORTS__ENGINE=6001)

    assert (settings().ports.prefect, settings().ports.engine) == (5000, 6001)
    assert settings().runner.limit == 8


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[ports]\nprefect = 80\n", "ports.prefect = 80 is not allowed.*1024"),
        ("[ports]\nprefct = 4200\n", "ports.prefct = 4200 is not allowed"),
        ('[models]\nruntime = "vllm"\n', "models.runtime = 'vllm'.*'ollama' or 'embedded'"),
        ('timezone = "Kyoto"\n', "timezone = 'Kyoto'.*Asia/Tokyo"),
        ("[ports\n", "settings.toml is not TOML"),
    ],
)
def test_a_bad_value_names_the_key_the_value_and_what_is_allowed(
    home: Path, text: str, named: str
) -> None:
    home.mkdir()
    (home / "settings.toml").write_text(text)

    with pytest.raises(SettingsInvalid, match=named):
        settings()


def test_the_template_explains_every_key_and_says_its_default(home: Path) -> None:
    text = template()
    lines = text.splitlines()

    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            table = lines[lines.index(f"[{name}]") :]  # two tables may have a key of one name
            for key, inner in field.annotation.model_fields.items():
                at = next(n for n, line in enumerate(table) if line.startswith(f"# {key} = "))
                assert table[at - 1] == f"# {inner.description}"
    shown = "\n".join(line.removeprefix("# ") for line in lines if " = " in line or "[" in line[:1])
    assert tomllib.loads(shown)["ports"]["prefect"] == 4200


def test_the_template_is_a_settings_file(home: Path) -> None:
    home.mkdir()
    (home / "settings.toml").write_text(template())

    assert settings().ports.prefect == 4200


def test_a_folder_below_the_owners_home_may_be_written_with_a_tilde(home: Path) -> None:
    home.mkdir()
    (home / "settings.toml").write_text('[ingest]\npaths = ["~/papers"]\n')

    assert settings().ingest.paths == [Path.home() / "papers"]


def test_another_home_holds_for_a_while(home: Path, tmp_path: Path) -> None:
    with at_home(tmp_path / "other"):
        assert settings().home == tmp_path / "other"
    assert settings().home == home
