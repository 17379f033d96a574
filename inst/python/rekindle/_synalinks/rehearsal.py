"""Finds, when a checkpoint is taken, state that a resumed run could not restore."""

from __future__ import annotations

from typing import Any

from rekindle._synalinks import variables


class Rehearsal:
    """Watches for new variables of a program and its optimizer, from the first step on.

    Building the optimizer makes those of the first step. Those of a later step cannot be made
    before it.

    Args:
        program: The compiled program, at the beginning.
    """

    def __init__(self, program: Any) -> None:
        self._program = program
        self._known: dict[int, Any] = {}
        self._is_first = True

    def _variables(self) -> list[Any]:
        optimizer = self._program.optimizer
        own = [] if optimizer is None else variables.of_optimizer(optimizer)
        return [*variables.of_program(self._program), *own]

    def step_ended(self) -> None:
        """At least one step has been trained."""
        if self._is_first:
            self._is_first = False
            self._known = {id(one): one for one in self._variables()}

    def unknown(self) -> list[str]:
        """Names of variables that a fresh start would not have; each is given once."""
        self.step_ended()
        new = {id(one): one for one in self._variables() if id(one) not in self._known}
        self._known |= new
        return [str(one.path) for one in new.values()]

    def other_optimizers(self) -> list[str]:
        """None: a program has one optimizer."""
        return []
