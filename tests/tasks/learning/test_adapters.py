"""Versions of adapters: published whole or not at all, proved, switched, undone."""

import hashlib
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from typer.testing import CliRunner

from deployments.cli.app import app
from tasks.learning import adapters, canary
from tasks.learning.adapters import (
    add,
    promote,
    publish,
    reject,
    rollback,
    version,
    versions,
)
from tasks.learning.weights import merging
from tasks.learning.weights.conversion import mlx_folder
from tasks.learning.weights.lora import WEIGHTS
from tasks.machine import disk
from tasks.models.current import choice
from tasks.models.protocol import ModelRuntime
from tasks.models.runtime import runtime
from tests.tasks import tiny
from thirdshift.errors import AdapterRefused, ModelMissing, ModelUnsupported, NotFound
from thirdshift.settings import settings

pytestmark = pytest.mark.slow
PROMPT = "What is the capital of France?"
_PROMOTE = """
import sys
from pathlib import Path
from tasks.learning.adapters import add, promote
print("on", flush=True)
promote(add("night", Path(sys.argv[1]), {}).id)
"""


class Killed(BaseException):
    """Stands for the moment the power goes."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write(tmp_path_factory.mktemp("tiny") / "tiny.gguf", "llama")


@pytest.fixture
def models(home: Path, model: Path, override: Callable[..., None]) -> Iterator[ModelRuntime]:
    """Return the embedded runtime over a tiny random model."""
    override(MODELS__RUNTIME="embedded", MODELS__GGUF=model, MODELS__CONTEXT=512)
    yield runtime()
    for loaded in runtime().loaded():
        runtime().unload(loaded.name)


@pytest.fixture
def trained(models: ModelRuntime, tmp_path: Path) -> Callable[[int], Path]:
    """Return a function that makes another random adapter for each seed."""
    folder = mlx_folder(models.base_file())
    return lambda seed: tiny.adapter(folder, tmp_path / f"lora-{seed}", seed)


def answer() -> dict[str, float]:
    """What the sentinel expects next: a random model says the same whatever it was taught."""
    return runtime().next_tokens(runtime().model("sentinel"), PROMPT, 20)


def test_a_version_serves_and_a_rollback_restores_the_bases_answer(trained: Any) -> None:
    before = answer()
    first, second = add("night", trained(1), {"rows": 3}), add("night", trained(2), {})

    promote(first.id)
    after_first = answer()
    promote(second.id)
    after_second = answer()

    assert [one.state for one in versions()] == ["published", "current"]
    for one, other in combinations((before, after_first, after_second), 2):
        assert one != pytest.approx(other, abs=1e-2)
    assert (rollback() or first).id == first.id
    assert answer() == pytest.approx(after_first, abs=1e-3)
    assert rollback() is None
    assert answer() == pytest.approx(before, abs=1e-3)
    with pytest.raises(NotFound, match="nothing to roll back"):
        rollback()


def test_a_served_model_that_is_not_the_trained_one_is_not_switched_to(
    trained: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = add("night", trained(1), {})
    halved = merging.changed
    monkeypatch.setattr(
        merging, "changed", lambda tensor, pair, scale, kind: halved(tensor, pair, -scale, kind)
    )

    with pytest.raises(AdapterRefused, match="nats"):
        promote(one.id)
    assert choice() is None
    assert version(one.id).state == "rejected"
    assert not runtime().model_bytes(one.model)


def test_an_adapter_that_changes_nothing_is_not_switched_to(trained: Any) -> None:
    folder = trained(1)
    arrays = load_file(folder / WEIGHTS)
    save_file({name: np.zeros_like(array) for name, array in arrays.items()}, folder / WEIGHTS)

    with pytest.raises(AdapterRefused, match="next to nothing"):
        promote(add("night", folder, {}).id)
    assert choice() is None


def test_what_the_gate_rejected_cannot_be_promoted(trained: Any) -> None:
    one = add("night", trained(1), {})
    reject(one.id, "Facts fell by 2 of 12.")

    with pytest.raises(AdapterRefused, match="Facts fell"):
        promote(one.id)


def test_an_adapter_of_another_base_is_not_published(
    trained: Any, tmp_path: Path, override: Callable[..., None]
) -> None:
    one = add("night", trained(1), {})
    other = tiny.write(tmp_path / "other.gguf", "llama", seed=9)
    override(MODELS__GGUF=other)

    with pytest.raises(AdapterRefused, match="another base"):
        publish(one.id)


def test_what_cannot_be_converted_is_not_kept(trained: Any, tmp_path: Path) -> None:
    folder = trained(1)
    file = folder / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"fine_tune_type": "dora"}))

    with pytest.raises(ModelUnsupported, match="dora"):
        add("night", folder, {})
    assert versions() == []


def test_old_models_make_room_and_can_be_promoted_again(
    trained: Any, override: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapters, "_prove", lambda _: None)
    override(LEARNING__KEEP_VERSIONS=2)
    names = [add("night", trained(seed), {}).id for seed in range(4)]
    for name in names:
        promote(name)

    assert [one.state for one in versions()] == ["retired", "retired", "published", "current"]
    assert len([*settings().models_path.glob("*.gguf")]) == 2
    promote(names[0])
    assert version(names[0]).state == "current"


@pytest.mark.parametrize("step", range(18))
def test_a_death_at_any_moment_leaves_no_half_model(
    trained: Any, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before each rename and each wait for the disk; at the latest before the switch itself."""
    monkeypatch.setattr(adapters, "_prove", lambda _: None)
    folder, calls = trained(1), iter(range(100))
    replace, fsync = Path.replace, disk.sync

    def dying(real: Any) -> Any:
        def call(*paths: Path) -> Any:
            if next(calls) == step or paths[-1].name == "current.json":
                raise Killed
            return real(*paths)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", dying(replace))
        patch.setattr(disk, "sync", dying(fsync))
        with pytest.raises(Killed):
            promote(add("night", folder, {}).id)
    served = choice()

    for one in versions():
        assert (one.folder / WEIGHTS).read_bytes() == (folder / WEIGHTS).read_bytes()
        if one.state in {"published", "current"}:
            assert runtime().model_bytes(one.model)
    assert served is None
    assert promote(add("night", folder, {}).id).state == "current"


