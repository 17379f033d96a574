"""Compares the set-up of this fit() with that of the checkpoint: steps, versions, stages."""

from __future__ import annotations

from rekindle._format.manifest import Manifest
from rekindle._training import changes, fingerprint, optimizer_settings, stages
from rekindle._training.changes import AllowedChanges
from rekindle._training.trainer import Trainer


def refuse_backend(directory: str, trainer: Trainer, manifest: Manifest) -> None:
    """Refuses a checkpoint of another backend, whose variables may differ in ways that say nothing.

    Raises:
        MismatchError: The checkpoint is of another backend.
    """
    backend = trainer.fingerprint().get("backend")
    if backend is not None:
        saved = manifest.state.get("fingerprint")
        _refuse(directory, fingerprint.differences({"backend": backend}, saved))


def differences(
    directory: str, trainer: Trainer, manifest: Manifest, began: int, allowed: AllowedChanges
) -> list[str]:
    """A line for each thing that is not as it was, and may change the result.

    A learning rate that the script has changed stays: the checkpoint does not bring back the other.

    Args:
        directory: The backup folder, for messages.
        trainer: The trainer of this fit().
        manifest: The manifest of the checkpoint.
        began: The `initial_epoch` of the fit() that saved it.
        allowed: The differences that do not rule the checkpoint out.

    Raises:
        MismatchError: Another setting differs.
    """
    lines = fingerprint.differences(trainer.fingerprint(), manifest.state.get("fingerprint"))
    if any(line.startswith(optimizer_settings.RATE) for line in lines):
        trainer.keep_learning_rate()
    if stages.is_new(manifest.position, began, trainer.fit):
        # A stage of a script may train otherwise than the one before, as for fine-tuning.
        lines = [line for line in lines if not optimizer_settings.is_setting(line)]
    _refuse(directory, allowed.refused(lines))
    initial = stages.initial_epoch(trainer.fit)
    if initial < began:
        lines.append(
            f"{changes.OTHER_START} at epoch {began} (counted from 0), and this one begins at"
            f" {initial}"
        )
    return lines + fingerprint.other_versions(trainer.versions(), manifest.state.get("versions"))


def _refuse(directory: str, lines: list[str]) -> None:
    if lines:
        what = "of another training set-up"
        fingerprint.refuse(directory, what, lines, changes.advice(lines))
