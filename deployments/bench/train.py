"""Benchmark of training beside mlx-lm's own command, in turns: at equal settings, and packed.

`python -m deployments.bench.train` is the other side: what `mlx_lm.lora` does once it has
loaded model and data, with the same BLAS, at the same priority. A useful token is one that is
trained and belongs to an example; mlx-lm also trains, and counts, the padding behind each.
"""

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

from tasks.learning.training import finetune, recipes
from tasks.learning.training.child import LOW
from tasks.learning.training.recipes import Recipe
from tasks.learning.training.records import Progress
from tasks.learning.weights.conversion import mlx_folder
from tasks.learning.weights.mlx_setup import prepare
from tasks.models.embedded.files import built_in

_WARM = 2  # iterations that do not count
_BATCH = 4
PACKED = 512

Rate = tuple[float, float]  # useful tokens, seconds


def measure_train(
    home: Path, iterations: int, rounds: int, report: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Return useful tokens per second of each, and the median of its ratios to plain mlx-lm."""
    base = mlx_folder(built_in())
    data = _write_examples(home / "data", iterations * _BATCH)
    ways: dict[str, Callable[[Path], Rate]] = {
        "mlx_lm.lora": lambda out: _plain(base, data, out, iterations),
        "equal settings": lambda out: _ours(base, data, out, _recipe(iterations, pack=False)),
        "packed": lambda out: _ours(base, data, out, _recipe(iterations, pack=True)),
    }
    rates: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(rounds):
        for name, way in ways.items():
            report(f"round {turn + 1} of {rounds}: {name}")
            tokens, seconds = way(home / f"{turn}-{name.replace(' ', '-')}")
            rates[name].append(tokens / seconds)
    return [_row(name, measured, rates["mlx_lm.lora"]) for name, measured in rates.items()]


def _row(name: str, measured: Sequence[float], plain: Sequence[float]) -> dict[str, Any]:
    ratios = [rate / beside for rate, beside in zip(measured, plain, strict=True)]
    return {
        "trainer": name,
        "useful tokens/s": round(median(measured), 1),
        "ratio to mlx_lm.lora": round(median(ratios), 2),
        "ratios": ", ".join(f"{ratio:.2f}" for ratio in ratios),
    }


def _recipe(iterations: int, pack: bool) -> Recipe:
    """Return a recipe of one epoch that neither looks at validation data nor saves."""
    return recipes.recipe(
        "lora",
        pack=pack,
        pack_tokens=PACKED,
        batch_size=_BATCH,
        epochs=1,
        max_iterations=iterations,
        learning_rate=1e-5,
        warmup=0.0,
        schedule="constant",
        validation_examples=0,
        save_every=10 * iterations,
        gradient_checkpointing="never",
    )


def _ours(base: Path, data: Path, out: Path, recipe: Recipe) -> Rate:
    progress: list[Progress] = []
    finetune.train(base, data, out, recipe, on_progress=progress.append)
    counted = progress[_WARM:]
    tokens = sum(step.trained_tokens for step in counted)
    return tokens, sum(step.trained_tokens / step.trained_tokens_per_second for step in counted)


def _plain(base: Path, data: Path, out: Path, iterations: int) -> Rate:
    command = [sys.executable, "-P", "-m", "deployments.bench.train"]
    with Path(os.devnull).open("w") as nowhere:
        done = subprocess.run(
            [*command, str(base), str(data), str(out), str(iterations)],
            stdout=subprocess.PIPE,
            stderr=nowhere,
            text=True,
            check=True,
        )
    counted = json.loads(done.stdout.splitlines()[-1])[_WARM:]
    return sum(tokens for tokens, _ in counted), sum(seconds for _, seconds in counted)


def plain(base: str, data: str, out: str, iterations: int) -> list[Rate]:
    """Train as `mlx_lm.lora` does; return useful tokens and seconds of each iteration."""
    prepare()
    from mlx_lm import lora
    from mlx_lm.utils import load

    wanted = {"model": base, "data": data, "adapter_path": out, "train": True, "seed": 0}
    wanted |= {"iters": iterations, "batch_size": _BATCH, "steps_per_report": 1, "num_layers": 0}
    wanted |= {"mask_prompt": True, "learning_rate": 1e-5}
    wanted |= {"lora_parameters": {"rank": 8, "dropout": 0.0, "scale": 2.0}}
    args = SimpleNamespace(**lora.CONFIG_DEFAULTS | wanted)
    model, tokenizer = load(base)
    train_set, _, _ = lora.load_dataset(args, tokenizer)
    rates: list[Rate] = []

    def note(info: dict[str, Any]) -> None:
        seconds = 1 / info["iterations_per_second"]
        rates.append((info["tokens_per_second"] * seconds - _BATCH, seconds))

    lora.train_model(args, model, train_set, [], SimpleNamespace(on_train_loss_report=note))
    return rates


def _write_examples(folder: Path, count: int) -> Path:
    """Write made-up short questions and answers: most of a sentence, some of a few."""
    draw = random.Random(0)
    words = ["river", "stone", "light", "paper", "cloud", "garden", "letter", "window"]

    def text(most: int, mean: float) -> str:
        size = min(max(int(draw.lognormvariate(mean, 0.7)), 2), most)
        return " ".join(draw.choices(words, k=size))

    rows = [{"prompt": f"{text(30, 2.0)}?", "completion": text(80, 2.3)} for _ in range(count)]
    folder.mkdir(parents=True)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "train.jsonl").write_text(lines, encoding="utf-8")
    return folder


if __name__ == "__main__":
    os.nice(LOW)
    _, base_, data_, out_, iterations_ = sys.argv
    print("\n" + json.dumps(plain(base_, data_, out_, int(iterations_))))
