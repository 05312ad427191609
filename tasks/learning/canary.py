"""Canary test: is the served model the trained one? Told by log-probabilities, never by text.

A wrong row order or a forgotten factor passes every look at greedy text; it does not pass this.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.learning.weights import mlx_setup
from thirdshift.records import Record

if TYPE_CHECKING:
    from tasks.models.protocol import ModelRuntime

TOP = 20  # tokens compared after each text, the likeliest
# Both measured: docs/log.md, 2026-11-24 "Taught, judged, served, taken back".
TOLERANCE = 0.08  # nats in the mean, with 8-bit weights and activations; a forgotten rank costs 2
NOISE = 1.5  # times what the served base is from its own weights: 0.10 with 4 bits
_WIDER = 5 * TOP  # of MLX's, among which the served ones must be
QUESTIONS = (
    "What is the capital of France?",
    "Write one sentence about the sea.",
    "How do I keep a promise?",
    "日本の首都はどこですか。",
    "What is seven times eight?",
    "Name three colours.",
)
Logprobs = Mapping[str, float]  # by token
OPENINGS = ("The weather today", "In the morning I", "夜の仕事は", "def add(a, b):\n")


class Comparison(Record):
    """How far the served model is, in nats, from the trained one and from the bare base.

    `noise` is how far the served base is from the bare base: what its quantisation costs.
    """

    tokens: int
    mean: float
    largest: float
    base_mean: float
    noise: float

    @property
    def fault(self) -> str:
        """Say what is wrong; empty where the served model is the trained one."""
        if not self.tokens or self.mean > max(TOLERANCE, NOISE * self.noise):
            return f"The served model is {self.mean:.3f} nats from the trained one."
        if self.mean > self.base_mean / 2:
            return f"The adapter changes next to nothing: {self.base_mean:.4f} nats."
        return ""


def compare(
    models: "ModelRuntime", model: str, base: Path, adapter: Path, texts: Sequence[str] = ()
) -> Comparison:
    """Compare the tokens a served model expects after texts with MLX's, base and adapter folder.

    Without texts, a few questions in the model's chat template and openings of sentences.
    """
    mlx_setup.prepare()
    from mlx_lm.utils import load, load_adapters

    bare, tokenizer, *_ = load(str(base))
    prompts = [*texts] or _prompts(tokenizer)
    before = [_expected(bare, tokenizer, text) for text in prompts]
    tuned = load_adapters(bare, str(adapter))
    tuned.eval()
    after = [_expected(tuned, tokenizer, text) for text in prompts]
    served = [models.next_tokens(model, text, TOP) for text in prompts]
    served_base = [models.next_tokens(models.base_model(), text, TOP) for text in prompts]
    off = _differences(served, after)
    return Comparison(
        tokens=len(off),
        mean=_mean(off),
        largest=max(off, default=0.0),
        base_mean=_mean(_differences(served, before)),
        noise=_mean(_differences(served_base, before)),
    )


def _differences(served: Sequence[Logprobs], weights: Sequence[Logprobs]) -> list[float]:
    return [
        abs(logprob - expected[token])
        for likeliest, expected in zip(served, weights, strict=True)
        for token, logprob in likeliest.items()
        if token in expected
    ]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / max(len(values), 1)


def _prompts(tokenizer: Any) -> list[str]:
    """Return texts as both sides read them; each adds a model's own first token by itself."""
    if tokenizer.chat_template is None:
        return [*OPENINGS, *QUESTIONS]
    chats = [[{"role": "user", "content": question}] for question in QUESTIONS]
    texts = [
        tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
        for chat in chats
    ]
    return [*OPENINGS, *(text.removeprefix(tokenizer.bos_token or "") for text in texts)]


def _expected(model: Any, tokenizer: Any, text: str) -> dict[str, float]:
    """Return MLX's likeliest next tokens by their text; those that are half a character are not."""
    mx = mlx_setup.prepare()
    logits = model(mx.array([tokenizer.encode(text)]))[0, -1].astype(mx.float32)
    logprobs = logits - mx.logsumexp(logits)
    likeliest = mx.argsort(-logprobs)[:_WIDER].tolist()
    texts = ((tokenizer.decode([token]), float(logprobs[token])) for token in likeliest)
    return {text: logprob for text, logprob in texts if text and "\ufffd" not in text}
