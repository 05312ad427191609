"""The tables of the settings file: what a person may set, its bounds and its comment."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A table of the settings file."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Store(Section):
    """The memory on disk."""

    alarm_gb: float = Field(20, gt=0, description="The report warns above this size.")
    keep_versions_hours: float = Field(
        24, ge=1, description="Old versions of tables are kept this long, for readers under way."
    )
    keep_deleted_days: float = Field(
        30, ge=0, description="Files that are gone stay this long in memory, marked deleted."
    )
    index_above: int = Field(
        50_000, ge=1000, description="Rows above which vectors get an approximate index."
    )
    lock_seconds: float = Field(60, gt=0, description="How long a writer waits for its turn.")


class Ports(Section):
    """Ports on 127.0.0.1; nothing listens elsewhere."""

    prefect: int = Field(4200, ge=1024, le=65535, description="Prefect's API and UI.")
    engine: int = Field(4210, ge=1024, le=65535, description="The embedded model engine.")


class Runner(Section):
    """How runs are started."""

    start: Literal["standby", "stock"] = Field(
        "standby", description="standby: waiting processes, 0.2 s; stock: Prefect's own, 3 s."
    )
    standbys: int = Field(6, ge=1, le=32, description="Processes kept waiting, ~100 MB each.")
    limit: int = Field(8, ge=1, le=64, description="Runs at the same time.")
    keep_days: int = Field(30, ge=1, description="Finished runs stay this long in Prefect.")
    database_url: str = Field(
        "", description="PostgreSQL for Prefect; empty keeps SQLite in the home folder."
    )


class Energy(Section):
    """What a night may cost, where the machine has a meter."""

    night_kj: float = Field(
        0, ge=0, description="Budget from noon to noon, in kJ (a kWh is 3600 kJ); 0: none."
    )


class Learning(Section):
    """What of your verdicts is kept and learnt from. Everything stays on this machine."""

    collect_feedback: bool = Field(True, description="Keep verdicts and corrections of answers.")
    collect_examples: bool = Field(
        True, description="Keep answers you accepted, corrected or edited, to train on."
    )
    collect_preferences: bool = Field(
        True, description="Keep which of two answers you chose, to train on."
    )
    keep_turns_days: float = Field(
        30, ge=0, description="Questions and answers stay this long for verdicts; 0 keeps none."
    )
    half_life_days: float = Field(
        90, gt=0, description="After so long a verdict counts half in what memory recalls first."
    )
    min_examples: int = Field(
        20, ge=3, description="Fewer accepted examples than this are not trained on."
    )
    min_preferences: int = Field(
        40, ge=3, description="Fewer preferences than this are not trained on: small sets lie."
    )
    replay_share: float = Field(
        0.25, ge=0, lt=0.9, description="Share of general examples in training, against forgetting."
    )
    base_weights: str = Field(
        "",
        description="Train on this MLX folder or a hub's owner/repository, of the same model; "
        "empty: the served file's own weights.",
    )
    keep_versions: int = Field(3, ge=1, description="Published models kept, the newest.")
    versions_gb: float = Field(20, gt=0, description="Disk that all published models may take.")


class Web(Section):
    """How pages and feeds are fetched."""

    allowed_hosts: list[str] = Field(
        default_factory=list,
        description='Hosts of yours that may be private, e.g. ["127.0.0.1:8080", "nas.local"].',
    )
    user_agent: str = Field(
        "ThirdShift/0.1 (one person's private reader)",
        min_length=1,
        description="How we name ourselves to servers; an address to reach you is good manners.",
    )
    delay_seconds: float = Field(
        1,
        ge=0,
        le=60,
        description="Time between two visits to a host; robots.txt may ask for more.",
    )
    patience_seconds: float = Field(
        30, ge=0, le=600, description="A host that asks for a longer pause is left for later."
    )
    cache_hours: float = Field(
        1, ge=0, description="A page read this recently is not asked for again."
    )
    cache_mb: float = Field(500, ge=0, description="Pages kept; the oldest go first.")
    browser: str = Field(
        "", description="Chromium for pages that need scripts: its path; empty finds it; off."
    )


class Monitor(Section):
    """What is watched, and when a story is taken; the sources are in sources.yaml."""

    stories_a_day: int = Field(3, ge=0, le=1000, description="Stories taken a day, at most.")
    first_entries: int = Field(
        10, ge=0, le=1000, description="Of a source seen for the first time, its newest entries."
    )
    like_interest: float = Field(
        0.27, ge=0, le=1, description="A story as near as this to a listed interest is taken."
    )
    like_paper: float = Field(
        0.5, ge=0, le=1, description="A story as near as this to one of your papers is taken."
    )
    same_days: float = Field(7, ge=0, description="A story told again within so long is one.")
    longest_wait_hours: float = Field(
        24, gt=0, description="A source that fails is asked ever more seldom, but so often."
    )
    x_api: str = Field("https://api.x.com", description="Where X's official API is.")


class Research(Section):
    """How far a story is followed, and how much of it stays in memory."""

    pages: int = Field(6, ge=1, le=100, description="Pages read for one story, at most.")
    depth: int = Field(1, ge=0, le=3, description="Links away from the story's own page.")
    seconds: float = Field(120, gt=0, description="Time for one story, at most.")
    keep_days: float = Field(
        60, ge=1, description="Passages of the web stay this long in memory; cited ones longer."
    )
    keep_passages: int = Field(
        5000, ge=10, description="Passages of the web in memory, at most; the oldest go first."
    )


class Drafts(Section):
    """What is written about a story, and how."""

    kind: Literal["post", "summary", "report", "newsletter"] = Field(
        "post", description="What is written where nothing else is asked for."
    )
    unsupported: Literal["remove", "mark"] = Field(
        "remove", description="What becomes of a sentence that no passage supports."
    )
    author: str = Field("", description="Your name in what is published.")
    site: str = Field(
        "https://localhost/", description="Where you publish; addresses in your feed begin so."
    )
    feed_entries: int = Field(50, ge=1, le=1000, description="Entries in your own feed.")


class Notify(Section):
    """Who is told that a draft waits."""

    urls: list[str] = Field(
        default_factory=list,
        description="Apprise addresses without secrets, e.g. macosx://, or keychain:NAME for one "
        "kept with `keyring set thirdshift NAME`.",
    )


class Judging(Section):
    """When a trained model is good enough to be served."""

    confidence: float = Field(
        0.95, ge=0.8, lt=1, description="A gain or loss counts beyond this confidence."
    )
    tolerance: float = Field(
        0.05, gt=0, le=0.5, description="How much of its general ability a model may lose, 0 to 1."
    )
    min_held_out: int = Field(
        8, ge=4, description="Held-out examples or pairs without which nothing is decided."
    )
    min_topics: int = Field(4, ge=2, description="Topics these must come from, at least.")
    max_strangeness: float = Field(
        1.0,
        gt=0,
        description="Nats per token by which answers may become less believable to the base.",
    )
    max_unsound: float = Field(
        0.2, gt=0, le=1, description="Share of answers that may come to loop, or be gibberish."
    )
    gibberish: float = Field(
        5.0, gt=0, description="Nats per token, for the base, above which an answer is gibberish."
    )


class Analyst(Section):
    """What the automated analyst may take, and how long it keeps what it fetched."""

    samples: bool = Field(True, description="The analyses that ship with Third Shift run too.")
    memory_gb: float = Field(
        1, gt=0, description="Memory for scanning data; what needs more goes through the disk."
    )
    whole_below: int = Field(
        1_000_000,
        ge=1000,
        description="Tables of fewer rows are checked in memory, larger ones while they stream.",
    )
    fetch_mb: float = Field(2000, gt=0, description="A source that sends more is refused.")
    keep_snapshots: int = Field(3, ge=1, description="Fetched data of so many days are kept.")
