"""Backup and restore for ``program.fit()`` of Synalinks: programs of language models."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any

from rekindle._base.origin import module_of
from rekindle._policy.intervals import Auto
from rekindle._policy.preemption import Preemption
from rekindle._policy.retention import Retention
from rekindle._policy.tolerance import Tolerance
from rekindle.errors import ArgumentError, DependencyError

try:
    import synalinks

    # A folder of this name, where the script runs, is a package, too, and has nothing in it.
    synalinks.callbacks  # noqa: B018
except (ImportError, AttributeError) as error:
    raise DependencyError(
        f"`rekindle.synalinks` needs the package synalinks, and importing it failed: {error}."
        " Install it with `pip install synalinks`. It needs Python 3.12 or newer.",
        package=getattr(error, "name", None) or "synalinks",
    ) from error

from rekindle._synalinks import internals
from rekindle._synalinks.tail_callback import TailCallback
from rekindle._training import alone, arguments
from rekindle._training.backup_hooks import BackupHooks
from rekindle._training.callbacks.csv_logs import CsvLogs

__all__ = ["BackupAndRestore"]


class BackupAndRestore(BackupHooks, synalinks.callbacks.Callback):  # type: ignore[misc]  # No types.
    """Backs up a training run of Synalinks, and resumes it after a kill.

    A drop-in replacement for ``synalinks.callbacks.BackupAndRestore``. After a crash, a kill or a
    power cut, run the same script again. ``await program.fit()`` then restores the last checkpoint
    and continues with the next batch. Unlike with the callback of Synalinks, the result is the same
    as without the interruption: rekindle also restores the population of candidates, the inner
    programs of the optimizer, what it has seen of hard examples, the counters of tokens and cost,
    the history, the other callbacks, the random states, and the position in the data.

    The language models answer again for the batches after the last checkpoint, and only for these.
    A checkpoint takes milliseconds, and a batch costs money: ``save_freq=1`` is the best choice for
    most runs.

    The arguments `backup_dir`, `save_freq`, `double_checkpoint` and `delete_checkpoint` are those
    of Synalinks, in its order. The others mean the same as those of
    :class:`rekindle.keras.BackupAndRestore`, which describes each of them in full.

    Args:
        backup_dir: str or ``os.PathLike``. The folder for the backup, or a place in an object
            store, such as ``"s3://bucket/run7"``.
        save_freq: ``"epoch"``, int, str, ``datetime.timedelta``, :class:`rekindle.Auto` or False.
            When to save: at the end of every epoch; after that many batches, counted across epochs;
            after that much time, such as ``"10 min"``; at intervals that rekindle chooses
            (``"auto"``); or never by itself (``False``). Defaults to ``"epoch"``.
        double_checkpoint: bool. ``True`` keeps the last two checkpoints instead of the last one.
            Defaults to ``False``.
        delete_checkpoint: bool. ``True`` removes all checkpoints when training is complete.
            Defaults to ``True``.
        restore_history: bool. ``True`` gives the ``History`` that a resumed ``fit()`` returns the
            epochs of the whole run. Defaults to ``False``.
        allow_changes: str, collection of str, or ``None``. Names the things that you have changed
            in the script since the backup, such as ``"batch_size"``. If anything else differs,
            ``fit()`` raises a ``MismatchError``. The keyword
            ``on_mismatch="warn"`` means ``allow_changes="all"``. Defaults to ``None``.
        on_save_error: ``"warn"`` or ``"raise"``. What to do if a checkpoint cannot be written.
            Defaults to ``"warn"``.
        extra_state: dict of named objects, or ``None``. Other state that belongs to the run:
            objects with ``state_dict()`` and ``load_state_dict()``, random generators, or NumPy
            arrays. Defaults to ``None``.
        verbose: 0, 1 or 2. 1 prints a line when a run resumes. 2 also prints a line for each
            checkpoint. Defaults to 0.
        background: bool. ``True`` writes while training continues. Defaults to ``True``.
        retention: :class:`rekindle.Retention`, or ``None``. Which checkpoints to keep. Defaults to
            ``None``: the last one.
        save_before_preemption: bool, or :class:`rekindle.Preemption`. ``True`` saves when a signal
            announces the end of the process, and then ends training. This happens at the end of the
            batch that is being trained, so allow for the time of a batch. Defaults to ``True``.
        storage_options: dict of str, or ``None``. Settings of an object store, as with
            :class:`rekindle.keras.BackupAndRestore`. Defaults to ``None``.

    Attributes:
        backup_dir: str. The folder, as an absolute path.
        resume_report: ``None`` if the last ``fit()`` restored nothing, else a dict, as with
            :class:`rekindle.keras.BackupAndRestore`.
        save_report: ``None`` before training, else a dict, as there.

    Raises:
        ArgumentError: (a ``ValueError``) An argument is not of the accepted form.

    Before training begins, ``fit()`` raises the same errors as with
    :class:`rekindle.keras.BackupAndRestore`. It also raises ``DependencyError`` if the installed
    Synalinks is of a version that rekindle does not know.

    rekindle cannot repeat what Synalinks itself does not repeat:

    - The validation samples that score a candidate, if `minibatch_size` is less than the number of
      validation samples. Synalinks draws them without a seed. rekindle reports this by an
      ``InexactWarning``. Set ``minibatch_size=None`` to score with all of them.
    - The answers of a language model that samples them, and the order in which the answers to one
      batch arrive if `batch_size` is more than 1. Synalinks keeps predictions in that order.
    - A request that is sent again. The client draws from Python's random generator how long it
      waits before that.
    - Times: metrics and counters of seconds and of tokens per second.

    These do not belong to the run, and rekindle does not save them: the model's own cache, files of
    knowledge bases, and runs of MLflow.

    ``import synalinks`` takes several seconds. Without a network, set the environment variable
    ``LITELLM_LOCAL_MODEL_COST_MAP`` to ``True``: otherwise litellm tries to fetch its list of
    prices first. rekindle imports Synalinks only for this module.

    If the folder holds no checkpoint of rekindle, but a backup by
    ``synalinks.callbacks.BackupAndRestore``, ``fit()`` resumes from the start of the epoch that the
    backup names, and reports this by a ``TakeoverWarning``. That backup has no checksum: rekindle
    refuses a half-written file, and cannot see a changed letter.

    Example::

        callback = rekindle.synalinks.BackupAndRestore("backup", save_freq=1)
        await program.fit(x, y, epochs=10, callbacks=[callback])
    """

    @arguments.takes_on_mismatch
    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: str | int | timedelta | Auto = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
        *,
        restore_history: bool = False,
        allow_changes: str | Collection[str] | None = None,
        on_save_error: str = "warn",
        extra_state: Mapping[str, Any] | None = None,
        verbose: int = 0,
        background: bool = True,
        retention: Retention | None = None,
        save_before_preemption: bool | Preemption = True,
        on_difference: str | Tolerance = "warn",
        storage_options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self._set_up(
            arguments.options(
                backup_dir=backup_dir,
                save_freq=save_freq,
                double_checkpoint=double_checkpoint,
                delete_checkpoint=delete_checkpoint,
                restore_history=restore_history,
                allow_changes=allow_changes,
                on_save_error=on_save_error,
                extra_state=extra_state,
                verbose=verbose,
                background=background,
                retention=retention,
                save_before_preemption=save_before_preemption,
                on_difference=on_difference,
                storage_options=storage_options,
            )
        )

    def set_program(self, program: Any) -> None:
        if not isinstance(program, synalinks.Program):
            raise ArgumentError(
                f"rekindle.synalinks is for programs of Synalinks, and was given a"
                f" {type(program).__name__!r} of {module_of(type(program))}.",
                argument="program",
                value=program,
            )
        super().set_program(program)
        # Before any callback's on_train_begin.
        found, _ = internals.find_callback_list()
        self._csv_logs = CsvLogs(() if found is None else found.callbacks)

    def _refuse(self) -> None:
        kinds = (BackupAndRestore, synalinks.callbacks.BackupAndRestore)
        alone.refuse_others(internals.CALLBACK_LIST, kinds)
        if not self.program.built:
            # The words of Synalinks: its users' code looks for them.
            raise ArgumentError(
                "To use the BackupAndRestore callback, you program must be built before you call"
                f" `fit()`. Program {self.program} is unbuilt. You can build it beforehand by"
                " calling it on a batch of data.",
                argument="program",
                value=self.program,
            )

    def _new_tail(self) -> TailCallback:
        return TailCallback(self._settings, self, self.program)
