"""Which random operations of a traced function keep their state where nothing can read it."""

from __future__ import annotations

import weakref
from typing import Any

# The operations that keep their state in a kernel. Those without a counterpart stay as they are.
STATEFUL = frozenset(
    {
        "Multinomial",
        "ParameterizedTruncatedNormal",
        "RandomGamma",
        "RandomPoisson",
        "RandomPoissonV2",
        "RandomShuffle",
        "RandomStandardNormal",
        "RandomUniform",
        "RandomUniformInt",
        "SampleDistortedBoundingBox",
        "SampleDistortedBoundingBoxV2",
        "StatefulStandardNormal",
        "TruncatedNormal",
    }
)

# For each function, how often it was traced, and what was found in it then.
_found: weakref.WeakKeyDictionary[Any, tuple[int, list[str]]] = weakref.WeakKeyDictionary()


def left_over(function: Any) -> list[str]:
    """The types of the random operations in a traced function that keep a state in a kernel."""
    traced = function._list_all_concrete_functions()
    known = _found.get(function)
    if known is not None and known[0] == len(traced):
        return known[1]
    types: set[str] = set()
    for concrete in traced:
        definition = concrete.graph.as_graph_def()
        types |= {node.op for node in definition.node}
        types |= {node.op for inner in definition.library.function for node in inner.node_def}
    found = sorted(types & STATEFUL)
    _found[function] = len(traced), found
    return found
