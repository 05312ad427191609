"""An outcome is done only when what it claims was looked at and held."""

from thirdshift.outcome import Outcome
from thirdshift.records import content_hash


def test_done_needs_every_claim_to_hold() -> None:
    assert Outcome.checked("Wrote it.", ["a"], the_file_exists=True).status == "done"

    outcome = Outcome.checked("Wrote it.", ["a"], the_file_exists=False, it_is_new=True)
    assert outcome.status == "failed"
    assert "the file exists" in outcome.reason


def test_done_without_a_check_is_a_failure() -> None:
    assert Outcome.checked("Trust me.", []).status == "failed"


def test_hashes_tell_parts_apart() -> None:
    assert content_hash("ab", "c") != content_hash("a", "bc")
    assert content_hash("ab") == content_hash(b"ab")
