"""The checkpoints of several workers: worker 0 writes them, with the state of each."""

from __future__ import annotations

import json
import socket
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rekindle._format.manifest import Damage
from rekindle._format.snapshot import LoadedCheckpoint, Snapshot
from rekindle._policy.retention import Retention
from rekindle._repository import reader
from rekindle._saving import metadata as records
from rekindle._saving import run_report
from rekindle._saving.checkpointer import Checkpointer
from rekindle._training import parts, team
from rekindle._training.state import FitState
from rekindle._training.team import Team
from rekindle.errors import (
    ForeignFileError,
    FormatError,
    LockError,
    RestoreError,
    SaveError,
    SaveWarning,
)

# A file server may show a new file to other hosts only after as many seconds.
_LONGEST_CACHE = 60.0
_GLANCE = 0.2


class _Joined:
    """Stands for the state of all workers as the source that worker 0 saves."""

    def __init__(self) -> None:
        self.save_counter = 0
        self.was_restored = False
        self.snapshot = Snapshot({})

    def take(self) -> Snapshot:
        # Once: the next snapshot comes from all workers.
        taken, self.snapshot = self.snapshot, Snapshot({})
        return taken

    def put(self, save: LoadedCheckpoint) -> None:
        """Each worker restores its own part."""


class TeamCheckpointer(Checkpointer):
    """Saves and restores one fit() of several workers, in a folder that all of them see.

    Only worker 0 locks the folder and writes. All workers call each method at the same point.

    Args:
        workers: The workers.
        state: The state of this worker's fit().
        directory: The folder. An absolute path.
        name: First part of the names of the checkpoints.
        rules: The retention rules.
        background: Whether a writer thread writes the checkpoints.
        raises: Whether a failed save ends training: then at the next save, in all workers.
        options: The user's `storage_options`.

    Attributes:
        may_lag: False: all workers save at the same batch.
    """

    may_lag = False

    def __init__(
        self,
        workers: Team,
        state: FitState,
        directory: str,
        name: str,
        rules: Retention,
        background: bool,
        raises: bool,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self._joined = _Joined()
        super().__init__(self._joined, directory, name, rules, background, options)
        self._team = workers
        self._state = state
        self._raises = raises
        self._failure: Exception | None = None
        self._loaded: LoadedCheckpoint | None = None

    @property
    def _is_first(self) -> bool:
        return self._team.index == 0

    def open(self) -> None:
        team.by_first(self._team, self.directory, super().open)

    def restore(self) -> LoadedCheckpoint | None:
        """Restores the checkpoint that worker 0 chose into each worker's own state.

        Raises:
            RestoreError: Another worker failed, or does not see the folder.
        """
        place = self.directory
        chosen = team.by_first(self._team, place, self._choose)
        save = team.by_each(self._team, place, lambda: self._see(chosen))
        self._loaded = None
        if not self._is_first:
            found = [] if save is None else [save.manifest]
            run_report.opened(place, self._name, found)
        if save is None:
            return None
        team.by_each(self._team, place, lambda: self._state.put(save))
        return save

    def _choose(self) -> dict[str, Any]:
        """The checkpoint that all workers restore, and how they recognize the folder."""
        self.storage.refuse_others()
        name, save = self._writer.newest()
        holder = self.storage.probe().holder
        chosen: dict[str, Any] = {
            "host": socket.gethostname(),
            "directory": self.directory,
            "holder": None if holder is None else [holder.host, holder.pid],
            "name": None,
        }
        if save is None:
            return chosen
        manifest = save.manifest
        records.refuse_newer(self.directory, manifest)
        self._loaded = save
        self.latest = f"{name}-{manifest.number}"
        self._joined.save_counter = records.save_counter(manifest)
        self._joined.was_restored = True
        return chosen | {"name": self.latest, "run": manifest.run, "serial": manifest.serial}

    def _see(self, chosen: Mapping[str, Any]) -> LoadedCheckpoint | None:
        """Reads the chosen checkpoint, without the lock; waits until the folder shows it."""
        if self._is_first:
            save = self._loaded
        else:
            until = time.monotonic() + min(self._team.timeout, _LONGEST_CACHE)
            while not self._is_shown(chosen):
                if time.monotonic() > until:
                    raise self._not_shared(chosen)
                time.sleep(_GLANCE)
            self.latest = chosen["name"]
            # Each worker looks at the folder that it sees.
            self.storage.refuse_others()
            save = self._load(chosen)
        return None if save is None else parts.of_worker(save, self._team.index)

    def _is_shown(self, chosen: Mapping[str, Any]) -> bool:
        try:
            if chosen["name"] is None:
                holder = self.storage.probe().holder
                if holder is None:
                    # The system may not tell who holds a lock of another host.
                    return self.storage.has_own_lock()
                return bool([holder.host, holder.pid] == chosen["holder"])
            _, manifest = reader.find(self.storage, chosen["name"])
            return bool([manifest.run, manifest.serial] == [chosen["run"], chosen["serial"]])
        except (OSError, Damage):
            return False

    def _not_shared(self, chosen: Mapping[str, Any]) -> RestoreError:
        me = team.name(self._team.index, socket.gethostname())
        return RestoreError(
            f"{me} does not see the folder that {team.name(0, chosen['host'])} uses,"
            f" {chosen['directory']!r}: in {self.directory!r} there is no such run. Give all"
            " workers the same `backup_dir`, in a folder that all of them share. Nothing was"
            " trained.",
            directory=self.directory,
            errno=None,
        )

    def _load(self, chosen: Mapping[str, Any]) -> LoadedCheckpoint | None:
        if chosen["name"] is None:
            return None
        try:
            return reader.read(self.storage, reader.find(self.storage, chosen["name"])[1])
        except Damage as damage:
            raise RestoreError(
                f"{chosen['name']!r} in {self.directory!r} cannot be read here, although worker 0"
                f" has read it: {damage}",
                directory=self.directory,
                errno=None,
            ) from damage

    def save(
        self,
        number: int | None = None,
        *,
        step: int | None = None,
        metadata: Mapping[str, Any] | None = None,
        evidence: Mapping[str, Any] | None = None,
        callbacks: Sequence[Callable[[str], Any]] = (),
        opened: Callable[[], Any] = lambda: None,
    ) -> str:
        """Saves the state of all workers as it is now. Worker 0 writes it.

        Raises:
            SaveError: An earlier save failed, and `raises` is true.
        """
        taken = self._gather()
        if not self._is_first:
            return ""
        self._joined.snapshot = parts.join(*taken)
        try:
            return super().save(number, step=step, metadata=metadata, callbacks=callbacks)
        except (SaveError, LockError, ForeignFileError, FormatError) as error:
            self._hold(error)
            return ""

    def _gather(self) -> tuple[Snapshot, list[bytes]]:
        """This worker's snapshot, and what the other workers add to it; all workers take theirs."""
        snapshot, error = Snapshot({}), self._failure
        if error is None:
            try:
                snapshot = self._state.take()
            # The others wait for this worker's part: they must learn of any error.
            except Exception as caught:  # noqa: BLE001
                error = caught
        if error is not None:
            head = {"host": socket.gethostname(), "error": f"{type(error).__name__}: {error}"}
            data = b"!" + json.dumps(head).encode()
        else:
            # Worker 0 has its own snapshot already.
            data = b"" if self._is_first else b"=" + self._part(snapshot)
        found = self._team.gather(data)
        if error is not None:
            self._failure = None
            raise error
        for index, one in enumerate(found):
            if one[:1] == b"!":
                said = json.loads(one[1:])
                raise SaveError(
                    f"{team.name(index, said['host'])} could not save: {said['error']}",
                    directory=self.directory,
                    errno=None,
                    needed=0,
                )
        return snapshot, [one[1:] for one in found[1:]]

    def _part(self, snapshot: Snapshot) -> bytes:
        return parts.encode(snapshot, self._state.trainer.shared())

    def _hold(self, error: Exception) -> None:
        """Keeps an error until all workers can raise it; or raises it, for worker 0 to warn."""
        if not self._raises:
            raise error
        self._failure = self._failure or error

    def poll(self, *, wait: bool = False) -> Any:
        try:
            return super().poll(wait=wait)
        except SaveError as error:
            self._hold(error)
            return None

    def agreed(self, answer: bool) -> bool:
        """The answer of worker 0, for all workers; false if it holds back a failure."""
        return bool(self._team.share([int(answer and self._failure is None)])[0][0])

    def clear(self) -> None:
        # Every worker has trained to the end: none may need a checkpoint after this.
        self._team.share([0])
        if self._is_first:
            super().clear()
        else:
            run_report.cleared(self.directory, self._name)

    def close(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            warnings.warn(str(failure), SaveWarning, stacklevel=4)
        super().close()
