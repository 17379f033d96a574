"""Finds out, as far as possible, whether several processes train one model together.

This module imports no framework, and does not make a framework start its devices.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rekindle._frameworks.loaded import loaded
from rekindle.errors import ArgumentError, RekindleWarning

# The number of processes, and the number of this one: the variables of torchrun (and of tools that
# follow its example), and those of Keras.
_VARIABLES = (
    ("WORLD_SIZE", "RANK"),
    ("KERAS_DISTRIBUTION_NUM_PROCESSES", "KERAS_DISTRIBUTION_PROCESS_ID"),
)

_STRATEGY = "its tf.distribute strategy"


@dataclass(frozen=True)
class Workers:
    """Several processes that train one model.

    Attributes:
        count: The number of processes.
        index: The number of this process, from 0; ``None`` if it is not known.
        source: The source of this information.
    """

    count: int
    index: int | None
    source: str

    def __str__(self) -> str:
        one = "one" if self.index is None else f"number {self.index} (from 0)"
        return f"this process is {one} of {self.count} workers, according to {self.source}"


def refuse_several(model: Any) -> None:
    """Raises an ArgumentError when `fit()` of the model runs in several processes."""
    found = connected() or _by_strategy(model)
    announced = None if found is not None else _by_environment()
    workers = found or announced
    if workers is None:
        return
    independent = (
        " If these processes train a model each, remove that variable from the environment before"
        " fit(), and give each process a backup_dir of its own."
        if announced is not None
        else ""
    )
    # The front end of Keras 2 does not ask here under such a strategy.
    by_keras = (
        " Keras 3 itself fails under a strategy of several workers. Keras 2 (the package tf_keras)"
        " does not: rekindle.tf_keras.BackupAndRestore supports MultiWorkerMirroredStrategy there."
        if workers.source == _STRATEGY
        else ""
    )
    raise ArgumentError(
        f"BackupAndRestore works in one process only, and {workers}.{by_keras} Nothing was"
        " trained, and no folder was changed. Use a custom training loop: worker 0 has a"
        " rekindle.CheckpointManager and sends its latest_checkpoint to the other workers, and"
        " every worker restores that with rekindle.Checkpoint.restore(). The article 'Custom"
        f" training loops in R' shows it.{independent}",
        argument="callbacks",
        value=workers.count,
    )


def warn_of_restoring_alone(directory: str, stacklevel: int) -> None:
    """Warns if this process is a worker that restores the newest checkpoint of its own folder."""
    workers = connected()
    if workers is not None and workers.index:
        warnings.warn(
            f"A CheckpointManager restores the newest checkpoint of its own folder,"
            f" {directory!r}, and {workers}. Workers that each choose a checkpoint may resume"
            " from different steps. Make the manager in worker 0 only, send its latest_checkpoint"
            " to the other workers, and restore that in every worker with Checkpoint.restore().",
            RekindleWarning,
            stacklevel=stacklevel,
        )


def connected() -> Workers | None:
    """The workers, if a framework has connected several processes; else ``None``."""
    return _by_torch() or _by_jax()


def _by_torch() -> Workers | None:
    group = loaded("torch.distributed")
    if group is None or not group.is_available() or not group.is_initialized():
        return None
    return _several(group.get_world_size(), group.get_rank(), "torch.distributed")


def _by_jax() -> Workers | None:
    jax = loaded("jax")
    state = getattr(loaded("jax._src.distributed"), "global_state", None)
    source = "jax.distributed"
    found = _several(
        getattr(state, "num_processes", None), getattr(state, "process_id", None), source
    )
    # Some devices have several processes by themselves. A call for the count would start the
    # devices, so this asks only if they have started.
    bridge = loaded("jax._src.xla_bridge")
    if found is None and jax is not None and getattr(bridge, "_backends", None):
        found = _several(jax.process_count(), jax.process_index(), "jax.process_count()")
    return found


def _by_strategy(model: Any) -> Workers | None:
    """The workers of the `tf.distribute` strategy that the model was made in."""
    if loaded("tensorflow") is None:
        return None
    strategy = getattr(model, "distribute_strategy", None)
    resolver = getattr(strategy, "cluster_resolver", None)
    if resolver is None:
        return None
    tasks = _tasks(resolver.cluster_spec().as_dict())
    return _several(tasks, resolver.task_id, _STRATEGY)


def _by_environment() -> Workers | None:
    """Workers that were started together, even if no framework has connected them yet."""
    for size, rank in _VARIABLES:
        count, index = os.environ.get(size, ""), os.environ.get(rank, "")
        if count.isdecimal() and index.isdecimal():
            found = _several(int(count), int(index), f"the environment variable {size}")
            if found is not None:
                return found
    try:
        config = json.loads(os.environ.get("TF_CONFIG", "{}"))
        task = config.get("task") or {}
        source = "the environment variable TF_CONFIG"
        return _several(_tasks(config.get("cluster") or {}), task.get("index"), source)
    except (ValueError, TypeError, AttributeError):
        return None


def _tasks(cluster: Mapping[str, Any]) -> int:
    # An evaluator does not train.
    return sum(len(tasks) for job, tasks in cluster.items() if job != "evaluator")


def _several(count: Any, index: Any, source: str) -> Workers | None:
    if not isinstance(count, int) or count < 2:
        return None
    return Workers(count, index if isinstance(index, int) else None, source)
