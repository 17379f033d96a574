"""fit() of Synalinks under backup, interrupted by an exception and resumed in the same process."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import random

import litellm
import numpy as np
import pytest
import synalinks
from scenario import Answer, Longer, Query
from small_program import BATCHES, FIT, Interrupt, Interrupted, backup, fit, make, seed, state

import rekindle
from rekindle import inspection
from rekindle.synalinks import BackupAndRestore

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")


def interrupted_and_resumed(folder, place, make_program=make, save_freq=1, more=(), **fit_more):
    seed()
    with pytest.raises(Interrupted):
        fit(make_program(), [backup(folder, save_freq=save_freq), Interrupt(*place)], **fit_more)
    program = make_program()
    callback = backup(folder, save_freq=save_freq)
    history = fit(program, [callback, *more, Interrupt(9)], **fit_more)
    return program, history, callback


def never_interrupted(make_program=make, **fit_more):
    seed()
    program = make_program()
    history = fit(program, [], **fit_more)
    return program, history


@pytest.mark.parametrize(
    ("place", "save_freq", "resumes_at"),
    [
        ((1, 2), 1, (1, 1)),
        ((1, BATCHES), "epoch", (1, 0)),
        ((1, None), BATCHES, (1, BATCHES)),
    ],
)
def test_a_resumed_run_is_the_run_never_interrupted(backup_dir, place, save_freq, resumes_at):
    expected, history = never_interrupted()
    draws = random.random(), np.random.rand()
    # The interruption itself comes after the save of the same batch, or before it.
    program, resumed, callback = interrupted_and_resumed(backup_dir, place, save_freq=save_freq)
    report = callback.resume_report
    assert (report["epoch"], report["batch"]) in (resumes_at, (place[0], place[1]))
    assert report["notes"] == []
    assert state(program) == state(expected)
    assert resumed.history == history.history
    assert resumed.epoch == history.epoch
    assert (random.random(), np.random.rand()) == draws
    assert not backup_dir.exists()


def test_the_population_survives_where_a_fit_begins_by_emptying_it(backup_dir):
    program, _, _ = interrupted_and_resumed(backup_dir, (2, 1), save_freq="epoch")
    assert program.trainable_variables[0].get("best_candidates")
    # The next fit() of this program begins at its own first epoch, with hooks of its own.
    assert program._initial_epoch is None
    assert "on_train_begin" not in vars(program.optimizer)
    assert fit(program, [], epochs=1).epoch == [0]


def test_attributes_of_a_users_optimizer_come_back(backup_dir):
    def own():
        return make(Longer())

    expected, _ = never_interrupted(own)
    program, _, _ = interrupted_and_resumed(backup_dir, (1, 3), own)
    assert program.optimizer.tried == expected.optimizer.tried
    assert len(program.optimizer.tried) == 3 * BATCHES


def test_what_a_run_has_spent_counts_on(backup_dir):
    def counting():
        return make(metrics=[synalinks.metrics.TotalTokens()])

    expected, history = never_interrupted(counting)
    budget = synalinks.callbacks.BudgetStopping(max_tokens=10**9)
    program, resumed, _ = interrupted_and_resumed(backup_dir, (1, 3), counting, more=[budget])
    spent = program.get_module("generator").language_model.cumulated_tokens
    assert spent == expected.get_module("generator").language_model.cumulated_tokens
    assert budget.spent_tokens == spent
    assert resumed.history == history.history


class Spending(synalinks.callbacks.Callback):
    """Notes the tokens that were spent by the end of each batch."""

    def __init__(self):
        super().__init__()
        self.tokens = {}
        self.epoch = 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        model = self.program.get_module("generator").language_model
        self.tokens[self.epoch, batch] = model.cumulated_tokens


def test_a_budget_that_was_spent_ends_the_resumed_run_at_the_same_batch(backup_dir):
    def stopping():
        return synalinks.callbacks.BudgetStopping(max_tokens=spending.tokens[1, 1] - 1)

    # Prompts differ between versions of Synalinks.
    seed()
    spending = Spending()
    fit(make(), [spending])
    seed()
    program = make()
    ended = stopping()
    history = fit(program, [ended])
    assert (ended.stopped_epoch, ended.stopped_batch) == (1, 1)
    seed()
    place = (ended.stopped_epoch, ended.stopped_batch)
    with pytest.raises(Interrupted):
        fit(make(), [backup(backup_dir, save_freq=1), stopping(), Interrupt(*place)])
    again, resumed = stopping(), make()
    found = fit(resumed, [backup(backup_dir, save_freq=1), again])
    assert (again.stopped_epoch, again.stopped_batch) == (ended.stopped_epoch, ended.stopped_batch)
    assert found.history == history.history
    assert state(resumed) == state(program)


class Batches:
    """Gives seven batches, again and again."""

    def __iter__(self):
        for number in range(7):
            yield (
                np.array([Query(query=f"Number {number}: the capital of Peru?")], object),
                np.array([Answer(rationale="", answer="Lima")], object),
            )


def test_steps_per_epoch_continue_in_the_middle_of_the_data(backup_dir):
    more = {"batch_size": None, "steps_per_epoch": 3, "epochs": 2}
    more |= {"validation_split": 0, "validation_data": next(iter(Batches()))}

    def run(callbacks):
        program = make()
        arguments = FIT | more | {"callbacks": callbacks}
        return program, asyncio.run(program.fit(Batches(), **arguments))

    seed()
    expected, history = run([])
    seed()
    with pytest.raises(Interrupted):
        run([backup(backup_dir, save_freq=1), Interrupt(1, 2)])
    program, resumed = run([backup(backup_dir, save_freq=1)])
    assert state(program) == state(expected)
    assert resumed.history == history.history


def test_a_complete_backup_runs_no_epoch_and_gives_the_same_program(backup_dir):
    seed()
    program = make()
    fit(program, [backup(backup_dir, delete_checkpoint=False)])
    again = make()
    history = fit(again, [backup(backup_dir, delete_checkpoint=False)])
    assert history.epoch == [0, 1, 2]
    assert state(again) == state(program)


def test_stages_of_one_script_are_told_apart(backup_dir):
    def script(interrupt):
        program = make()
        keep = {"delete_checkpoint": False, "save_freq": 1}
        with contextlib.nullcontext() if interrupt else pytest.warns(rekindle.RekindleWarning):
            fit(program, [backup(backup_dir, **keep)], epochs=1)
        more = [Interrupt(1, 2)] if interrupt else []
        fit(program, [backup(backup_dir, **keep), *more], epochs=3, initial_epoch=1)
        return program

    seed()
    expected = make()
    fit(expected, [], epochs=1)
    fit(expected, [], epochs=3, initial_epoch=1)
    seed()
    with pytest.raises(Interrupted):
        script(interrupt=True)
    assert state(script(interrupt=False)) == state(expected)


def test_a_minibatch_without_a_seed_is_said(backup_dir):
    with pytest.warns(rekindle.InexactWarning, match="minibatch_size=None"):
        fit(make(), [backup(backup_dir)], epochs=1, minibatch_size=1)


def test_another_program_is_refused(backup_dir):
    seed()
    with pytest.raises(Interrupted):
        fit(make(), [backup(backup_dir, save_freq=1), Interrupt(0, 2)])
    before = {path.name: path.read_bytes() for path in backup_dir.iterdir()}

    with pytest.raises(rekindle.MismatchError, match="language models"):
        fit(make(synalinks.optimizers.OMEGA(
            language_model=synalinks.LanguageModel(model="ollama/other"), algorithm="ga")),
            [backup(backup_dir, save_freq=1)])  # fmt: skip
    with pytest.raises(rekindle.MismatchError):
        fit(make(), [backup(backup_dir, save_freq=1)], batch_size=3)
    after = {path.name: path.read_bytes() for path in backup_dir.iterdir()}
    # The witness notes how the interrupted fit() has ended once rekindle knows it.
    checkpoints = [name for name in before if name.startswith("ckpt-")]
    assert checkpoints
    assert [after[name] for name in checkpoints] == [before[name] for name in checkpoints]


def test_two_callbacks_in_one_fit_are_refused(backup_dir, tmp_path):
    theirs = synalinks.callbacks.BackupAndRestore(str(tmp_path / "theirs"))
    with pytest.raises(rekindle.ArgumentError, match="Synalinks' own callback"):
        fit(make(), [backup(backup_dir), theirs])


def test_a_version_that_lacks_a_name_is_refused_before_training(backup_dir, monkeypatch, calls):
    program = make()
    for base in synalinks.Program.__mro__:
        if "_get_metrics_result_or_logs" in vars(base):
            monkeypatch.delattr(base, "_get_metrics_result_or_logs")
    with pytest.raises(rekindle.DependencyError, match="_get_metrics_result_or_logs"):
        fit(program, [backup(backup_dir)])
    assert not calls.exists()


@pytest.mark.parametrize("version", ["0.9.015", "0.10.001", "0.10.002"])
def test_an_older_version_is_refused_before_training(backup_dir, monkeypatch, calls, version):
    program = make()
    monkeypatch.setattr(synalinks, "__version__", version)
    with pytest.raises(rekindle.DependencyError, match=rf"{version} is too old.*0\.10\.3"):
        fit(program, [backup(backup_dir)])
    assert not calls.exists()


def test_a_fit_that_waits_for_a_language_model_is_known_to_run(backup_dir, monkeypatch):
    seen = []
    answer = litellm.acompletion
    program, callback = make(), backup(backup_dir, save_freq=1)

    async def look(**asked):
        # Another task: fit() itself is on no stack.
        trainer = callback._tail._trainer_of_fit
        seen.append(await asyncio.create_task(_ask(trainer)))
        return await answer(**asked)

    async def _ask(trainer):
        return trainer.is_training()

    monkeypatch.setattr(litellm, "acompletion", look)
    trainer_of = []
    fit(program, [callback, _Keep(trainer_of, callback)], epochs=1)
    assert seen
    assert all(seen)
    assert not trainer_of[0].is_training()


class _Keep(synalinks.callbacks.Callback):
    def __init__(self, found, callback):
        super().__init__()
        self.found = found
        self.callback = callback

    def on_epoch_begin(self, epoch, logs=None):
        self.found[:] = [self.callback._tail._trainer_of_fit]


def test_the_folder_can_be_looked_into(backup_dir):
    seed()
    with pytest.raises(Interrupted):
        fit(make(), [backup(backup_dir, save_freq=1), Interrupt(1, 3)])
    info = inspection.info(backup_dir)
    assert info.saves[-1].epoch == 1
    history = inspection.history(backup_dir)
    assert "reward" in str(history)


def test_the_arguments_and_defaults_are_those_of_synalinks():
    theirs = inspect.signature(synalinks.callbacks.BackupAndRestore).parameters
    ours = inspect.signature(BackupAndRestore).parameters
    assert list(ours)[: len(theirs)] == list(theirs)
    assert all(ours[name].default == theirs[name].default for name in theirs)
