"""Prefect's settings, computed from ours: one function, applied by every process of ours.

Prefect reads its environment when it is imported, so `apply()` comes before the first
`import prefect` (and before any flow is imported).
"""

import os
from pathlib import Path

from tasks.machine.disk import write_whole
from thirdshift.settings import Settings, settings

DAY = 86_400  # seconds
EVENT_DAYS = 7  # an event takes 3.6 KB of database, and nothing here looks at older ones

# What a person's shell may hold for another Prefect; none of it may reach ours.
INTERNAL = "PREFECT__"  # one run's own variables, set by whoever starts it

PRIVACY = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_SERVER_UI_V2_ENABLED": "false",  # V2 calls an analytics host on every page
    "PREFECT_TELEMETRY_ENABLE_RESOURCE_METRICS": "false",
}
CLIENT = {
    "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED": "false",  # a request saved; see server.guarded
    "PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED": "false",
    # SQLite refuses some writes of a burst, and each refusal asks to come back in 50 ms. Not
    # more than 8: without an answer (a server that restarts) the n-th wait is 2^n seconds.
    "PREFECT_CLIENT_MAX_RETRIES": "8",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
    "PREFECT_LOGGING_COLORS": "false",
    "PREFECT_RUNNER_POLL_FREQUENCY": "1",
}


def environment(settings_: Settings) -> dict[str, str]:
    """Return every variable our processes set for Prefect, by our settings."""
    url = f"{settings_.prefect_url}/api"
    keep = settings_.runner.keep_days
    return {
        **PRIVACY,
        **CLIENT,
        "PREFECT_HOME": str(settings_.prefect_path),
        "PREFECT_API_URL": url,
        "PREFECT_UI_API_URL": url,
        "PREFECT_UI_STATIC_DIRECTORY": str(settings_.prefect_path / "ui"),
        "PREFECT_API_SSL_CERT_FILE": str(_certificate(settings_.prefect_path)),
        "PREFECT_API_DATABASE_CONNECTION_URL": _database(settings_),
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": ",".join(origins(settings_)),
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(keep * DAY),
        "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": f"P{min(keep, EVENT_DAYS)}D",
    }


def apply() -> None:
    """Set Prefect's environment for this process and its children; drop anyone else's."""
    settings().prefect_path.mkdir(parents=True, exist_ok=True)
    ours = environment(settings())
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        if name not in ours and not name.startswith((INTERNAL, "PREFECT_LOGGING_")):
            del os.environ[name]
    os.environ.update(ours)


def for_child(**variables: str) -> dict[str, str]:
    """Return this process's environment with more variables, to start a process with."""
    return os.environ | variables


def origins(settings_: Settings) -> list[str]:
    """Return the origins a browser may call Prefect's API from: its own pages."""
    return [f"http://{host}:{settings_.ports.prefect}" for host in ("127.0.0.1", "localhost")]


def _database(settings_: Settings) -> str:
    url = settings_.runner.database_url
    if not url:
        return f"sqlite+aiosqlite:///{settings_.prefect_path / 'prefect.db'}"
    scheme, _, rest = url.partition("://")
    return f"postgresql+asyncpg://{rest}" if scheme in ("postgres", "postgresql") else url


def _certificate(folder: Path) -> Path:
    """Keep one certificate in a file for Prefect's clients, and return its path.

    Each client loads its authorities anew: 18 ms for the whole bundle. Ours only ever speak
    http to 127.0.0.1, and no other library reads this variable.
    """
    import certifi

    file = folder / "certificate.pem"
    if not file.exists():
        end = "-----END CERTIFICATE-----\n"
        write_whole(file, certifi.contents().partition(end)[0] + end)
    return file
