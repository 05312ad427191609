"""Merging a LoRA adapter into the served GGUF, tensor by tensor: a whole new one.

`W' = W + scale * (a b)ᵀ`, with the rows of q and k in llama.cpp's order. What was touched is
written with 8 bits where it was quantised, else with 16: on a 4-bit grid small changes round back
to what was there. All else, the vocabulary and the chat template too, is copied byte for byte.
"""

import struct
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, NamedTuple

from tasks.learning.weights.lora import Adapter, LoraPair, pairs_by_tensor, read_adapter
from tasks.learning.weights.quantisation import dequantised
from tasks.machine.disk import ensure_room, whole_file
from tasks.models.gguf_layout import (
    ALIGNMENT,
    Layout,
    Tensor,
    layout,
)

if TYPE_CHECKING:
    import numpy as np
    from gguf import GGMLQuantizationType
    from numpy.typing import NDArray

Precision = Literal["Q8_0", "F16", "F32"]
CHUNK = 16 << 20  # bytes copied at once


class _Part(NamedTuple):
    """One tensor of the new file, and the pair that changes it."""

    tensor: Tensor
    pair: LoraPair | None
    kind: "GGMLQuantizationType"
    size: int


def merge(base: Path, folder: Path, target: Path, precision: Precision | None = None) -> None:
    """Write base and adapter as one GGUF: under a temporary name, on the disk, then renamed.

    `precision` is of the touched tensors; without it, F16 or Q8_0 after what each one was.

    Raises ModelUnsupported for adapters that cannot be merged, DiskFull before it starts.
    """
    source, adapter = layout(base), read_adapter(folder)
    parts = _plan(source, pairs_by_tensor(adapter, source), precision)
    target.parent.mkdir(parents=True, exist_ok=True)
    ensure_room(target.parent, sum(part.size for part in parts))
    with (
        whole_file(target, durable=True) as part_file,
        base.open("rb") as old,
        part_file.open("wb") as new,
    ):
        _write_header(old, new, source, parts)
        for part in parts:
            _write_part(old, new, part, adapter)
            _align(new, source)


def _plan(source: Layout, pairs: dict[str, LoraPair], precision: Precision | None) -> list[_Part]:
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

    parts, exact = [], {GGMLQuantizationType.F32, GGMLQuantizationType.F16}
    for tensor in source.tensors.values():
        pair, kind, size = pairs.get(tensor.name), tensor.kind, tensor.size
        if pair:
            kind = GGMLQuantizationType[precision or ("F16" if kind in exact else "Q8_0")]
            block, bytes_ = GGML_QUANT_SIZES[kind]
            if tensor.shape[-1] % block:
                kind, block, bytes_ = GGMLQuantizationType.F16, 1, 2
            size = prod(tensor.shape) // block * bytes_
        parts.append(_Part(tensor, pair, kind, size))
    return parts


def _write_header(old: BinaryIO, new: BinaryIO, source: Layout, parts: list[_Part]) -> None:
    """Copy counts and keys as they are, and write where each tensor will lie."""
    old.seek(0)
    new.write(old.read(source.key_span[1]))
    offset = 0
    for part in parts:
        name = part.tensor.name.encode()
        shape = part.tensor.shape[::-1]
        new.write(struct.pack("<Q", len(name)) + name)
        new.write(struct.pack(f"<I{len(shape)}Q", len(shape), *shape))
        new.write(struct.pack("<IQ", int(part.kind), offset))
        offset += _aligned(part.size, source)
    _align(new, source)


def _write_part(old: BinaryIO, new: BinaryIO, part: _Part, adapter: Adapter) -> None:
    if part.pair:
        new.write(changed(part.tensor, part.pair, adapter.scale, part.kind).tobytes())
        return
    old.seek(part.tensor.start)
    left = part.size
    while left:
        block = old.read(min(CHUNK, left))
        new.write(block)
        left -= len(block)


def changed(
    tensor: Tensor, pair: LoraPair, scale: float, kind: "GGMLQuantizationType"
) -> "NDArray[np.generic]":
    """Return a tensor's numbers with the pair's change, as bytes of the given type."""
    import gguf

    numbers = dequantised(tensor.data, tensor.kind) + scale * (pair.a @ pair.b).T
    written: NDArray[np.generic] = gguf.quantize(numbers, kind)
    return written


def _aligned(size: int, source: Layout) -> int:
    align = int(source.keys.get("general.alignment", ALIGNMENT))
    return -(-size // align) * align


def _align(new: BinaryIO, source: Layout) -> None:
    new.write(b"\0" * (_aligned(new.tell(), source) - new.tell()))
