"""Loss curves and figures of a training, as Markdown for people."""

from collections.abc import Sequence

from tasks.learning.training.records import History, Manifest
from tasks.reports.charts import curves
from tasks.reports.rendering import cell, data_uri

Points = list[tuple[float, float]]


def artifact(manifest: Manifest) -> str:
    """Return Markdown that carries the loss curve, for DPO the margins' too, and the figures."""
    history, method = manifest.history, manifest.recipe.method.upper()
    parts = [f"# {method}: {history.iteration} iterations", cell(manifest.ended)]
    parts.append(f"![loss]({data_uri(loss_curve(history))})")
    if history.margins:
        parts.append(f"![margin]({data_uri(margin_curve(history))})")
    rows = [f"| {name} | {value} |" for name, value in figures(manifest).items()]
    return "\n\n".join([*parts, "\n".join(["| figure | value |", "|---|---|", *rows])]) + "\n"


def loss_curve(history: History) -> str:
    """Draw training and validation loss over the iterations; return SVG."""
    drawn = {"training": _numbered(history.losses)}
    drawn["validation"] = [(look.iteration, look.loss) for look in history.validation]
    return curves({name: points for name, points in drawn.items() if points}, "iteration", "loss")


def margin_curve(history: History) -> str:
    """Draw how far chosen answers gained over rejected ones, in nats × β; return SVG."""
    looks = [
        (float(look.iteration), look.margin)
        for look in history.validation
        if look.margin is not None
    ]
    drawn: dict[str, Points] = {"training": _numbered(history.margins)}
    if looks:
        drawn["validation"] = looks
    return curves(drawn, "iteration", "margin")


def figures(manifest: Manifest) -> dict[str, str]:
    """Return what a reader asks first, by name. Tokens are those of examples, never padding."""
    history, seconds = manifest.history, manifest.history.seconds or 1.0
    counts = ", ".join(
        f"{number} {name.replace('_', ' ')}" for name, number in manifest.counts.items()
    )
    shown = {
        "data": counts,
        "tokens/s": f"{history.tokens / seconds:,.0f}",
        "trained tokens/s": f"{history.trained_tokens / seconds:,.0f}",
        "time in iterations": f"{history.seconds:,.0f} s",
        "peak memory": f"{history.peak_bytes / 1e9:.2f} GB",
        "reckoned before": f"{manifest.estimate_bytes / 1e9:.2f} GB",
        "gradient checkpointing": "yes" if manifest.gradient_checkpointing else "no",
        "packed": "yes" if manifest.packed else "no",
        "resumed": f"{history.resumed} times",
    }
    last = history.validation[-1:]
    if last and last[0].accuracy is not None:
        shown["preferred the chosen answer"] = f"{last[0].accuracy:.0%} of validation pairs"
    return shown


def _numbered(values: Sequence[float]) -> Points:
    return [(float(number), value) for number, value in enumerate(values, 1)]
