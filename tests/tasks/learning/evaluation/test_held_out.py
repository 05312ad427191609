"""What is held out, and of what the served model was taught something before."""

import json
from pathlib import Path
from typing import Any

from tasks.learning.adapters import Version
from tasks.learning.evaluation.held_out import HeldOut, held_out, known_clusters
from thirdshift.learning import Dataset, DatasetManifest

TONIGHT = [["a", "test", 0, 9], ["b", "test", 0, 9], ["c", "test", 1, 9], ["d", "train", 2, 9]]
BEFORE = [["b", "train", 7, 9], ["c", "test", 8, 9]]


def stored(rows: list[list[Any]]) -> dict[str, Any]:
    """Return a manifest as it lies on the disk."""
    return {
        "settings": {
            "kind": "examples",
            "form": "completion",
            "max_tokens": 512,
            "seed": 0,
            "topic_limit": 0.55,
            "replay_share": 0.25,
        },
        "counts": {"train": 1, "test": 3, "left_out": 0},
        "replay": 0,
        "sha256": {"train": "0", "valid": "0", "test": "0"},
        "rows": rows,
        "left_out": [{"id": "e", "reason": "the same as a"}],
    }


def test_a_cluster_is_known_where_one_of_its_rows_was_trained_on_before() -> None:
    served = Version(
        id="night:v1",
        series="night",
        number=1,
        state="current",
        runtime="embedded",
        base="b",
        base_content="c",
        manifest={"dataset": stored(BEFORE)},
    )
    tonight = DatasetManifest.model_validate(stored(TONIGHT))

    assert known_clusters(tonight, served.dataset) == {0}
    assert known_clusters(tonight, None) == set()
    assert served.model_copy(update={"manifest": {"rows": 3}}).dataset is None


def test_a_stored_manifest_is_read_and_written_as_it_was() -> None:
    manifest = DatasetManifest.model_validate_json(json.dumps(stored(TONIGHT)))

    assert (manifest.rows[2].id, manifest.rows[2].cluster) == ("c", 1)
    assert manifest.model_dump() == manifest.model_dump(mode="json") == stored(TONIGHT)
    named = {"id": "c", "split": "test", "cluster": 1, "tokens": 9}
    assert manifest.rows[2] == manifest.rows[2].model_validate(named)


def test_each_row_held_out_comes_with_its_cluster(tmp_path: Path) -> None:
    rows = [{"prompt": name, "completion": name.upper()} for name in "abc"]
    lines = "\n".join(json.dumps(row) for row in rows)
    (tmp_path / "test.jsonl").write_text(lines, encoding="utf-8")
    manifest = DatasetManifest.model_validate(stored(TONIGHT))

    assert held_out(Dataset(folder=tmp_path, manifest=manifest)) == [
        HeldOut(prompt="a", wanted="A", cluster=0),
        HeldOut(prompt="b", wanted="B", cluster=0),
        HeldOut(prompt="c", wanted="C", cluster=1),
    ]
