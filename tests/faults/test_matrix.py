"""The fault matrix in short: every process but the engine, each fault once, 20 s of STOP."""

from collections.abc import Iterator

import pytest

from tests.faults.matrix import PROCESSES, Installation, faults, meet


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    place = Installation(tmp_path_factory.mktemp("faults"), ["server", "runner"])
    yield place
    place.stop()


CASES = [(process, fault) for process in PROCESSES for fault in faults(process)]


@pytest.mark.long
@pytest.mark.parametrize(("process", "fault"), [case for case in CASES if case[0] != "engine"])
def test_no_run_is_lost_and_none_runs_twice(place: Installation, process: str, fault: str) -> None:
    result = meet(place, process, fault, stop=20)

    assert (result.lost, result.twice) == (0, 0), result
    assert result.crashed <= 1, result
