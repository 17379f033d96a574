"""One training run of Synalinks: kills itself at a given point, resumes, writes a report.

    scenario.py '{"source": "OMEGA", "save_freq": 1, "folder": "a", "kill": ["begin", 2, 1]}'

The same as `../scenario.py`, for Synalinks. A language model is a function here, or a server. With
"signal": "SIGTERM", the run does not kill itself at this point, but is asked to end.
"""

from __future__ import annotations

import os

# Before Synalinks is imported: litellm would fetch a list of prices.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import asyncio
import hashlib
import json
import pathlib
import random
import signal
import sys
import warnings

import local_model
import numpy as np
import synalinks

import rekindle.synalinks
from rekindle._synalinks import internals, variables
from rekindle.errors import RekindleWarning

EPOCHS = 3
# rekindle.synalinks imports none of them.
FRAMEWORKS = ("keras", "tf_keras", "torch", "tensorflow", "jax")


class Query(synalinks.DataModel):
    query: str


class Answer(synalinks.DataModel):
    rationale: str
    answer: str


class Killer(synalinks.callbacks.Callback):
    """Kills the process at a point such as ["begin", epoch, batch] or ["validation", epoch].

    It also notes how many calls of language models were made by each such point.
    """

    def __init__(self, kill, calls, end):
        super().__init__()
        self.kill_at = tuple(kill or ())
        self.calls = calls
        self.end = end
        self.current = 0
        self.made = {}

    def _at(self, *place):
        self.made[json.dumps(place)] = local_model.calls_in(self.calls)
        if place == self.kill_at:
            self.end()

    def on_epoch_begin(self, epoch, logs=None):
        self.current = epoch

    def on_test_begin(self, logs=None):
        self._at("validation", self.current)

    def on_epoch_end(self, epoch, logs=None):
        self._at("epoch_end", epoch)


class BatchKiller(Killer):
    """The same with hooks of batches: Synalinks then calls all such hooks on its own thread."""

    def on_train_batch_begin(self, batch, logs=None):
        self._at("begin", self.current, batch)

    def on_train_batch_end(self, batch, logs=None):
        self._at("end", self.current, batch)


def end_of(config):
    """The function that ends this process, or asks it to end."""
    number = getattr(signal, config.get("signal", "SIGKILL"))
    return lambda: os.kill(os.getpid(), number)


class Recorder(synalinks.callbacks.Callback):
    """A user's own callback, with state in lists, counters and a random generator."""

    def __init__(self):
        super().__init__()
        self.rewards = []
        self.draws = []
        self.noise = np.random.default_rng(11)

    def on_epoch_begin(self, epoch, logs=None):
        self.draws.append(float(np.random.rand() + random.random()))

    def on_epoch_end(self, epoch, logs=None):
        self.rewards.append(logs["val_reward"])
        self.draws.append(float(self.noise.normal()))


class Longer(synalinks.optimizers.RandomFewShot):
    """A user's own optimizer, with plain attributes that training changes."""

    def __init__(self):
        super().__init__(sampling="random", nb_min_examples=2)
        self.tried = []
        self.count = 0

    async def propose_new_candidates(self, step, trainable_variables, **more):
        self.count += 1
        self.tried.append([step, self.count, random.random()])
        await super().propose_new_candidates(step, trainable_variables, **more)


class Marking(synalinks.Module):
    """A user's own module: it counts its calls, in a variable and in an attribute."""

    class Seen(synalinks.DataModel):
        seen: int = 0

    def __init__(self):
        super().__init__(name="marking")
        self.variable = self.add_variable(data_model=Marking.Seen, trainable=False, name="seen")
        self.calls = 0

    async def call(self, inputs, training=False):
        self.calls += 1
        self.variable.update({"seen": self.variable.get("seen") + 1})
        return inputs.clone()

    async def compute_output_spec(self, inputs, training=False):
        return inputs.clone()


def new_optimizer(name, model, embedding):
    if name == "RandomFewShot":
        return synalinks.optimizers.RandomFewShot()
    if name == "RandomFewShot, best":
        return synalinks.optimizers.RandomFewShot(sampling="best", population_size=3)
    if name == "own class":
        return Longer()
    more = {"merging_rate": 0.5, "language_model": model, "embedding_model": embedding}
    if name == "OMEGA, ga":
        return synalinks.optimizers.OMEGA(algorithm="ga", use_chain_of_thought=False, **more)
    return synalinks.optimizers.OMEGA(population_size=4, nb_hard_examples=2, **more)


# What a run may differ in, beside the frequency of its saves.
TRAININGS = ("RandomFewShot", "RandomFewShot, best", "OMEGA", "OMEGA, ga", "own class")


