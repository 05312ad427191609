"""Whether data are what they should be, before anyone looks for anything in them.

Tables that fit in memory are checked by Great Expectations. Larger ones are checked while they
are scanned for the report, by conditions in SQL meant to say the same.
"""

import difflib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tasks.tables.relation import Relation
from tasks.tables.validation import broken
from thirdshift.analysis import Analysis, Expectation, Failure
from thirdshift.errors import AnalysisInvalid

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 20  # rows and values of a failure that are named


def expected(analysis: Analysis) -> list[Expectation]:
    """Return all expectations of an analysis: those of its file, and those of its suite.

    A suite is JSON as Great Expectations writes it. Raises AnalysisInvalid.
    """
    if analysis.suite is None:
        return analysis.expectations
    file = analysis.resolve(analysis.suite)
    try:
        listed = json.loads(file.read_text(encoding="utf-8"))["expectations"]
        suite = [Expectation(expect=one["type"], arguments=one["kwargs"]) for one in listed]
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
            said = f"it is not there; there are: {', '.join(there)}.{hint}"
            failures.append(Failure(expectation="column exists", column=name, said=said))
    return failures


def check(frame: "pd.DataFrame", expectations: Sequence[Expectation]) -> list[Failure]:
    """Return the expectations that a frame does not meet, as Great Expectations sees it.

    Raises AnalysisInvalid for an expectation it does not know, or whose arguments are wrong.
    """
    if not expectations:
        return []
    made = [_known(one) for one in expectations]
    return [_failure(result) for result in broken(frame, made)]


def _known(one: Expectation) -> Any:
    from great_expectations.exceptions.exceptions import ExpectationNotFoundError
    from great_expectations.expectations.registry import get_expectation_impl
    from pydantic.v1 import ValidationError

    try:
        made: Any = get_expectation_impl(one.expect)
        return made(**one.arguments)
    except ExpectationNotFoundError:
        raise AnalysisInvalid(f"expectations: {one.expect} is not known.", _near(one)) from None
    except (ValidationError, TypeError, ValueError) as error:
        faults = "; ".join(str(error).splitlines()[1:])
        raise AnalysisInvalid(f"expectations: {one.expect}: {faults}.") from None


def _near(one: Expectation) -> str:
    from great_expectations.expectations.registry import list_registered_expectation_implementations

    known = list_registered_expectation_implementations()
    near = difflib.get_close_matches(one.expect, known, 3)
    return f"Did you mean {' or '.join(near)}?" if near else ""


def _failure(result: Any) -> Failure:
    configured, found = result.expectation_config, result.result
    arguments = {k: v for k, v in configured.kwargs.items() if k not in ("batch_id", "column")}
    count = found.get("unexpected_count")
    told = said(configured.type, arguments)
    if count is not None:
        told += f"; {count:,} of {found.get('element_count', 0):,} rows are not so"
    elif found.get("observed_value") is not None:
        told += f"; it is {found['observed_value']}"
    elif errors := _errors(result.exception_info):
        told += f"; it could not be looked at: {errors}"
    return Failure(
        expectation=configured.type,
        column=str(configured.kwargs.get("column", "")),
        said=told,
        rows=[int(at) + 1 for at in (found.get("unexpected_index_list") or [])[:SHOWN]],
        values=[str(v) for v in (found.get("partial_unexpected_list") or [])[:SHOWN]],
    )


def _errors(info: Any) -> str:
    told = [info] if "exception_message" in info else list(info.values())
    return "; ".join(str(one["exception_message"]) for one in told if isinstance(one, dict))


def said(name: str, arguments: dict[str, Any]) -> str:
    """Return an expectation in words."""
    words = name.removeprefix("expect_").replace("_", " ")
    return words + (f" {json.dumps(arguments, ensure_ascii=False)}" if arguments else "")
