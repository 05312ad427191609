"""Base weights, on which is trained: the served GGUF's own, or the same model as MLX has it.

A folder or a hub's repository may hold more precise weights than the served 4 bits. What is
learnt on them is merged into the served file all the same, so it must be the same model.
"""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from tasks.learning.weights.conversion import configuration_of, mlx_folder
from tasks.learning.weights.token_check import check_tokens
from tasks.machine import disk
from tasks.machine.disk import ensure_room
from tasks.models.gguf_layout import layout
from thirdshift.errors import ModelMissing, ModelUnsupported, RuntimeUnavailable
from thirdshift.settings import settings

_FILES = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]
_SAME = (
    "hidden_size",
    "num_hidden_layers",
    "intermediate_size",
    "num_attention_heads",
    "num_key_value_heads",
)
_KEY = "learning.base_weights"
_WHOLE = ".whole"  # in a folder that was fetched to its end


def sweep() -> int:
    """Remove GGUFs' weights in MLX's form on which nothing was trained for two months.

    What the owner or a hub put beside them stays. Returns their bytes.
    """
    converted = (settings().models_path / "mlx").glob("[0-9a-f]" * 16 + "-*")
    return disk.sweep(converted, timedelta(days=60))


def base_weights(gguf: Path) -> Path:
    """Return the MLX folder to train on for a served GGUF.

    Raises ModelMissing where the settings name none that exists, RuntimeUnavailable where the
    hub fails, and ModelUnsupported where it is another model.
    """
    named = settings().learning.base_weights
    if not named:
        return mlx_folder(gguf)
    folder = settings().base_weights_path or _from_hub(named)
    _ensure_same(folder, gguf)
    return folder


def _from_hub(named: str) -> Path:
    """Download a repository's model, or what has changed of it; go on where it was broken off."""
    import httpx
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError

    folder = settings().models_path / "mlx" / f"hub-{named.replace('/', '-')}"
    hub = settings().models.hub_url
    remedy = f"Name an MLX folder, or owner/repository, in {_KEY}."
    try:
        ensure_room(settings().models_path)
        snapshot_download(named, local_dir=folder, endpoint=hub, allow_patterns=_FILES)
        (folder / _WHOLE).touch()
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise ModelMissing(f"{named} is no folder, and {hub} has no such model.", remedy) from error
    except (OSError, httpx.HTTPError) as error:
        if not (folder / _WHOLE).exists():
            raise RuntimeUnavailable(f"{named} could not be fetched from {hub}: {error}") from error
    return folder


def _ensure_same(folder: Path, gguf: Path) -> None:
    source = layout(gguf)
    served, named = configuration_of(source), _read(folder)
    for key in _SAME:
        if named.get(key, served[key]) != served[key]:
            raise ModelUnsupported(
                f"{folder} is another model than {gguf.name}: its {key} is {named[key]}, not "
                f"{served[key]}.",
                f"Name the same model in {_KEY}, or none.",
            )
    check_tokens(source.keys, folder)


def _read(folder: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads((folder / "config.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        what = f"{folder} is no MLX model folder: {error}"
        raise ModelMissing(what, f"Mend {_KEY} in the settings.") from error
    return config