async def make_program(config):
    served = {"model": "openai/local", "api_base": config.get("server"), "retry": 4}
    model = synalinks.LanguageModel(
        **(served if config.get("server") else {"model": "ollama/mistral", "retry": 1})
    )
    embedding = synalinks.EmbeddingModel(model="ollama/mxbai-embed-large")
    inputs = synalinks.Input(data_model=Query)
    marked = await Marking()(inputs)
    first = synalinks.Generator(data_model=Answer, language_model=model, name="first")
    second = synalinks.Generator(data_model=Answer, language_model=model, name="second")
    outputs = await second(await first(marked))
    program = synalinks.Program(inputs=inputs, outputs=outputs, name="capitals", description="Asks")
    program.compile(
        optimizer=new_optimizer(config["source"], model, embedding),
        reward=synalinks.rewards.ExactMatch(in_mask=["answer"]),
        metrics=[
            synalinks.metrics.MeanMetricWrapper(synalinks.rewards.exact_match, in_mask=["answer"]),
            synalinks.metrics.TotalTokens(),
        ],
    )
    return program, model


def data():
    x = np.array([Query(query=f"The capital of {one}?") for one in local_model.CAPITALS], "object")
    capitals = local_model.CAPITALS.values()
    y = np.array([Answer(rationale="", answer=one) for one in capitals], "object")
    return x, y


def backup_of(config, folder):
    path, freq = os.path.join(folder, "backup"), config["save_freq"]
    if config.get("theirs"):
        return synalinks.callbacks.BackupAndRestore(path, save_freq=freq, double_checkpoint=True)
    return rekindle.synalinks.BackupAndRestore(
        path,
        save_freq=freq,
        background=config.get("background", True),
        restore_history=True,
        **config.get("more", {}),
    )


def others(config, folder):
    by_batch = config["save_freq"] != "epoch"
    found = [
        synalinks.callbacks.EarlyStopping(patience=9, stop_at=9.0, restore_best_variables=True),
        synalinks.callbacks.ProgramCheckpoint(
            os.path.join(folder, "best.variables.json"),
            save_variables_only=True,
            save_best_only=True,
        ),
        synalinks.callbacks.CSVLogger(os.path.join(folder, "log.csv")),
    ]
    if by_batch:
        found.append(synalinks.callbacks.BudgetStopping(max_tokens=config.get("budget", 10**9)))
    kind = BatchKiller if by_batch else Killer
    return [*found, kind(config.get("kill"), os.path.join(folder, "calls"), end_of(config))]


def main(config):
    folder = config["folder"]
    os.makedirs(folder, exist_ok=True)
    pathlib.Path(folder, "pid").write_text(str(os.getpid()))
    calls = os.path.join(folder, "calls")
    kill = config.get("kill") or ()
    if not config.get("server"):
        local_model.install(calls, kill[1] if kill[:1] == ["call"] else None, end_of(config))
    random.seed(5)
    np.random.seed(5)
    report, made = asyncio.run(train(config, folder))
    pathlib.Path(folder, "report.json").write_text(json.dumps(report, sort_keys=True))
    made["all"] = local_model.calls_in(calls)
    pathlib.Path(folder, "made.json").write_text(json.dumps(made))


async def train(config, folder):
    program, model = await make_program(config)
    x, y = (one[: config.get("samples")] for one in data())
    backup, recorder, more = backup_of(config, folder), Recorder(), others(config, folder)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        history = await program.fit(
            x,
            y,
            batch_size=config.get("batch_size", 3),
            minibatch_size=config.get("minibatch_size"),
            epochs=config.get("epochs", EPOCHS),
            validation_split=0.2,
            callbacks=[recorder, backup, *more],
            verbose=0,
        )
    resumed = getattr(backup, "resume_report", None)
    if resumed is not None:
        with open(os.path.join(folder, "resumed.jsonl"), "a") as file:
            file.write(json.dumps(resumed) + "\n")
    found = report_of(program, model, history, recorder, more)
    found["log"] = pathlib.Path(folder, "log.csv").read_text()
    found["told"] = [str(one.message) for one in told if issubclass(one.category, RekindleWarning)]
    return found, more[-1].made


def report_of(program, model, history, recorder, more):
    early, best = more[0], more[1]
    inner = variables.of_optimizer(program.optimizer)
    return {
        "variables": digest_of([one.get_json() for one in variables.of_program(program)]),
        "optimizer": digest_of([one.get_json() for one in inner]),
        "hard examples": digest_of(getattr(program.optimizer, "_difficulty", None)),
        "own attributes": [getattr(program.optimizer, name, None) for name in ("tried", "count")],
        "calls of a module": program.get_module("marking").calls,
        "history": [history.epoch, history.history],
        "EarlyStopping": [
            early.best,
            early.best_epoch,
            early.wait,
            digest_of(early.best_variables),
        ],
        "ProgramCheckpoint": best.best,
        "own callback": [recorder.rewards, recorder.draws, float(recorder.noise.normal())],
        "frameworks": sorted(
            {"keras", "tf_keras", "torch", "tensorflow", "jax"} & set(sys.modules)
        ),
        "next draws": [random.random(), float(np.random.rand())],
        "tokens": [model.cumulated_calls, model.cumulated_tokens, model.inference_cumulated_calls],
        "invocations": [
            getattr(one, "cumulated_invocations", None) for one in internals.modules(program)
        ],
    }


def digest_of(value):
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
