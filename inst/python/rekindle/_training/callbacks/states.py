"""The state of the other callbacks, of Keras or of users."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rekindle._base.arrays import AnyArray
from rekindle._codec import kinds
from rekindle._codec.changeable import IS_NEW, Baseline, Taken, take_object
from rekindle._codec.restore import Restore
from rekindle._codec.tags import renewed
from rekindle._codec.tree import unflatten
from rekindle._training.callbacks import beside, identity, table
from rekindle._training.changes import A_CALLBACK
from rekindle.errors import BrokenTreeError

# Follows the attribute's name in a message.
_NOT_KERAS = "has a value that Keras does not give it, and that a resume therefore does not restore"

Puts = list[Callable[[], Any]]


class CallbackStates:
    """The other callbacks of one fit(), from the moment when all have reset themselves.

    An attribute is state only if its value differs from the value at that moment. No checkpoint
    changes the values that the script sets.

    Args:
        callbacks: The callbacks, in their order. rekindle recognizes a callback by its class, by
            what the script has set, and by its place among the callbacks of that class.
    """

    def __init__(self, callbacks: list[Any]) -> None:
        self._callbacks: dict[str, Any] = {}
        for callback in callbacks:
            name, again = type(callback).__name__, 1
            while name in self._callbacks:
                again += 1
                name = f"{type(callback).__name__}#{again}"
            self._callbacks[name] = callback
        self._baseline = {
            name: Baseline(table.attributes(callback), callback)
            for name, callback in self._callbacks.items()
            if not kinds.has_state_dict(callback)
        }
        self._identities = {
            name: identity.of(
                callback, self._set_up(name), only_watches=table.only_watches(type(callback))
            )
            for name, callback in self._callbacks.items()
        }
        self._beside = {name: beside.Beside(self._callbacks[name]) for name in self._baseline}

    def _set_up(self, name: str) -> dict[str, str]:
        """Digests of the attributes that the script has set; not of the state of Keras' classes."""
        kind = type(self._callbacks[name])
        digests = self._baseline[name].digests if name in self._baseline else {}
        return {key: found for key, found in digests.items() if table.is_users(kind, key)}

    def take(self, arrays: dict[str, AnyArray]) -> tuple[dict[str, Any], dict[str, str]]:
        """Captures the states by name, and the reason for each attribute that cannot be restored.

        The reasons are by ``Class.attribute``, with words that follow this name in a message.
        """
        lost: dict[str, str] = {}
        states = {
            name: {"identity": found, **self._take_one(name, arrays, lost)}
            for name, found in self._identities.items()
        }
        return states, lost

    def _take_one(
        self, name: str, arrays: dict[str, AnyArray], lost: dict[str, str]
    ) -> dict[str, Any]:
        callback, place = self._callbacks[name], f"callbacks/{name}"
        state: dict[str, Any] = {}
        if name not in self._baseline:
            found = take_object(callback, place, arrays)
            if isinstance(found, str):
                lost[f"{type(callback).__name__}.state_dict()"] = found
                return state
            return {"object": found}
        for key, value in table.attributes(callback).items():
            taken = self._baseline[name].take(key, value, f"{place}/{key}")
            fits = table.rule(type(callback), key)
            if isinstance(taken, Taken) and fits is not None and not fits(value):
                taken = _NOT_KERAS
            if isinstance(taken, str):
                lost[f"{type(callback).__name__}.{key}"] = taken
            elif taken is not None:
                state.setdefault("attributes", {})[key] = taken.saved
                arrays.update(taken.arrays)
        found_beside = self._beside[name].take(place, arrays)
        return state | ({"beside": found_beside} if found_beside is not None else {})

    def read(self, states: Any, restore: Restore) -> tuple[Puts, list[str]]:
        """Checks the states, and changes nothing.

        Returns:
            Functions that restore them, after the states of `restore`; and a sentence for each
            state that is not used.

        Raises:
            BrokenTreeError: A state is not a captured state.
        """
        notes: list[str] = []
        if not isinstance(states, dict):
            raise BrokenTreeError("the states of the callbacks are not an object")
        for name, state in states.items():
            if not isinstance(state, dict):
                raise BrokenTreeError(f"the state of the callback {name!r} is not an object")
        saved = {name: state.get("identity") for name, state in states.items()}
        puts: Puts = []
        for name, live in identity.match(saved, self._identities).items():
            if live is not None:
                puts += self._read_one(live, states[name], restore, notes)
            elif states[name].keys() != {"identity"}:
                notes += self._not_used(name, saved[name])
        return puts, notes

    def _not_used(self, name: str, saved: Any) -> list[str]:
        kind, shown = identity.class_of(name), identity.described(name, saved)
        if any(identity.class_of(one) == kind for one in self._callbacks):
            return [
                f"{A_CALLBACK}{shown} may be any of those of its class in the list, whose set-up"
                " has changed, so its state was not used"
            ]
        if identity.may_be_left_out(saved):
            return []
        return [f"{A_CALLBACK}{shown} is no longer in the list, so its state was not used"]

    def _read_one(
        self, name: str, state: dict[str, Any], restore: Restore, notes: list[str]
    ) -> Puts:
        callback, puts = self._callbacks[name], Puts()
        if "object" in state:
            saved = renewed(state["object"])
            puts.append(Baseline.fitting(callback, saved, f"the callback {name}", restore))
        if name not in self._baseline:
            return puts
        for key, saved in state.get("attributes", {}).items():
            if key in table.transient(type(callback)):
                continue
            where = f"{type(callback).__name__}.{key}"
            if not table.may_be_state(type(callback), key):
                raise BrokenTreeError(
                    f"the checkpoint has a value for {where}, which only the script sets"
                )
            put = self._baseline[name].read(key, saved, restore)
            fits = table.rule(type(callback), key)
            if fits is not None and not fits(unflatten(saved, restore.arrays)):
                raise BrokenTreeError(
                    f"the checkpoint has a value for {where} that training cannot have set"
                )
            if put is None:
                notes.append(f"{where} {IS_NEW}, so its saved value was not used")
            else:
                puts.append(put)
        if "beside" in state:
            puts.append(self._beside[name].read(state["beside"], restore.arrays))
        return puts
