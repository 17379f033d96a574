"""Data that draws random numbers: killed by SIGKILL, resumed by another process, the same bits."""

from __future__ import annotations

import json
import signal
import warnings
from pathlib import Path

import forks
import keras
import pytest
from never_and_again import on_tensorflow
from small_fit import data, make_model

import rekindle
from rekindle.keras import BackupAndRestore

ON = keras.backend.backend()
SCRIPT = Path(__file__).with_name("data_run.py")


def run(kind, folder, save_freq, kill=()):
    """What the run ends with, in a process that had only imported Keras before."""
    status, out, errors = forks.run(SCRIPT, kind, folder, save_freq, *kill)
    assert status == (-signal.SIGKILL if kill else 0), errors
    return None if kill else json.loads(out.splitlines()[-1])


# For each, after how many batches rekindle saves, and the backends that read it in their own ways.
EXACT = {
    "layer_in_a_pipeline": (3, ("jax", "tensorflow", "torch")),
    "layer_in_a_repeated_pipeline": (3, ("jax", "tensorflow")),
    "layer_in_a_pipeline_of_validation": ("epoch", ("jax", "tensorflow")),
    "python_in_a_pipeline": ("epoch", ("jax", "tensorflow")),
    "on_global_numpy": (3, ("tensorflow",)),
    "on_global_python": (3, ("tensorflow",)),
    "own_numpy": ("epoch", ("jax", "tensorflow")),
    "own_python": (3, ("jax", "torch")),
    "layer_of_a_data_set": ("epoch", ("jax", "tensorflow")),
    "order_of_each_pass": (3, ("tensorflow",)),
    "loader_with_generators": ("epoch", ("torch", "tensorflow")),
    "generator_of_validation": (3, ("tensorflow",)),
    "stages:own_numpy": (3, ("jax", "tensorflow")),
    "stages:own_generator": (3, ("jax", "tensorflow")),
    "shuffled": (3, ("jax", "tensorflow", "torch")),
    "repeated_shuffles": ("epoch", ("jax", "torch")),
}


@pytest.mark.parametrize("kind", [kind for kind, (_, on) in EXACT.items() if ON in on])
def test_data_that_draws_goes_on_where_it_was(tmp_path, kind):
    save_freq, _ = EXACT[kind]
    # Behind a checkpoint within an epoch, or between the first two.
    kill = (1, 1) if save_freq == "epoch" else (2, 3)
    if kind.startswith("stages:"):
        kill = (3, 1)
    never = run(kind, tmp_path / "never", save_freq)
    run(kind, tmp_path / "killed", save_freq, kill)
    again = run(kind, tmp_path / "killed", save_freq)
    assert (again["values"], again["draws"]) == (never["values"], never["draws"])
    assert (again["exact"], again["notes"]) == (True, [])


# A run that was never killed does not repeat these, either, or nobody can see what they draw.
@pytest.mark.skipif(ON == "torch", reason="the pipelines are those of TensorFlow on each backend")
@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("parallel_draws", "several times at once"),
        ("pipeline_on_global_numpy", "reads the data ahead"),
        ("stages:shuffled", "shuffles what it repeats"),
        pytest.param("repeated_shuffles", "shuffles what it repeats", marks=on_tensorflow),
    ],
)
def test_data_whose_draws_cannot_be_repeated_is_named(tmp_path, kind, why):
    run(kind, tmp_path, 3, (3, 1) if kind.startswith("stages:") else (2, 3))
    again = run(kind, tmp_path, 3)
    assert again["exact"] is False
    assert any(why in note for note in again["notes"])


@on_tensorflow
def test_shuffles_that_cannot_be_repeated_are_named_at_the_first_checkpoint(tmp_path):
    tf = pytest.importorskip("tensorflow")
    pairs = tf.data.Dataset.from_tensor_slices(data(8)).shuffle(8)
    how = {"verbose": 0, "shuffle": False, "callbacks": [BackupAndRestore(tmp_path)]}
    with pytest.warns(rekindle.InexactWarning, match="shuffles what it repeats"):
        make_model().fit(pairs.repeat(2).batch(4), **how)
    with warnings.catch_warnings():
        warnings.simplefilter("error", rekindle.RekindleWarning)
        make_model().fit(pairs.batch(4), **how)
