"""The held-out set: what the owner accepted and a candidate never saw, to judge it by."""

from collections.abc import Sequence

from tasks.learning.training import data
from thirdshift.errors import TooLittleData
from thirdshift.learning import Dataset, DatasetManifest
from thirdshift.records import Record
from thirdshift.settings import settings


class HeldOut(Record):
    """A prompt and the answer that was accepted; `rejected` in preferences only."""

    prompt: str
    wanted: str
    rejected: str = ""
    cluster: int


def held_out(dataset: Dataset) -> list[HeldOut]:
    """Return the test rows with their clusters."""
    rows = [row for _, row in data.rows(dataset.folder / "test.jsonl")]
    clusters = [row.cluster for row in dataset.manifest.rows if row.split == "test"]
    return [
        HeldOut(
            prompt=row["prompt"],
            wanted=row.get("chosen") or row["completion"],
            rejected=row.get("rejected", ""),
            cluster=cluster,
        )
        for row, cluster in zip(rows, clusters, strict=True)
    ]


def known_clusters(tonight: DatasetManifest, before: DatasetManifest | None) -> set[int]:
    """Return tonight's clusters of which some row was trained on before.

    Clusters have other numbers each night, so they are known by their rows.
    """
    rows = before.rows if before else []
    taught = {row.id for row in rows if row.split != "test"}
    return {row.cluster for row in tonight.rows if row.id in taught}


def require_held_out(rows: Sequence[HeldOut]) -> None:
    """Raise TooLittleData where the held-out set is too small to tell a gain from luck."""
    needed, topics = settings().judging.min_held_out, settings().judging.min_topics
    clusters = len({row.cluster for row in rows})
    if len(rows) < needed or clusters < topics:
        raise TooLittleData(
            f"Held out are {len(rows)} of {needed} items, from {clusters} of {topics} topics.",
            "Accept, correct or prefer more answers, about more things.",
        )
