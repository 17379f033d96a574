"""The rows of the table of Synalinks, in the form that `../zygote.py` asks for: the optimizers."""

import scenario


class Optimizer:
    backends = ("synalinks",)


SOURCES = dict.fromkeys(scenario.TRAININGS, Optimizer)