@pytest.mark.long
def test_killed_at_ten_random_moments_it_never_serves_half_a_model(
    trained: Any, tmp_path: Path
) -> None:
    folder, before = trained(1), answer()
    took = _promoted(folder, None)
    whole, after = _models(), answer()
    draw, ends = random.Random(3), []
    for _ in range(10):
        if choice():
            rollback()
        ends.append(_promoted(folder, draw.uniform(0, took)) is None)

        assert set(_models().values()) <= set(whole.values())
        assert all(_is_whole(one, folder) for one in versions())
        assert answer() == pytest.approx(after if choice() else before, abs=1e-3)
    assert any(ends)
    assert promote(add("night", folder, {}).id).state == "current"


def _promoted(folder: Path, killed_after: float | None) -> float | None:
    """Promote in a process of its own; return the seconds it took, None where it was killed."""
    command = [sys.executable, "-P", "-c", _PROMOTE, str(folder)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout and child.stdout.readline() == "on\n"
    began = time.monotonic()
    try:
        child.wait(killed_after)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
        return None
    assert child.returncode == 0
    return time.monotonic() - began


def _models() -> dict[str, str]:
    """Return the checksums of what is there to be served."""
    files = settings().models_path.glob("*.gguf")
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def _is_whole(one: adapters.Version, folder: Path) -> bool:
    kept = (one.folder / WEIGHTS).read_bytes() == (folder / WEIGHTS).read_bytes()
    served = one.state not in {"published", "current"} or runtime().model_bytes(one.model)
    return kept and bool(served)


def test_the_command_lists_shows_promotes_compares_exports_and_goes_back(
    trained: Any, tmp_path: Path
) -> None:
    def command(*words: str) -> str:
        told = CliRunner().invoke(app, ["adapters", *words], catch_exceptions=False)
        assert told.exit_code == 0
        return told.output

    name = add("night", trained(1), {"rows": 3}).id

    assert "night:v1 serves" in command("promote", name)
    assert json.loads(command("list", "--json"))[0]["state"] == "current"
    assert json.loads(command("show", name))["manifest"] == {"rows": 3}
    rows = json.loads(command("compare", name, PROMPT, "--json"))
    assert (rows[0]["prompt"], set(rows[0])) == (PROMPT, {"prompt", "before", "after"})
    for form in ("mlx", "gguf", "peft", "merged"):
        assert form in command("export", name, form, str(tmp_path / form))
        assert (tmp_path / form).exists()
    assert "The base model serves" in command("rollback")


@pytest.mark.ollama
@pytest.mark.parametrize("base", ["tiny", "built-in"])
def test_a_real_ollama_serves_a_version_goes_back_and_deletes_it(
    ollama: ModelRuntime,
    model: Path,
    mlx_base: Path,
    base: str,
    tmp_path: Path,
    override: Callable[..., None],
) -> None:
    if base == "tiny":
        ollama.publish("tiny", model)
        override(MODELS__SENTINEL="tiny", MODELS__CONTEXT=512)
    before = answer()
    folder = mlx_folder(runtime().base_file())
    one = promote(add("night", tiny.adapter(folder, tmp_path / "lora", 1), {}).id)

    assert runtime().model("sentinel") == one.model
    assert answer() != pytest.approx(before, abs=1e-2)
    assert runtime().chat(max_tokens=4).invoke(PROMPT).content
    assert rollback() is None
    assert answer() == pytest.approx(before, abs=1e-3)
    runtime().remove(one.model)
    assert runtime().model_bytes(one.model) == 0
    with pytest.raises(ModelMissing):
        runtime().chat(model=one.model).invoke(PROMPT)


def test_the_canary_tells_a_merge_from_the_base(trained: Any) -> None:
    one = publish(add("night", trained(1), {}).id)
    base = mlx_folder(runtime().base_file())

    right = canary.compare(runtime(), one.model, base, one.folder)
    wrong = canary.compare(runtime(), runtime().base_model(), base, one.folder)

    assert right.fault == ""
    assert wrong.fault
