"""Data validation: whether data are what they should be, before anyone searches them.

Tables that fit in memory are checked by Great Expectations. Larger ones are checked while they
are scanned for the report, by conditions in SQL meant to say the same.
"""

import difflib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tasks.tables.relation import Relation
from tasks.tables.validation import broken_expectations
from thirdshift.analysis import Analysis, Expectation, Failure
from thirdshift.errors import AnalysisInvalid

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 20  # rows and values of a failure that are named


def all_expectations(analysis: Analysis) -> list[Expectation]:
    """Return all expectations of an analysis: those of its file, and those of its suite.

    A suite is JSON as Great Expectations writes it. Raises AnalysisInvalid.
    """
    if analysis.suite is None:
        return analysis.expectations
    file = analysis.resolve(analysis.suite)
    try:
        listed = json.loads(file.read_text(encoding="utf-8"))["expectations"]
        suite = [Expectation(expect=each["type"], arguments=each["kwargs"]) for each in listed]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AnalysisInvalid(f"{file} is no suite of expectations: {error!r}.") from error
    return [*analysis.expectations, *suite]


def missing_columns(table: Relation, analysis: Analysis) -> list[Failure]:
    """Return a failure for each column that is named and not there, with the nearest that is."""
    there = [column.name for column in table.columns]
    failures = []
    for name in [*analysis.columns, *analysis.unexplored]:
        if name not in there:
            near = difflib.get_close_matches(name, there, 1)
            hint = f" Did you mean {near[0]}?" if near else ""
            reason = f"it is not there; there are: {', '.join(there)}.{hint}"
            failures.append(Failure(expectation="column exists", column=name, reason=reason))
    return failures


def check_frame(frame: "pd.DataFrame", expectations: Sequence[Expectation]) -> list[Failure]:
    """Return the expectations that a frame does not meet, as Great Expectations sees it.

    Raises AnalysisInvalid for an expectation it does not know, or whose arguments are wrong.
    """
    if not expectations:
        return []
    known = [_known(expectation) for expectation in expectations]
    return [_failure(result) for result in broken_expectations(frame, known)]


def _known(expectation: Expectation) -> Any:
    from great_expectations.exceptions.exceptions import ExpectationNotFoundError
    from great_expectations.expectations.registry import get_expectation_impl
    from pydantic.v1 import ValidationError

    try:
        kind: Any = get_expectation_impl(expectation.expect)
        return kind(**expectation.arguments)
    except ExpectationNotFoundError:
        message = f"expectations: {expectation.expect} is not known."
        raise AnalysisInvalid(message, _near(expectation.expect)) from None
    except (ValidationError, TypeError, ValueError) as error:
        faults = "; ".join(str(error).splitlines()[1:])
        raise AnalysisInvalid(f"expectations: {expectation.expect}: {faults}.") from None


def _near(name: str) -> str:
    from great_expectations.expectations.registry import list_registered_expectation_implementations

    known = list_registered_expectation_implementations()
    near = difflib.get_close_matches(name, known, 3)
    return f"Did you mean {' or '.join(near)}?" if near else ""


def _failure(result: Any) -> Failure:
    configured, observed = result.expectation_config, result.result
    arguments = {k: v for k, v in configured.kwargs.items() if k not in ("batch_id", "column")}
    count = observed.get("unexpected_count")
    reason = in_words(configured.type, arguments)
    if count is not None:
        reason += f"; {count:,} of {observed.get('element_count', 0):,} rows are not so"
    elif observed.get("observed_value") is not None:
        reason += f"; it is {observed['observed_value']}"
    elif errors := _errors(result.exception_info):
        reason += f"; it could not be looked at: {errors}"
    return Failure(
        expectation=configured.type,
        column=str(configured.kwargs.get("column", "")),
        reason=reason,
        rows=[int(row) + 1 for row in (observed.get("unexpected_index_list") or [])[:SHOWN]],
        values=[str(v) for v in (observed.get("partial_unexpected_list") or [])[:SHOWN]],
    )


def _errors(info: Any) -> str:
    errors = [info] if "exception_message" in info else list(info.values())
    return "; ".join(str(error["exception_message"]) for error in errors if isinstance(error, dict))


def in_words(name: str, arguments: dict[str, Any]) -> str:
    """Return an expectation in words: "column values to not be null"."""
    words = name.removeprefix("expect_").replace("_", " ")
    return words + (f" {json.dumps(arguments, ensure_ascii=False)}" if arguments else "")
