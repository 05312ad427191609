"""Quarantine: data that failed their check, put aside with what failed."""

import json
import shutil
from pathlib import Path

from tasks.machine.disk import write_whole
from thirdshift.analysis import Analysis, Extracted, Failure
from thirdshift.errors import DataInvalid
from thirdshift.records import now

_COPIED = 64_000_000  # bytes of an owner's file that the quarantine copies


class Quarantined(DataInvalid):
    """Data that are not what they should be, put aside."""

    def __init__(self, analysis: Analysis, failures: list[Failure], folder: Path) -> None:
        self.failures = failures
        first = failures[0]
        rows = f" (rows {', '.join(map(str, first.rows[:5]))})" if first.rows else ""
        others = f" And {len(failures) - 1} more." if len(failures) > 1 else ""
        super().__init__(
            f"{analysis.name}: {first.column} {first.expectation}: {first.reason}{rows}.{others}",
            f"The last report stands. The data lie in {folder}.",
        )


def put_aside(extracted: Extracted, analysis: Analysis, failures: list[Failure]) -> Path:
    """Put data aside with the reasons; the same data twice are one folder. Return it."""
    home = analysis.data_folder
    folder = home / "quarantine" / extracted.fingerprint
    folder.mkdir(parents=True, exist_ok=True)
    report = {
        "analysis": analysis.name,
        "source": extracted.source,
        "at": now().isoformat(),
        "failures": [failure.model_dump() for failure in failures],
    }
    text = json.dumps(report, ensure_ascii=False, indent=2)
    write_whole(folder / "failures.json", text)
    for file in extracted.files:
        if file.parent == home:
            shutil.move(file, folder / file.name)
        elif file.stat().st_size <= _COPIED:
            shutil.copy2(file, folder / file.name)
    return folder
