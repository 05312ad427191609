"""The layout of a GGUF file: its keys, and where each tensor lies.

Read here rather than with the `gguf` package, which takes seconds for the words of a vocabulary.
The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from thirdshift.errors import ModelMissing

if TYPE_CHECKING:
    import numpy as np
    from gguf import GGMLQuantizationType
    from numpy.typing import NDArray

MAGIC = b"GGUF"
ALIGNMENT = 32  # bytes, where general.alignment says nothing
# The format's value types by their number; 8 and 9 are strings and arrays.
_FORMATS = dict(enumerate(("B", "b", "H", "h", "I", "i", "f", "?", "", "", "Q", "q", "d")))
_ONE = {form: struct.Struct(f"<{form}") for form in _FORMATS.values() if form}
_STRING, _ARRAY = 8, 9


class Tensor(NamedTuple):
    """Where a tensor lies. `shape` is (out, in); `start` and `size` are bytes of the file."""

    file: Path
    name: str
    shape: tuple[int, ...]
    kind: "GGMLQuantizationType"
    start: int
    size: int

    @property
    def data(self) -> "NDArray[np.uint8]":
        """The bytes, (out, bytes of a row) or (bytes,), read from the disk when used."""
        import numpy as np

        shape = (*self.shape[:-1], -1)
        flat = np.memmap(self.file, np.uint8, "r", self.start, (self.size,))
        return np.asarray(flat).reshape(shape)


class Layout(NamedTuple):
    """A GGUF's keys, tensors by name, and the span of bytes that holds the keys."""

    keys: dict[str, Any]
    tensors: dict[str, Tensor]
    key_count: int
    key_span: tuple[int, int]


def header(file: Path) -> dict[str, Any]:
    """Return the keys up to the tokenizer's, which are large and come last.

    Raises ModelMissing where the file is not GGUF.
    """
    with file.open("rb") as stream:
        return dict(_until_tokenizer(_keys(stream, _counts(stream, file)[1], file)))


def _until_tokenizer(keys: Iterator[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    for name, value in keys:
        if name.startswith("tokenizer."):
            return
        yield name, value


def layout(file: Path) -> Layout:
    """Return all keys and tensors of a file; raises ModelMissing where it is damaged."""
    with file.open("rb") as stream:
        count, key_count = _counts(stream, file)
        begin = stream.tell()
        keys = dict(_keys(stream, key_count, file))
        end = stream.tell()
        infos = [_info(stream) for _ in range(count)]
        align = int(keys.get("general.alignment", ALIGNMENT))
        base = -(-stream.tell() // align) * align
    tensors = {tensor.name: tensor for tensor in (_tensor(file, base, *info) for info in infos)}
    last = max((tensor.start + tensor.size for tensor in tensors.values()), default=0)
    if file.stat().st_size < last:
        raise ModelMissing(f"{file} is cut short.", "Remove it and fetch it again.")
    return Layout(keys, tensors, key_count, (begin, end))


def parameters(file: Path) -> int:
    """Return how many numbers the tensors of a file hold."""
    from math import prod

    with file.open("rb") as stream:
        count, key_count = _counts(stream, file)
        for _ in _keys(stream, key_count, file):
            pass
        return sum(prod(_info(stream)[1]) for _ in range(count))


def _counts(stream: BinaryIO, file: Path) -> tuple[int, int]:
    """Return how many tensors and keys there are."""
    if stream.read(4) != MAGIC:
        raise ModelMissing(f"{file} is not a GGUF file.", "Name one in models.gguf.")
    _version, tensors, keys = struct.unpack("<IQQ", stream.read(20))
    return tensors, keys


def _keys(stream: BinaryIO, count: int, file: Path) -> Iterator[tuple[str, Any]]:
    try:
        for _ in range(count):
            yield _text(stream), _value(stream, _one(stream, "I"))
    except (struct.error, KeyError, UnicodeDecodeError) as error:
        raise ModelMissing(f"{file} is damaged.", "Remove it and fetch it again.") from error


def _value(stream: BinaryIO, kind: int) -> Any:
    if kind == _STRING:
        return _text(stream)
    if kind == _ARRAY:
        inner, length = _one(stream, "I"), _one(stream, "Q")
        if inner == _STRING:
            read, size = stream.read, _ONE["Q"].unpack  # a vocabulary has 100,000 words
            return [read(size(read(8))[0]).decode() for _ in range(length)]
        if inner == _ARRAY:
            return [_value(stream, inner) for _ in range(length)]
        form = f"<{length}{_FORMATS[inner]}"
        return [*struct.unpack(form, stream.read(struct.calcsize(form)))]
    return _one(stream, _FORMATS[kind])


def _text(stream: BinaryIO) -> str:
    return stream.read(_one(stream, "Q")).decode()


def _one(stream: BinaryIO, form: str) -> Any:
    return _ONE[form].unpack(stream.read(_ONE[form].size))[0]


def _info(stream: BinaryIO) -> tuple[str, tuple[int, ...], int, int]:
    name, rank = _text(stream), _one(stream, "I")
    shape = tuple(_one(stream, "Q") for _ in range(rank))
    return name, shape[::-1], _one(stream, "I"), _one(stream, "Q")


def _tensor(
    file: Path, base: int, name: str, shape: tuple[int, ...], kind: int, offset: int
) -> Tensor:
    from math import prod

    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

    quantised = GGMLQuantizationType(kind)
    block, size = GGML_QUANT_SIZES[quantised]
    return Tensor(file, name, shape, quantised, base + offset, prod(shape) // block * size)


def cache_bytes(info: Mapping[str, Any], tokens: int) -> int:
    """Estimate the bytes of a 16-bit key-value cache for `tokens`, from a GGUF header's keys."""

    def key(name: str, default: Any) -> Any:
        value = info.get(f"{info.get('general.architecture')}.{name}")
        return default if value is None else value

    layers, heads = key("block_count", 0), key("attention.head_count", 1)
    query_heads = max(heads) if isinstance(heads, list) else heads
    width = key("embedding_length", 0) // max(query_heads, 1)
    sizes = key("attention.key_length", width) + key("attention.value_length", width)
    heads_kv = key("attention.head_count_kv", query_heads)  # a list where layers differ
    total = sum(heads_kv) if isinstance(heads_kv, list) else heads_kv * layers
    return int(2 * tokens * total * sizes)
