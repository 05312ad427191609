from tasks.learning.training.recipes import recipe
from tasks.learning.training.records import History, Manifest, Validation
from tasks.learning.training.report import artifact
from thirdshift.learning import Method
from thirdshift.records import now


def manifest(method: Method, history: History) -> Manifest:
    return Manifest(
        fingerprint="0",
        hashes={},
        versions={},
        recipe=recipe(method),
        counts={"train": 40, "valid": 8, "left_out": 1},
        modules=[],
        packed=True,
        gradient_checkpointing=False,
        estimate_bytes=2_000_000_000,
        ended="All iterations are done.",
        history=history,
        made_at=now(),
    )


def test_the_artifact_shows_the_curve_and_counts_no_padding() -> None:
    looks = [Validation(iteration=0, loss=3.1), Validation(iteration=2, loss=1.2)]
    history = History(
        losses=[3.0, 1.5], validation=looks, tokens=900, trained_tokens=300, seconds=3.0
    )
    text = artifact(manifest("lora", history))
    assert text.count("data:image/svg+xml;base64,") == 1
    assert "| tokens/s | 300 |" in text and "| trained tokens/s | 100 |" in text
    assert "40 train, 8 valid, 1 left out" in text


def test_dpo_shows_margins_and_accuracy_too() -> None:
    looks = [Validation(iteration=0, loss=0.7, accuracy=0.75, margin=0.4)]
    text = artifact(manifest("dpo", History(losses=[0.7], margins=[0.1], validation=looks)))
    assert text.count("data:image/svg+xml;base64,") == 2
    assert "75% of validation pairs" in text


def test_a_run_without_validation_data_has_a_curve_still() -> None:
    assert "data:image/svg" in artifact(manifest("lora", History(losses=[1.0, 0.5])))
