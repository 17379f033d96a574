"""Forms in which earlier versions saved the state of objects, and in which it is still read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rekindle._codec.tags import pairs_of, tag, tagged


def as_variables(
    owner: Any, variables: Mapping[str, Any], saved: Any
) -> tuple[Mapping[str, Any], Any]:
    """The live variables that were saved, and the saved ones by name, if they had another form.

    Args:
        owner: The live object.
        variables: Its variables by name.
        saved: What the checkpoint has for it.
    """
    kind, content = tagged(saved)
    if kind != "object" or not isinstance(content, list) or len(content) != 2:
        return variables, saved
    form, state = content
    if form == "keras.variables" and isinstance(state, list):
        names = {id(variable): name for name, variable in variables.items()}
        own = [names[id(variable)] for variable in owner.variables]
        # The names of those that are missing do not matter.
        more = [f"variable {index}" for index in range(len(own), len(state))]
        # The optimizer of a model was left out.
        known = {name: variables[name] for name in own}
        return known, tag("variables", dict(zip([*own, *more], state, strict=False)))
    pairs = pairs_of(state) if form == "state_dict" and hasattr(owner, "named_parameters") else None
    if pairs is None:
        return variables, saved
    return variables, tag("variables", {str(name): item for name, item in pairs})
