"""A program with one generator, its data, and runs of it in this process."""

from __future__ import annotations

import asyncio
import json

import synalinks
from scenario import Answer, Query, data

from rekindle._synalinks import variables
from rekindle.synalinks import BackupAndRestore

# 6 samples for training, in 3 batches, and 2 for validation.
SAMPLES = 8
FIT = {"batch_size": 2, "minibatch_size": None, "validation_split": 0.25, "verbose": 0}
BATCHES = 3


class Interrupted(Exception):  # noqa: N818  # A fact, not a fault.
    """Stands for any error in the middle of training."""


class Interrupt(synalinks.callbacks.Callback):
    """Ends the fit() by an exception after so many batches of an epoch, or at the end of one."""

    def __init__(self, epoch, batch=None):
        super().__init__()
        self.place = (epoch, batch)
        self.epoch = 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch + 1) == self.place:
            raise Interrupted

    def on_epoch_end(self, epoch, logs=None):
        if (epoch, None) == self.place:
            raise Interrupted


def make(optimizer=None, *, metrics=None, fields=Answer):
    async def build():
        model = synalinks.LanguageModel(model="ollama/mistral", retry=1)
        inputs = synalinks.Input(data_model=Query)
        generator = synalinks.Generator(data_model=fields, language_model=model, name="generator")
        program = synalinks.Program(
            inputs=inputs, outputs=await generator(inputs), name="small", description="Asks"
        )
        program.compile(
            optimizer=optimizer or synalinks.optimizers.RandomFewShot(name="few"),
            reward=synalinks.rewards.ExactMatch(in_mask=["answer"]),
            metrics=metrics,
        )
        return program

    return asyncio.run(build())


def fit(program, callbacks, epochs=3, **more):
    x, y = (one[:SAMPLES] for one in data())
    arguments = FIT | {"epochs": epochs, "callbacks": callbacks} | more
    return asyncio.run(program.fit(x, y, **arguments))


def state(program):
    """Everything of a program that training changes, as text."""
    found = [*variables.of_program(program), *variables.of_optimizer(program.optimizer)]
    return json.dumps([one.get_json() for one in found], sort_keys=True)


def backup(folder, **more):
    return BackupAndRestore(folder, **({"restore_history": True} | more))


def seed():
    synalinks.set_seed(5)
