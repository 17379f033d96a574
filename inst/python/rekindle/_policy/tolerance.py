"""How exactly a resumed run has to repeat the interrupted one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from rekindle._base import checks

THEN = ("warn", "raise", "ignore")


@dataclass(frozen=True)
class Tolerance:
    """Which losses of a resumed run count as those of the interrupted run, and what to do if not.

    Args:
        relative: float from 0 up. The largest relative difference of two losses that count as
            equal. On a GPU, sums may come in another order each time; 1e-5 suits single precision.
            Batches of data are always compared bit for bit. Defaults to 0: bit for bit.
        then: ``"warn"``, ``"raise"`` or ``"ignore"``. What to do at the first difference. With
            ``"warn"``, rekindle gives an ``InexactWarning``, once. With ``"raise"``, it ends
            training with a ``MismatchError``; the checkpoints stay. With ``"ignore"``, it only
            notes the difference in ``resume_report``. Defaults to ``"warn"``.

    Raises:
        ArgumentError: (a ``ValueError``) An argument is not of the accepted form.

    Example::

        rekindle.Tolerance(1e-5, then="raise")
    """

    relative: float = 0.0
    then: str = "warn"

    def __post_init__(self) -> None:
        given = self.relative
        if not checks.is_number(given) or not 0 <= given < math.inf:
            raise checks.invalid("relative", given, "a number from 0 up, such as 1e-5")
        object.__setattr__(self, "relative", float(given))
        checks.choice("then", self.then, THEN)


def tolerance_of(name: str, value: Any) -> Tolerance:
    """The tolerance that an argument of this name stands for.

    Raises:
        ArgumentError: The argument is neither a tolerance nor what to do at a difference.
    """
    if isinstance(value, Tolerance):
        return value
    if not isinstance(value, str) or value not in THEN:
        expected = "'warn', 'raise', 'ignore' or a rekindle.Tolerance"
        raise checks.invalid(name, value, expected)
    return Tolerance(then=value)
