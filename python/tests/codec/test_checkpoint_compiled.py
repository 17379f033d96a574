"""A module and what torch.compile() makes of it restore each other."""

from __future__ import annotations

import pytest
import torch
from alike import same

from rekindle import Checkpoint


class Block(torch.nn.Module):
    """A module of which a part may be compiled."""

    def __init__(self, *, inner=False):
        super().__init__()
        self.inner = torch.nn.Linear(3, 3)
        if inner:
            self.inner = torch.compile(self.inner, backend="eager")

    @classmethod
    def make(cls, how):
        block = cls(inner="inner" in how)
        return torch.compile(block, backend="eager") if "outer" in how else block


@pytest.mark.parametrize("saved", ["", "inner", "outer", "inner and outer"])
@pytest.mark.parametrize("live", ["", "inner", "outer", "inner and outer"])
def test_a_compiled_module_and_its_original_restore_each_other(home, saved, live):
    first, second = Block.make(saved), Block.make(live)
    path = Checkpoint(model=first).save(f"{home}/ckpt")
    Checkpoint(model=second).restore(path).assert_consumed()
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert same(one, other)


def test_a_checkpoint_with_the_names_of_a_compiled_module_is_read(home, monkeypatch):
    first, second = Block.make("inner and outer"), Block.make("inner")
    with monkeypatch.context() as earlier:
        earlier.setattr("rekindle._codec.owners.without_compiled", lambda name: name)
        path = Checkpoint(model=first).save(f"{home}/ckpt")
    Checkpoint(model=second).restore(path).assert_consumed()
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert same(one, other)
