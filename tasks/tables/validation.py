"""Data validation by Great Expectations; suites of expectations are kept as JSON."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import pandas as pd

_OURS = ("batch_id", "column")  # of an expectation's arguments; said elsewhere


class Unmet(NamedTuple):
    """An expectation that does not hold: about what, in words, and in which rows, from 0."""

    column: str
    reason: str
    rows: Sequence[int]


def unmet(frame: "pd.DataFrame", suite: Path) -> list[Unmet]:
    """Return the expectations of a suite that the table does not meet. Takes some seconds."""
    from great_expectations.expectations.registry import get_expectation_impl

    listed = json.loads(suite.read_text(encoding="utf-8"))["expectations"]
    expected: list[Any] = [get_expectation_impl(each["type"])(**each["kwargs"]) for each in listed]
    return [_unmet(result) for result in broken_expectations(frame, expected)]


def broken_expectations(frame: "pd.DataFrame", expected: Sequence[Any]) -> list[Any]:
    """Return Great Expectations' results of those of its expectations that do not hold."""
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    import great_expectations as gx  # 9 s

    context = gx.get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]
    suite = gx.ExpectationSuite(name="expected", expectations=list(expected))
    asset = context.data_sources.add_pandas("data").add_dataframe_asset("rows")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    validated = batch.validate(suite, result_format={"result_format": "COMPLETE"})
    return [result for result in validated.results if not result.success]


def _unmet(result: Any) -> Unmet:
    configured, observed = result.expectation_config, result.result
    words = configured.type.removeprefix("expect_").replace("_", " ")
    arguments = {key: value for key, value in configured.kwargs.items() if key not in _OURS}
    if arguments:
        words += f" {json.dumps(arguments, ensure_ascii=False, default=str)}"
    if observed.get("observed_value") is not None:
        words += f", it is {observed['observed_value']}"
    rows = [int(row) for row in observed.get("unexpected_index_list") or []]
    return Unmet(str(configured.kwargs.get("column", "")), words, rows)
