"""The course of a training, in this process: what a child process does, without its start."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.learning.training import finetune
from tasks.learning.training.child import StopSignal, run
from tasks.learning.training.recipes import recipe
from tasks.learning.training.records import (
    Go,
    Job,
    Manifest,
    Plan,
    Progress,
    ToldToStop,
)
from thirdshift.errors import DatasetInvalid, SettingsInvalid, TrainingFailed
from thirdshift.records import Record

LORA = {"max_iterations": 12, "learning_rate": 1e-2, "evaluate_every": 4, "save_every": 4}
DPO = LORA | {"max_iterations": 20, "margin_ceiling": 50.0}

Train = Callable[..., Path]


@pytest.fixture
def train(tiny_base: Path, tmp_path: Path) -> Train:
    """Return a function that trains into a folder of that name, and returns it."""

    def train_it(name: str, data: Path, changes: dict[str, Any], **options: Any) -> Path:
        chosen = recipe(options.pop("method", "lora"), **changes)
        start = options.pop("start", None)
        job = finetune._job(tiny_base, data, tmp_path / name, start, chosen)
        follow(job, **options)
        return job.out

    return train_it


def follow(job: Job, stop_after: int = 0, said: list[Record] | None = None) -> None:
    """Train as the child does; with `stop_after` be told to stop in that iteration."""
    signalled = StopSignal()
    job.checkpoints.mkdir(parents=True, exist_ok=True)

    def say(message: Record) -> None:
        if said is not None:
            said.append(message)
        if isinstance(message, Progress) and message.iteration == stop_after:
            signalled.stop = True

    def room(plan: Plan) -> Go:
        return Go(gradient_checkpointing=False, estimate=1 << 30)

    run(job, signalled, say, room)


def adapter(folder: Path) -> bytes:
    return (folder / "adapters.safetensors").read_bytes()


def manifest(folder: Path) -> Manifest:
    return finetune.manifest(folder)


def test_the_adapter_loads_into_mlx_lm_and_lowers_the_loss(
    train: Train, tiny_base: Path, examples: Path
) -> None:
    import mlx.core as mx
    from mlx_lm.utils import load

    folder = train("adapter", examples, LORA)
    plain, tokenizer = load(str(tiny_base))
    tuned, _ = load(str(tiny_base), adapter_path=str(folder))
    row = json.loads((examples / "train.jsonl").read_text().splitlines()[0])
    messages = [
        {"role": "user", "content": row["prompt"]},
        {"role": "assistant", "content": row["completion"]},
    ]
    tokens = mx.array([tokenizer.apply_chat_template(messages, return_dict=False)])
    import mlx.nn as nn

    def loss(model: Any) -> float:
        value: Any = nn.losses.cross_entropy(model(tokens[:, :-1]), tokens[:, 1:]).mean().item()
        return float(value)

    assert loss(tuned) < 0.8 * loss(plain)


def test_the_manifest_names_what_the_adapter_was_made_of(train: Train, examples: Path) -> None:
    found = manifest(train("adapter", examples, LORA))
    assert {"base/model.safetensors", "data/train.jsonl", "data/valid.jsonl"} <= set(found.hashes)
    assert found.recipe == recipe("lora", **LORA)
    assert found.counts == {"train": 24, "valid": 6, "left_out": 0}
    assert found.history.iteration == 12
    assert [look.iteration for look in found.history.validation] == [0, 4, 8, 12]
    assert found.history.validation[-1].loss < found.history.validation[0].loss
    assert found.history.tokens > found.history.trained_tokens > 0
    assert len(found.modules) == 7 and "mlx-lm" in found.versions


def test_the_same_data_recipe_and_base_give_the_same_adapter_bit_for_bit(
    train: Train, examples: Path
) -> None:
    once = adapter(train("one", examples, LORA))
    assert adapter(train("two", examples, LORA)) == once
    assert adapter(train("three", examples, LORA | {"seed": 1})) != once


def test_packed_and_separate_rows_teach_the_same(train: Train, examples: Path) -> None:
    packed = manifest(train("packed", examples, LORA))
    apart = manifest(train("apart", examples, LORA | {"pack": False}))
    assert packed.packed and not apart.packed
    assert packed.history.losses == pytest.approx(apart.history.losses, rel=1e-3)
    assert packed.history.tokens == apart.history.tokens


@pytest.mark.parametrize("method, changes", [("lora", LORA), ("dpo", DPO)])
@pytest.mark.parametrize("accumulate, stop_after", [(1, 6), (3, 7)])
def test_a_resumed_training_ends_where_an_uninterrupted_one_does(
    train: Train,
    method: str,
    changes: dict[str, Any],
    accumulate: int,
    stop_after: int,
    examples: Path,
    pairs: Path,
) -> None:
    """With dropout, pending gradients and a schedule: what one could forget to save."""
    data = pairs if method == "dpo" else examples
    changes = changes | {"dropout": 0.1, "accumulate": accumulate}
    whole = train("whole", data, changes, method=method)
    with pytest.raises(ToldToStop) as stopped:
        train("parted", data, changes, method=method, stop_after=stop_after)
    assert stopped.value.iteration == stop_after - stop_after % accumulate
    said: list[Record] = []
    parted = train("parted", data, changes, method=method, said=said)
    progress = [one for one in said if isinstance(one, Progress)]
    assert progress[0].iteration == stopped.value.iteration + 1
    assert adapter(parted) == adapter(whole)
    assert manifest(parted).history.losses == manifest(whole).history.losses
    assert manifest(parted).history.validation == manifest(whole).history.validation
    assert manifest(parted).history.resumed == 1


@pytest.mark.parametrize("learning_rate, said", [(1e30, "no number"), (10.0, "went up")])
def test_a_training_that_diverges_says_what_to_change_and_leaves_nothing(
    train: Train, examples: Path, tmp_path: Path, learning_rate: float, said: str
) -> None:
    taught = train("taught", examples, LORA)
    changes = LORA | {"learning_rate": learning_rate, "warmup": 0.0, "divergence": 1.1}
    with pytest.raises(TrainingFailed, match=f"{said}.*learning_rate"):
        train("adapter", examples, changes, start=taught)
    assert not (tmp_path / "adapter").exists()
    assert not list(tmp_path.rglob("state.safetensors"))


def test_it_ends_when_validation_gets_no_better(train: Train, examples: Path) -> None:
    lines = ['{"prompt": "Who?", "completion": "zzzzzzzzzz"}'] * 4
    (examples / "valid.jsonl").write_text("\n".join(lines))
    changes = LORA | {"epochs": 50, "max_iterations": 200, "evaluate_every": 2, "patience": 3}
    found = manifest(train("adapter", examples, changes))
    assert "validation loss" in found.ended and found.history.iteration < 200


def test_without_validation_data_it_trains_to_the_end(train: Train, examples: Path) -> None:
    (examples / "valid.jsonl").unlink()
    found = manifest(train("adapter", examples, LORA))
    assert found.history.iteration == 12 and not found.history.validation


def test_examples_that_are_too_long_are_left_out_and_counted(train: Train, examples: Path) -> None:
    row = json.dumps({"prompt": "Long?", "completion": "very " * 100})
    with (examples / "train.jsonl").open("a") as file:
        file.write(row + "\n")
    assert manifest(train("adapter", examples, LORA | {"max_tokens": 96})).counts == {
        "train": 24,
        "valid": 6,
        "left_out": 1,
    }


@pytest.mark.parametrize(
    "row, named",
    [
        ("not json", "line 25"),
        ('{"question": "What?"}', "line 25"),
        ('{"messages": [{"role": "user"}]}', "line 25"),
    ],
)
def test_a_row_that_cannot_be_trained_on_is_named(
    train: Train, examples: Path, row: str, named: str
) -> None:
    with (examples / "train.jsonl").open("a") as file:
        file.write(row + "\n")
    with pytest.raises(DatasetInvalid, match=named):
        train("adapter", examples, LORA)


def test_no_rows_at_all_is_an_error_with_a_remedy(train: Train, examples: Path) -> None:
    with pytest.raises(DatasetInvalid, match="max_tokens"):
        train("adapter", examples, LORA | {"max_tokens": 16})


def test_modules_the_model_lacks_are_named(train: Train, examples: Path) -> None:
    with pytest.raises(SettingsInvalid, match=r"self_attn\.q_proj"):
        train("adapter", examples, LORA | {"modules": ["q_proj"]})


def test_a_batch_larger_than_the_data_takes_what_there_is(train: Train, examples: Path) -> None:
    found = manifest(train("adapter", examples, LORA | {"batch_size": 64, "epochs": 2}))
    assert found.history.iteration == 2


def test_dpo_begins_at_the_reference_and_learns_to_prefer(train: Train, pairs: Path) -> None:
    found = manifest(train("adapter", pairs, DPO | {"nll_weight": 0.0}, method="dpo"))
    first, *_, last = found.history.validation
    assert first.loss == pytest.approx(0.6931, abs=1e-3)  # log 2: no gain on either side yet
    assert first.margin == pytest.approx(0.0, abs=1e-3)
    assert last.accuracy == 1.0 and last.margin and last.margin > 1.0


def test_dpo_ends_at_the_margins_ceiling(train: Train, pairs: Path) -> None:
    found = manifest(train("adapter", pairs, DPO | {"margin_ceiling": 0.5}, method="dpo"))
    assert "margin" in found.ended and found.history.iteration < 20


def test_dpo_goes_on_from_an_adapter_which_is_then_its_reference(
    train: Train, examples: Path, pairs: Path
) -> None:
    taught = train("taught", examples, LORA | {"rank": 4, "layers": 2})
    preferring = train("preferring", pairs, DPO, method="dpo", start=taught)
    found = manifest(preferring)
    assert found.history.margins[0] == pytest.approx(0.0, abs=1e-3)
    assert adapter(preferring) != adapter(taught)
    config = json.loads((preferring / "adapter_config.json").read_text())
    assert (config["lora_parameters"]["rank"], config["num_layers"]) == (4, 2)
    assert "start/adapters.safetensors" in found.hashes
