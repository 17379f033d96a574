"""Compares the set-up of this fit() with that of the checkpoint: steps, versions, stages."""

from __future__ import annotations

from rekindle._format.manifest import Manifest
from rekindle._training import fingerprint, stages
from rekindle._training.trainer import Trainer


def refuse_backend(directory: str, trainer: Trainer, manifest: Manifest) -> None:
    """Refuses a checkpoint of another backend, whose variables may differ in ways that say nothing.

    Raises:
        MismatchError: The checkpoint is of another backend.
    """
    backend = trainer.fingerprint().get("backend")
    if backend is not None:
        saved = manifest.state.get("fingerprint")
        lines = fingerprint.differences({"backend": backend}, saved)
        fingerprint.refuse(directory, fingerprint.SET_UP, lines)


def differences(trainer: Trainer, manifest: Manifest) -> list[str]:
    """A line for each setting that differs, and defines what a training step is."""
    return fingerprint.differences(trainer.fingerprint(), manifest.state.get("fingerprint"))


def notes(trainer: Trainer, manifest: Manifest, began: int) -> list[str]:
    """A line for each other thing that differs, and may change the result.

    Args:
        trainer: The trainer of this fit().
        manifest: The manifest of the checkpoint.
        began: The `initial_epoch` of the fit() that saved it.
    """
    found, initial = [], stages.initial_epoch(trainer.fit)
    if initial < began:
        found.append(
            f"the backup is of a fit() that began at epoch {began} (counted from 0), and"
            f" this one begins at {initial}"
        )
    saved = manifest.state.get("versions")
    return found + [
        f"{line} (results may differ slightly between versions)"
        for line in fingerprint.differences(trainer.versions(), saved)
    ]
