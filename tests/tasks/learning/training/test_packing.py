import importlib

import numpy as np
import pytest

from tasks.learning.training.data import Tokens
from tasks.learning.training.packing import balanced_rows, batch, batch_shape
from tasks.learning.training.recipes import recipe
from tasks.learning.weights.mlx_setup import prepare

SMALL = {
    "hidden_size": 64,
    "num_hidden_layers": 3,
    "intermediate_size": 128,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-5,
    "vocab_size": 300,
    "head_dim": 16,
    "max_position_embeddings": 512,
    "tie_word_embeddings": True,
    "rope_theta": 10000,
}
GEMMA2 = {"attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0}
SLIDING = {"sliding_window": 16, "sliding_window_pattern": 2, "query_pre_attn_scalar": 16}
ARCHITECTURES = {
    "llama": {},
    "qwen2": {},
    "qwen3": {},
    "gemma2": GEMMA2 | {"query_pre_attn_scalar": 16},
    "gemma3_text": SLIDING,
}


def examples() -> list[Tokens]:
    draw = np.random.default_rng(0)
    sizes = ((20, 5), (33, 1), (40, 30), (11, 2), (50, 20))
    return [Tokens(draw.integers(1, 300, size).tolist(), start) for size, start in sizes]


def test_a_layout_holds_each_example_once_in_evenly_filled_rows() -> None:
    lengths = [7, 50, 3, 22, 18, 40, 9]
    rows = balanced_rows(lengths, row=64)
    assert sorted(at for row in rows for at in row) == list(range(7))
    filled = [sum(lengths[at] for at in row) for row in rows]
    assert len(rows) == 3 and max(filled) - min(filled) <= max(lengths) / 2


def test_a_row_is_as_long_as_the_longest_example_needs() -> None:
    assert balanced_rows([100, 5, 5], row=32) == [[0], [1, 2]]


@pytest.mark.parametrize("row", [0, 64, 500])
def test_what_is_trained_is_each_answers_tokens_and_nothing_else(row: int) -> None:
    laid = batch(examples(), row)
    assert (*laid.inputs.shape, len(laid.picks)) == batch_shape(examples(), row)
    for owner, example in enumerate(examples()):
        mine = (laid.owners == owner) & (laid.weights == 1)
        assert laid.targets[mine].tolist() == example.ids[example.start :]
        before = laid.inputs.reshape(-1)[laid.picks[mine]]
        assert before.tolist() == example.ids[example.start - 1 : -1]
    assert laid.trained == sum(len(one.ids) - one.start for one in examples())
    assert laid.tokens == sum(len(one.ids) - 1 for one in examples())


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_packed_rows_cost_a_model_what_separate_ones_do(architecture: str) -> None:
    mx = prepare()
    import mlx.nn as nn
    from mlx.utils import tree_flatten
    from mlx_lm.tuner.utils import linear_to_lora_layers

    from tasks.learning.training.losses import Losses, pick_trained
    from tasks.learning.training.model import ONE_ROW, row_length

    module = importlib.import_module(f"mlx_lm.models.{architecture}")
    mx.random.seed(0)
    keys = SMALL | ARCHITECTURES[architecture] | {"model_type": architecture}
    model = module.Model(module.ModelArgs.from_dict(keys))
    model.freeze()
    linear_to_lora_layers(model, 2, {"rank": 4, "scale": 2.0, "dropout": 0.0})

    def expected() -> float:
        """What the model says of each example alone, without any code of ours."""
        losses = []
        for tokens, start in examples():
            logits = model(mx.array([tokens[:-1]]))[0, start - 1 :]
            losses.append(nn.losses.cross_entropy(logits, mx.array(tokens[start:])))
        return float(mx.concatenate(losses).mean().item())

    wanted = expected()
    pick_trained(model)

    def found(row: int) -> tuple[float, dict[str, object]]:
        arrays = [mx.array(array) for array in batch(examples(), row)]
        loss = Losses(alone=row == 0).examples
        (value, _), gradient = nn.value_and_grad(model, loss)(model, *arrays)
        return float(value.item()), dict(tree_flatten(gradient))

    alone, gradients = found(row=0)
    assert alone == pytest.approx(wanted, rel=1e-5)
    row = row_length(model, recipe("lora", pack_tokens=64))
    assert row == (ONE_ROW if architecture == "gemma2" else 64)
    packed, others = found(row)
    assert packed == pytest.approx(wanted, rel=1e-5)
    for name, gradient in gradients.items():
        assert mx.allclose(others[name], gradient, rtol=1e-3, atol=1e-5).item(), name


def test_a_model_that_looks_across_examples_is_not_packed() -> None:
    """Mutation: a mask that lets examples see each other is noticed."""
    prepare()
    from mlx_lm.models import llama

    from tasks.learning.training import losses
    from tasks.learning.training.model import row_length

    keys = SMALL | {"model_type": "llama"}
    model = llama.Model(llama.ModelArgs.from_dict(keys))
    losses.pick_trained(model)
    assert row_length(model, recipe("lora"))
    honest = losses.Rows.make_mask
    try:
        losses.Rows.make_mask = lambda *_, **__: "causal"  # type: ignore[method-assign]
        assert not row_length(model, recipe("lora"))
    finally:
        losses.Rows.make_mask = honest  # type: ignore[method-assign]
