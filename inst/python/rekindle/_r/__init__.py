"""The private door of the R package: lists all that it calls beside the public modules."""

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

__all__ = [
    "ExternalState",
    "Uninterrupted",
    "add_random_state",
    "as_convertible",
    "as_lists",
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
