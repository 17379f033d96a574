"""Which values a checkpoint may change: those that training changes, never the script's.

A checkpoint is a file. Its author must not decide where a script writes or which code it runs. So a
checkpoint gives values only to attributes that the live object has, or that the code of its class
assigns. Text (a string, a path or bytes) has stricter rules:

- Text that was there when training began does not change. If it is inside of a container, the
  checkpoint adds no text to this container either.
- Text never replaces another value. It may come only inside of a container, and this container may
  replace only ``None`` or a container without text.

A value takes only the place of one of its family (:mod:`rekindle._codec.families`): no text, list
or dict that of a number. An object, a named tuple or a member of an enumeration takes only the
place of one of its kind: the checkpoint makes none. The same rules apply at a capture: rekindle
then names the values that it could not restore.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from rekindle import errors
from rekindle._base.arrays import AnyArray
from rekindle._codec import families, shape, tags
from rekindle._codec.aliases import changes_in_place
from rekindle._codec.assigned import assigned_by, is_script
from rekindle._codec.capture import Capture
from rekindle._codec.containers import is_wrapper, open_container
from rekindle._codec.kinds import failure
from rekindle._codec.restore import Restore
from rekindle._frameworks import table as frameworks

# Reasons why a value cannot be restored. In a message, they follow the attribute's name.
OF_A_TYPE = "is of a type that cannot be saved"
IS_NEW = "did not exist when training began"
IS_TEXT = (
    "was set to a string during training, and a resume does not change strings that the script sets"
)
_OF_ANOTHER = (
    "has another type than when training began ({}), and a resume does not change types: begin with"
    " a value of the later type"
)
FAILED = "cannot be saved, because reading its state failed"


class Taken(NamedTuple):
    """A value that was captured because training has changed it."""

    saved: Any
    arrays: dict[str, AnyArray]


class _Before(NamedTuple):
    """A value as it was when training began.

    Attributes:
        digest: The digest of its captured form.
        text: Its text, as :func:`shape.text` returns it.
        makers: Its parts that only a live object can make, as :func:`shape.makers` returns them.
        family: Its family, as :func:`families.of` returns it.
        same: Whether a value is the same object; ``None`` if a restore cannot change this one.
    """

    digest: str
    text: Any
    makers: Any
    family: families.Family
    same: Callable[[Any], bool] | None


class Baseline:
    """Named values as they were when training began: attributes of one object, for example.

    Args:
        values: The values that may be state.
        live: The object whose attributes they are, or ``None``.
    """

    def __init__(self, values: Mapping[str, Any], live: Any) -> None:
        self._live = live
        self._names = frozenset(() if live is None else vars(live))
        self._before: dict[str, _Before] = {}
        # Values that could not be captured then.
        self._others: dict[str, Callable[[Any], bool]] = {}
        for name, value in values.items():
            before = _before(value)
            if before is not None:
                self._before[name] = before
            else:
                self._others[name] = _same_as(value)

    @property
    def digests(self) -> dict[str, str]:
        """A digest of each value when training began, by name."""
        return {name: before.digest for name, before in self._before.items()}

    def take(
        self, name: str, value: Any, place: str, *, tells_all: bool = True
    ) -> Taken | str | None:
        """Captures the value, if training has changed it.

        Args:
            name: Its name.
            value: The value.
            place: The beginning of the names of its arrays.
            tells_all: Whether to give a reason also for a value that never could be captured, and
                may be as it was.

        Returns:
            The reason, as text, if the value could not be restored. ``None`` if it is as it was.
        """
        capture = Capture(value, exact=True)
        try:
            saved = capture.take(value, place)
            if self._is_as_it_was(name, saved, capture.arrays):
                return None
            refusal = self._refusal(name, saved, capture.arrays)
        except errors.UnsupportedValueError as error:
            return _reason(error, place) if tells_all or self._has_changed(name, value) else None
        # The user's own code reads the state, and may fail. Training must not end for it.
        except Exception as error:  # noqa: BLE001
            return f"{FAILED} ({failure(value, error):.200})"
        if refusal is not None:
            return refusal
        before = self._before.get(name)
        replaces = before is not None and before.same is not None and not before.same(value)
        return Taken(tags.tag("new", saved) if replaces else saved, capture.arrays)

    def take_all(self, name: str, value: Any, place: str, arrays: dict[str, AnyArray]) -> Any:
        """Captures the value, changed or not; its arrays go into `arrays`.

        Returns:
            JSON values; or the reason, as text, if the value could not be restored.
        """
        found: dict[str, AnyArray] = {}
        saved = take_object(value, place, found, exact=True)
        if not isinstance(saved, str):
            refusal = self._refusal(name, saved, found)
            if refusal is not None:
                return refusal
            arrays.update(found)
        return saved

    def refuse(self, name: str, saved: Any, where: str, arrays: Mapping[str, AnyArray]) -> None:
        """Refuses a value that :meth:`take_all` would not have captured.

        Raises:
            BrokenTreeError: It is such a value.
        """
        refusal = self._refusal(name, saved, arrays)
        if refusal is not None:
            raise _cannot_be(where, refusal)

    def _has_changed(self, name: str, value: Any) -> bool:
        """Whether training has changed a value that cannot be captured, as far as can be seen."""
        return name in self._before or (name in self._others and not self._others[name](value))

    def _is_as_it_was(self, name: str, saved: Any, arrays: Mapping[str, AnyArray]) -> bool:
        return name in self._before and shape.digest_of(saved, arrays) == self._before[name].digest

    def _refusal(self, name: str, saved: Any, arrays: Mapping[str, AnyArray]) -> str | None:
        """Why a checkpoint may not give the name this value; ``None`` if it may."""
        if name not in self._before and (name in self._names or name in self._others):
            return OF_A_TYPE
        kind: Any = type(self._live)
        if name not in self._before and name not in assigned_by(kind):
            return IS_NEW
        # If training has not made the attribute yet, compare with the value of its class, or None.
        before = self._before.get(name) or _before(getattr(kind, name, None))
        if before is None or not shape.can_be_made(before.makers, shape.makers(saved, arrays)):
            return OF_A_TYPE
        if not shape.keeps_text(before.text, shape.text(saved, arrays)):
            return IS_TEXT
        line = families.difference(before.family, families.of(saved, arrays), name)
        return None if line is None else _OF_ANOTHER.format(line)

    def read(self, name: str, saved: Any, restore: Restore) -> Callable[[], None] | None:
        """A function that sets the attribute; ``None`` if the object does not know the attribute.

        Raises:
            BrokenTreeError: A checkpoint may not give the attribute this value.
        """
        live = self._live
        where = f"{type(live).__name__}.{name}"
        if name not in self._names and is_script(live, name):
            raise errors.BrokenTreeError(
                f"the checkpoint has a value for {where}, which only the script sets"
            )
        saved = tags.renewed(saved)
        refusal = self._refusal(name, tags.without_new(saved), restore.arrays)
        if refusal == IS_NEW:
            return None
        if refusal is not None:
            raise _cannot_be(where, refusal)
        current = getattr(live, name, None)
        put = self.fitting(current, saved, where, restore)

        def set_attribute() -> None:
            value = put()
            if value is not current or name not in vars(live):
                setattr(live, name, value)

        return set_attribute

    @staticmethod
    def fitting(current: Any, saved: Any, where: str, restore: Restore) -> Callable[[], Any]:
        """A function that restores the value, and returns what is in its place from then on.

        Raises:
            BrokenTreeError: The value does not fit.
        """
        known = len(restore.differences)
        try:
            put = restore.one(current, saved, where)
        except errors.BrokenTreeError as error:
            raise errors.BrokenTreeError(f"{where}: {error}") from None
        found = restore.differences[known:]
        if found:
            raise errors.BrokenTreeError("; ".join(found))
        return put


def _cannot_be(where: str, refusal: str) -> errors.BrokenTreeError:
    return errors.BrokenTreeError(
        f"the checkpoint has a value for {where} that training cannot have set: it {refusal}"
    )


def take_object(value: Any, place: str, arrays: dict[str, AnyArray], *, exact: bool = False) -> Any:
    """Captures an object with a state of its own; the arrays go into `arrays`.

    Returns:
        JSON values, or the reason, as text, why its state cannot be saved.
    """
    capture = Capture(value, exact=exact)
    try:
        saved = capture.take(value, place)
    except errors.UnsupportedValueError as error:
        return _reason(error, place)
    # As in `Baseline.take`.
    except Exception as error:  # noqa: BLE001
        return f"{FAILED} ({failure(value, error):.200})"
    arrays.update(capture.arrays)
    return saved


def _before(value: Any) -> _Before | None:
    """The record of a value; ``None`` if the value has a type that cannot be saved."""
    capture = Capture(value, exact=True)
    try:
        saved = capture.take(value, "")
    # The state of an object is read by the user's own code.
    except Exception:  # noqa: BLE001
        return None
    arrays = capture.arrays
    return _Before(
        shape.digest_of(saved, arrays),
        shape.text(saved, arrays),
        shape.makers(saved, arrays),
        families.of(saved, arrays),
        _same_as(value) if is_changeable(value) else None,
    )


def _same_as(value: Any) -> Callable[[Any], bool]:
    """Whether another value is the same object as this one, which may be gone by then."""
    try:
        reference: Callable[[], Any] = weakref.ref(value)
    except TypeError:
        return lambda other: other is value
    return lambda other: other is reference()


def is_changeable(value: Any) -> bool:
    """Whether a restore can write into this array or container, which the script may share."""
    if isinstance(value, np.ndarray) or frameworks.framework(value) is not None:
        return changes_in_place(value)
    if type(value) is bytearray:
        return True
    if is_wrapper(value) or isinstance(value, type):
        return False
    opened = open_container(value)
    return opened is not None and opened.in_place


def _reason(error: errors.UnsupportedValueError, place: str) -> str:
    """The words for a value that cannot be captured, with its type and its place in the value."""
    where, reason = error.args
    inner = where.removeprefix(place).strip("/")
    what = reason.replace(" cannot be saved", "", 1)
    return f"{OF_A_TYPE} ({f'at {inner}: ' if inner else ''}{what})"
