"""The private door of the R package: lists all that it calls beside the public modules."""

import contextlib
from typing import Any

from rekindle._base.checks import file_path, place
from rekindle._base.durations import parse as seconds_of
from rekindle._base.durations import spoken as duration_in_words
from rekindle._base.events import send_to as send_events_to
from rekindle._codec.families import values_are_vectors
from rekindle._frameworks.loaded import loaded
from rekindle._r.either_keras import is_of_keras_2
from rekindle._r.session import Uninterrupted, keep_interrupts
from rekindle._r.state import ExternalState
from rekindle._r.values import as_convertible, as_lists, checkpoint_values, info_of
from rekindle._r.watching import Watching
from rekindle._saving.open_runs import let_go_ended
from rekindle._training.outer_values import read_foreign_functions
from rekindle._training.random_states import add as add_random_state
from rekindle._training.signals import restore_ended as restore_handlers
from rekindle._training.signals import send_again as send_signals_again
from rekindle.errors import DependencyError


def backup_and_restore(keras_2: bool = False, **arguments: Any) -> Any:
    """A callback for `fit()` of both Keras packages of R, and of Synalinks.

    Args:
        keras_2: Whether R has loaded its package for Keras 2, and not the one for Keras 3. The
            libraries that Python has imported tell, too.
        **arguments: The arguments of the callback, by name.

    Raises:
        DependencyError: Neither Keras 3, nor tf_keras, nor Synalinks can be imported.
    """
    values_are_vectors()
    ways = [_for_keras_3, _for_keras_2]
    # TensorFlow imports Keras 3 itself, unless TF_USE_LEGACY_KERAS is set.
    if keras_2 or (loaded("tf_keras") is not None and loaded("keras") is None):
        ways.reverse()
    try:
        make = ways[0]()
    except DependencyError as error:
        for other in (ways[1], _for_synalinks):
            with contextlib.suppress(DependencyError):
                return other()(**arguments)
        raise error from None
    return make(**arguments)


def _for_keras_3() -> type:
    from rekindle._r.for_keras_3 import BackupAndRestore

    return BackupAndRestore


def _for_keras_2() -> type:
    from rekindle._r.for_keras_2 import BackupAndRestore

    return BackupAndRestore


def _for_synalinks() -> type:
    from rekindle.synalinks import BackupAndRestore

    return BackupAndRestore


__all__ = [
    "ExternalState",
    "Uninterrupted",
    "Watching",
    "add_random_state",
    "as_convertible",
    "as_lists",
    "backup_and_restore",
    "checkpoint_values",
    "duration_in_words",
    "file_path",
    "info_of",
    "is_of_keras_2",
    "keep_interrupts",
    "let_go_ended",
    "place",
    "read_foreign_functions",
    "restore_handlers",
    "seconds_of",
    "send_events_to",
    "send_signals_again",
]
