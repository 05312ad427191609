"""The canary: is the served model the trained one? Told by log-probabilities, never by its text.

The same tokens are given to both, place by place, so that one early difference does not carry
on. A wrong row order passes every look at greedy text; it does not pass this.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from tasks import mlx_runtime
from thirdshift.errors import RuntimeUnavailable
from thirdshift.records import Record

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TOP = 20  # tokens compared at each place, the likeliest
TOLERANCE = 0.08  # nats in the mean, 8-bit weights and activations; forgotten ranks cost 2


class Comparison(Record):
    """How far the served model is, in nats, from the trained one and from the base."""

    places: int
    mean: float
    largest: float
    base_mean: float

    @property
    def held(self) -> bool:
        """Tell whether the served model is the trained one, and not the base."""
        return self.mean <= TOLERANCE and self.mean < self.base_mean / 2


def served_logprobs(
    client: httpx.Client, tokens: Sequence[int], place: int, top: int = TOP
) -> dict[int, float]:
    """Return llama.cpp's likeliest tokens after tokens[:place], before any sampling.

    The next token is forced, for llama.cpp tells nothing of one that is half a character; where
    even that one is, the answer is empty.
    """
    forced = [[int(tokens[place]), 1e6]]
    asked = {"prompt": [*tokens[:place]], "n_predict": 1, "n_probs": top, "logit_bias": forced}
    try:
        answer = client.post("/completion", json=asked | {"temperature": 0}).raise_for_status()
    except httpx.HTTPError as error:
        raise RuntimeUnavailable(f"The engine gave no log-probabilities: {error}.") from error
    told = answer.json().get("completion_probabilities") or [{"top_logprobs": []}]
    return {one["id"]: one["logprob"] for one in told[0]["top_logprobs"]}


def trained_logprobs(model: Any, tokens: Sequence[int]) -> "NDArray[np.float32]":
    """Return MLX's log-probabilities (len(tokens), words); row i is of the token after i."""
    import numpy as np

    mx = mlx_runtime.prepare()
    logits = model(mx.array([[*tokens]]))[0].astype(mx.float32)
    return np.array(logits - mx.logsumexp(logits, axis=-1, keepdims=True))


def compare(
    client: httpx.Client, base: Path, adapter: Path, texts: Sequence[Sequence[int]], places: int = 8
) -> Comparison:
    """Compare what a server computes for token lists with MLX's base and adapter folders.

    Of each list the last `places` places are looked at.
    """
    import numpy as np

    mlx_runtime.prepare()
    from mlx_lm.utils import load_adapters, load_model

    model, _ = load_model(base)
    before = [trained_logprobs(model, tokens) for tokens in texts]
    model = load_adapters(model, str(adapter))
    model.eval()
    after = [trained_logprobs(model, tokens) for tokens in texts]
    off, off_base = [], []
    for tokens, plain, tuned in zip(texts, before, after, strict=True):
        for place in range(max(1, len(tokens) - places), len(tokens)):
            for token, logprob in served_logprobs(client, tokens, place).items():
                off.append(abs(logprob - tuned[place - 1, token]))
                off_base.append(abs(logprob - plain[place - 1, token]))
    return Comparison(
        places=len(off) // TOP,
        mean=float(np.mean(off)),
        largest=float(np.max(off)),
        base_mean=float(np.mean(off_base)),
    )
