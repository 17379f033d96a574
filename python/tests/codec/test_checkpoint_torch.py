"""PyTorch's modules, optimizers, schedulers and generators."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from alike import same

import rekindle
from rekindle import Checkpoint


class Tied(torch.nn.Module):
    """Has two names for one weight, a buffer, an unsaved buffer, and state that is not a tensor."""

    def __init__(self):
        super().__init__()
        self.encode = torch.nn.Linear(3, 3, bias=False)
        self.decode = torch.nn.Linear(3, 3)
        self.decode.weight = self.encode.weight
        self.norm = torch.nn.BatchNorm1d(3)
        self.register_buffer("scratch", torch.zeros(2), persistent=False)
        self.seen = {"steps": 0, "scale": torch.ones(2)}

    def forward(self, x):
        return self.decode(self.norm(self.encode(x)))

    def get_extra_state(self):
        return self.seen

    def set_extra_state(self, state):
        self.seen = state


OPTIMIZERS = {
    "Adam": lambda p: torch.optim.Adam(p, lr=0.05, amsgrad=True),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.05, weight_decay=0.1),
    "SGD with momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    "RMSprop": lambda p: torch.optim.RMSprop(p, lr=0.01, centered=True),
    "Adagrad": lambda p: torch.optim.Adagrad(p, lr=0.05),
}


class Run:
    """A module, its optimizer and its scheduler."""

    def __init__(self, optimizer="Adam", seed=0):
        torch.manual_seed(seed)
        self.model = Tied()
        self.optimizer = OPTIMIZERS[optimizer](self.model.parameters())
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, 20)

    def checkpoint(self):
        return Checkpoint(model=self.model, optimizer=self.optimizer, schedule=self.schedule)

    def train(self, steps):
        data = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
        for _ in range(steps):
            self.optimizer.zero_grad()
            (self.model(torch.from_numpy(data)) ** 2).mean().backward()
            self.optimizer.step()
            self.schedule.step()
            self.model.seen["steps"] += 1

    def state(self):
        return {
            "model": dict(self.model.state_dict()),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
        }


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_run_goes_on_in_fresh_objects_as_if_it_had_not_been_interrupted(home, optimizer):
    run = Run(optimizer)
    run.train(5)
    path = run.checkpoint().save(f"{home}/ckpt")
    other = Run(optimizer, seed=1)
    weight = other.model.encode.weight
    other.checkpoint().restore(path).assert_consumed()
    assert same(other.state(), run.state())
    assert other.model.encode.weight is weight is other.model.decode.weight
    run.train(5)
    other.train(5)
    assert same(other.state(), run.state())


def test_an_optimizer_that_has_run_already_takes_the_state_too(home):
    run, other = Run(), Run(seed=1)
    run.train(3)
    path = run.checkpoint().save(f"{home}/ckpt")
    other.train(7)
    other.checkpoint().restore(path).assert_consumed()
    assert same(other.state(), run.state())


def test_an_optimizer_that_has_not_run_yet_comes_back_as_such(home):
    run, other = Run(), Run(seed=1)
    path = run.checkpoint().save(f"{home}/ckpt")
    other.train(2)
    other.checkpoint().restore(path).assert_consumed()
    assert same(other.state(), run.state())
    run.train(2)
    other.train(2)
    assert same(other.state(), run.state())


def test_state_that_is_restored_is_not_shared_between_objects(home):
    run = Run()
    run.train(2)
    path = run.checkpoint().save(f"{home}/ckpt")
    first, second = Run(seed=1), Run(seed=2)
    first.checkpoint().restore(path)
    second.checkpoint().restore(path)
    before = repr(second.state())
    first.train(3)
    assert repr(second.state()) == before


def test_the_extra_state_of_inner_modules_and_what_is_not_saved(home):
    run, other = torch.nn.Sequential(Tied(), Tied()), torch.nn.Sequential(Tied(), Tied())
    run[1].seen["steps"] = 9
    run[1].scratch.fill_(5.0)
    path = Checkpoint(model=run).save(f"{home}/ckpt")
    other[1].scratch.fill_(7.0)
    Checkpoint(model=other).restore(path).assert_consumed()
    assert (other[0].seen["steps"], other[1].seen["steps"]) == (0, 9)
    assert same(other[1].seen["scale"], torch.ones(2))
    assert other[1].scratch.tolist() == [7.0, 7.0]


@pytest.mark.parametrize("name", ["StepLR", "OneCycleLR", "ReduceLROnPlateau", "SequentialLR"])
def test_schedulers_go_on_where_they_were(home, name):
    def make():
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        kinds = torch.optim.lr_scheduler
        if name == "StepLR":
            return optimizer, kinds.StepLR(optimizer, 3, gamma=0.5)
        if name == "OneCycleLR":
            return optimizer, kinds.OneCycleLR(optimizer, 0.5, total_steps=30)
        if name == "ReduceLROnPlateau":
            return optimizer, kinds.ReduceLROnPlateau(optimizer, patience=1)
        parts = [kinds.ConstantLR(optimizer, 0.5, 2), kinds.ExponentialLR(optimizer, 0.9)]
        return optimizer, kinds.SequentialLR(optimizer, parts, [3])

    def rates(optimizer, schedule, count):
        found = []
        for _ in range(count):
            optimizer.step()
            schedule.step(*([1.0] if name == "ReduceLROnPlateau" else []))
            found.append(optimizer.param_groups[0]["lr"])
        return found

    optimizer, schedule = make()
    rates(optimizer, schedule, 4)
    path = Checkpoint(optimizer=optimizer, schedule=schedule).save(f"{home}/ckpt")
    others = make()
    Checkpoint(optimizer=others[0], schedule=others[1]).restore(path).assert_consumed()
    assert rates(*others, 8) == rates(optimizer, schedule, 8)


def test_tensors_and_parameters_are_changed_in_place_and_keep_what_they_are(home):
    parameter = torch.nn.Parameter(torch.zeros(3, dtype=torch.bfloat16))
    fixed = torch.zeros((), dtype=torch.float16)
    path = Checkpoint(
        parameter=torch.nn.Parameter(torch.ones(3, dtype=torch.bfloat16)),
        fixed=torch.tensor(2.0, dtype=torch.float16),
    ).save(f"{home}/ckpt")
    checkpoint = Checkpoint(parameter=parameter, fixed=fixed)
    checkpoint.restore(path).assert_consumed()
    assert checkpoint.parameter is parameter
    assert parameter.requires_grad
    assert parameter.tolist() == [1, 1, 1]
    assert checkpoint.fixed is fixed
    assert fixed.item() == 2.0


@pytest.mark.parametrize(
    ("make", "draw"),
    [
        (lambda seed: np.random.default_rng(seed), lambda one: one.normal()),
        (lambda seed: np.random.Generator(np.random.MT19937(seed)), lambda one: one.normal()),
        (lambda seed: np.random.RandomState(seed), lambda one: one.normal()),
        (lambda seed: random.Random(seed), lambda one: one.gauss(0, 1)),
        (
            lambda seed: torch.Generator().manual_seed(seed),
            lambda one: torch.rand((), generator=one).item(),
        ),
    ],
    ids=["Generator", "MT19937", "RandomState", "Random", "torch"],
)
def test_random_generators_go_on_where_they_were(home, make, draw):
    generator, other = make(3), make(4)
    draw(generator)
    path = Checkpoint(rng=generator).save(f"{home}/ckpt")
    checkpoint = Checkpoint(rng=other)
    checkpoint.restore(path).assert_consumed()
    assert checkpoint.rng is other
    assert [draw(other) for _ in range(5)] == [draw(generator) for _ in range(5)]


class Mine:
    """An object with its own state_dict() and load_state_dict()."""

    def __init__(self):
        self.state = {}

    def state_dict(self):
        return self.state

    def load_state_dict(self, state):
        self.state = state


def test_whatever_has_a_state_of_its_own_gets_it_back_as_it_gave_it(home):
    mine, other = Mine(), Mine()
    mine.state = {
        "n": 3,
        "none": None,
        "tuple": (1, "a", b"b"),
        "array": np.arange(3, dtype=np.int8),
        "tensor": torch.ones(2),
        7: {"inf": float("inf"), "set": {1, 2}},
    }
    path = Checkpoint(mine=mine).save(f"{home}/ckpt")
    checkpoint = Checkpoint(mine=other)
    checkpoint.restore(path).assert_consumed()
    assert checkpoint.mine is other
    assert same(other.state, mine.state)


def other_shape():
    return torch.optim.Adam([torch.nn.Parameter(torch.zeros(2))])


@pytest.mark.parametrize(
    ("after", "difference"),
    [
        (
            {"model": torch.nn.Linear(3, 4)},
            "model/weight: expected float32 (4, 3), found float32 (2, 3)",
        ),
        (
            {"model": torch.nn.Linear(3, 2).half()},
            "model/bias: expected float16 (2,), found float32 (2,)",
        ),
        (
            {"optimizer": other_shape()},
            "optimizer/state/0/exp_avg: expected the shape (2,) of its parameter, found (2, 3)",
        ),
        (
            {"optimizer": torch.optim.Adam([torch.nn.Parameter(torch.zeros(2, 3))])},
            "optimizer/param_groups: expected 1 parameters, found 2",
        ),
        (
            {"optimizer": Mine().state},
            "optimizer: expected a dict, found the state of a 'state_dict'",
        ),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_is_changed(home, after, difference):
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    path = Checkpoint(first=torch.ones(1), model=model, optimizer=optimizer).save(f"{home}/ckpt")
    first = torch.zeros(1)
    if "optimizer" in after and isinstance(after["optimizer"], torch.optim.Adam):
        # PyTorch refuses another number of parameters. It compares shapes only if the number is
        # right.
        groups = after["optimizer"].param_groups
        if groups[0]["params"][0].shape == (2,):
            after["optimizer"].add_param_group({"params": [torch.nn.Parameter(torch.zeros(2))]})
    with pytest.raises(rekindle.MismatchError) as caught:
        Checkpoint(first=first, **after).restore(path)
    assert difference in caught.value.differences
    assert difference in str(caught.value)
    assert first.item() == 0.0


def test_one_weight_under_two_names_cannot_be_two(home):
    class Untied(Tied):
        def __init__(self):
            super().__init__()
            self.decode.weight = torch.nn.Parameter(torch.ones(3, 3))

    path = Checkpoint(model=Untied()).save(f"{home}/ckpt")
    with pytest.raises(rekindle.MismatchError) as caught:
        Checkpoint(model=Tied()).restore(path)
    assert caught.value.differences == [
        "model/decode.weight: expected the value of model/encode.weight, which is the same"
        " Parameter, found another one"
    ]
