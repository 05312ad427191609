"""Answers are weighed rightly, once, in a process that can be ended."""

from pathlib import Path

import pytest

from tasks.learning.evaluation import likelihood
from tasks.learning.evaluation.likelihood import weigh
from tasks.learning.evaluation.likelihood_child import Row
from tasks.runs import preemption
from tasks.runs.preemption import Preempted
from thirdshift.errors import EvaluationFailed
from thirdshift.records import now
from thirdshift.settings import settings

pytestmark = pytest.mark.slow
ROWS = [
    Row.asked(f"What is {n}?", completion)
    for n in range(6)
    for completion in (f"amber is {n}", "no " * (n + 1))
]


def alone(base: Path, row: Row) -> float:
    """Return a row's log-probability, computed by itself and token by token."""
    from tasks.learning.weights.mlx_setup import prepare

    mx = prepare()
    from mlx_lm.utils import load_model, load_tokenizer

    model, _ = load_model(base)
    tokenizer = load_tokenizer(base)
    prompt = tokenizer.apply_chat_template(row.messages, add_generation_prompt=True)
    tokens = [*prompt, *tokenizer.encode(row.completion, add_special_tokens=False)]
    logits = model(mx.array([tokens]))[0]
    likely = logits - mx.logsumexp(logits, axis=-1, keepdims=True)
    return sum(likely[at - 1, tokens[at]].item() for at in range(len(prompt), len(tokens)))


def test_rows_weighed_together_weigh_what_they_do_alone_and_only_once(
    tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weighed = weigh(tiny_base, None, ROWS)
    for row, one in zip(ROWS, weighed, strict=True):
        assert one.nats == pytest.approx(alone(tiny_base, row), abs=1e-3)
        assert one.tokens >= len(row.completion.split())
    monkeypatch.setattr(likelihood, "_COMMAND", ["false"])
    assert weigh(tiny_base, None, [*reversed(ROWS)]) == [*reversed(weighed)]
    assert weigh(tiny_base, None, []) == []


def test_a_child_that_dies_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(EvaluationFailed, match=r"died \(1\): .*tokenizer"):
        weigh(tmp_path, None, ROWS)


def test_it_yields_when_the_gate_closes_and_keeps_what_was_weighed(
    tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = weigh(tiny_base, None, ROWS[:2])
    monkeypatch.setattr(likelihood, "due", lambda: Preempted("The owner is back.", now()))
    with pytest.raises(Preempted):
        weigh(tiny_base, None, ROWS)
    monkeypatch.setattr(likelihood, "due", preemption.due)
    monkeypatch.setattr(likelihood, "_COMMAND", ["false"])
    assert weigh(tiny_base, None, ROWS[:2]) == first
    assert len([*settings().evaluations_path.rglob("*.jsonl")]) == 1
