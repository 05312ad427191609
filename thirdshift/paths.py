"""Where everything is kept: each path below the home folder."""

from pathlib import Path

DATASETS = Path(__file__).parents[1] / "datasets"  # samples, suites, recipes: data that ship


class Places:
    """Paths of the product; `home` is that of the settings."""

    home: Path

    @property
    def file(self) -> Path:
        """The settings file."""
        return self.home / "settings.toml"

    @property
    def store_path(self) -> Path:
        """The LanceDB folder."""
        return self.home / "store"

    @property
    def sources_file(self) -> Path:
        """The owner's list of what is watched."""
        return self.home / "sources.yaml"

    @property
    def drafts_path(self) -> Path:
        """Drafts that wait for the owner, a file each."""
        return self.home / "drafts"

    @property
    def published_path(self) -> Path:
        """Approved drafts, and the feeds of them."""
        return self.home / "published"

    @property
    def prefect_path(self) -> Path:
        """Prefect's database, profiles and results."""
        return self.home / "prefect"

    @property
    def models_path(self) -> Path:
        """GGUF files we published or downloaded."""
        return self.home / "models"

    @property
    def reports_path(self) -> Path:
        """Shift reports, a folder a day."""
        return self.home / "reports"

    @property
    def analyses_path(self) -> Path:
        """The owner's analyses, a YAML file each, and below them the data that were fetched."""
        return self.home / "analyses"

    @property
    def logs_path(self) -> Path:
        """What the processes print."""
        return self.home / "logs"

    @property
    def run_path(self) -> Path:
        """Locks, process ids and the supervisor's configuration."""
        return self.home / "run"

    @property
    def web_path(self) -> Path:
        """Pages that were fetched, and when each host may be asked again."""
        return self.home / "web"

    @property
    def adapters_path(self) -> Path:
        """Adapters, a folder each, and which of them is current."""
        return self.home / "adapters"

    @property
    def checkpoints_path(self) -> Path:
        """Where runs that yielded left off."""
        return self.home / "checkpoints"

    @property
    def training_path(self) -> Path:
        """The owner's changes to the recipes of training."""
        return self.home / "training"

    @property
    def evaluations_path(self) -> Path:
        """What the gate measured and decided, a folder a candidate."""
        return self.home / "evaluations"
