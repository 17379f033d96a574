"""Short versions of the long sweeps of `make faults`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from faults import mutants, preload, scenes

FAULTS = Path(__file__).parents[2] / "faults"

pytestmark = pytest.mark.skipif(
    preload.compiler() is None or sys.platform != "linux",
    reason="the preload library needs Linux and a C compiler",
)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(FAULTS / "run.py"), "--quick", *arguments]
    environment = {**os.environ, "KERAS_BACKEND": "torch"}
    return subprocess.run(command, capture_output=True, text=True, env=environment)


@pytest.mark.parametrize(
    "part",
    ["crash", "refuse", "damage", "fuzz", "race,races", "fit,kills,states", "forged", "leaves"],
)
def test_every_claim_holds(part):
    done = run("--only", part)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    assert done.stdout.endswith("every claim held\n")


@pytest.mark.parametrize(
    "mutant",
    ["no-sync-before-commit", "older-goes-first", "refusals-escape", "arrays-unchecked", "no-lock"],
)
def test_a_broken_store_is_noticed(mutant):
    done = run("--only", mutants.NOTICED_BY[mutant], "--mutant", mutant)
    assert done.returncode == 1, done.stdout[-5000:] + done.stderr[-5000:]
    assert done.stdout.endswith("claims failed\n")


_UNHURT = """
import sys
from faults import mutants, scenes
mutants.ALL[sys.argv[1]]()
store = scenes.Store()
store.save(sys.argv[2], range(4), 1)
assert store.restored(sys.argv[2]) == 3
"""


@pytest.mark.parametrize("mutant", mutants.ALL)
def test_a_broken_store_works_while_nothing_happens_to_it(mutant, tmp_path):
    # If a mutant failed without a fault, any sweep would notice it, or no sweep would.
    command = [sys.executable, "-c", _UNHURT, mutant, str(tmp_path)]
    subprocess.run(command, check=True, cwd=FAULTS.parent)


@pytest.mark.parametrize("kept", [1, 2])
def test_the_scene_of_two_packs_writes_two(kept, tmp_path):
    scene = next(scene for scene in scenes.scenes(kept) if scene.name == "save in two packs")
    scenes.Store().save(str(tmp_path), range(scene.saves), kept)
    scene.act(str(tmp_path), lambda: None, lambda index: None)
    packs = {path.name for path in (tmp_path / scenes.BOX).glob("ckpt-3*.safetensors")}
    assert packs == {"ckpt-3.safetensors", "ckpt-3.1.safetensors"}


@pytest.mark.parametrize("past_cache", [False, True])
@pytest.mark.parametrize("kept", [1, 2])
def test_the_scenes_with_a_spare_have_one(kept, past_cache, tmp_path):
    store = scenes.Store()
    store.save(str(tmp_path), range(4), kept)
    folder = scenes.with_a_spare(store, str(tmp_path), kept, past_cache=past_cache)
    assert folder.storage._pack_file.spare.name in os.listdir(folder.storage.url)
    folder.close()
