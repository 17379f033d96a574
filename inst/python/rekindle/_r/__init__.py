"""The private door of the R package: lists all that it calls beside the public modules."""

from typing import Any

from rekindle._base.checks import path
from rekindle._base.durations import parse as seconds_of
from rekindle._base.durations import spoken as duration_in_words
from rekindle._base.events import send_to as send_events_to
from rekindle._r.session import Uninterrupted, keep_interrupts
from rekindle._r.state import ExternalState
from rekindle._r.values import as_convertible, as_lists, checkpoint_values
from rekindle._saving.open_runs import let_go_ended
from rekindle._training.random_states import add as add_random_state
from rekindle._training.signals import restore_ended as restore_handlers
from rekindle._training.signals import send_again as send_signals_again
from rekindle.errors import DependencyError


def backup_and_restore(**arguments: Any) -> Any:
    """A callback for `fit()` of both Keras packages of R.

    Raises:
        DependencyError: Neither Keras 3 nor tf_keras can be imported.
    """
    try:
        from rekindle._r.callback import BackupAndRestore
    except DependencyError as error:
        try:
            from rekindle import tf_keras
        except DependencyError:
            raise error from None
        return tf_keras.BackupAndRestore(**arguments)
    return BackupAndRestore(**arguments)


__all__ = [
    "ExternalState",
    "Uninterrupted",
    "add_random_state",
    "as_convertible",
    "as_lists",
    "backup_and_restore",
    "checkpoint_values",
    "duration_in_words",
    "keep_interrupts",
    "let_go_ended",
    "path",
    "restore_handlers",
    "seconds_of",
    "send_events_to",
    "send_signals_again",
]
