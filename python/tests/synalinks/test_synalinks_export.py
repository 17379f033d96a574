"""Exporting a checkpoint of a program into a file for `program.load_variables()`."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys

import pytest
import scenario
import synalinks
import table
from small_program import Interrupt, Interrupted, backup, fit, make, seed, state

import rekindle
from rekindle import inspection
from rekindle._cli import codes
from rekindle._cli.main import main

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")


class Saving:
    """An object of `extra_state`: when a checkpoint is taken, Synalinks itself saves, too."""

    def __init__(self, folder):
        self.folder = folder
        self.program = None
        self.states = []

    def state_dict(self):
        if self.program is not None:
            self.program.save_variables(self.folder / f"{len(self.states)}.variables.json")
            self.states.append(state(self.program))
        return {}

    def load_state_dict(self, values):
        pass


def omega():
    model = synalinks.LanguageModel(model="ollama/mistral", retry=1)
    return synalinks.optimizers.OMEGA(
        name="few", language_model=model, algorithm="ga", merging_rate=0.5
    )


def interrupted(backup_dir, tmp_path, optimizer=None, save_freq=1):
    """Interrupts a run in its second epoch. Returns what Synalinks itself saved beside it."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    saving, program = Saving(folder), make(optimizer)
    more = {"retention": rekindle.Retention(last=9), "extra_state": {"saving": saving}}
    # Else rekindle asks for the state when a validation begins, too.
    more |= {"save_before_preemption": False}
    callback = backup(backup_dir, save_freq=save_freq, background=False, **more)
    saving.program = program
    seed()
    with pytest.raises(Interrupted):
        fit(program, [callback, Interrupt(1, 3)])
    return saving


def export(backup_dir, tmp_path, which="latest"):
    file = tmp_path / f"ours-{which}.variables.json"
    return inspection.export_variables(backup_dir, file, which), file


@pytest.mark.parametrize("optimizer", [None, omega], ids=["RandomFewShot", "OMEGA"])
def test_the_file_is_the_one_that_synalinks_would_have_written(backup_dir, tmp_path, optimizer):
    interrupted(backup_dir, tmp_path, optimizer and optimizer())
    numbers = [save.number for save in inspection.info(backup_dir).saves]
    theirs = sorted((tmp_path / "theirs").iterdir(), key=lambda path: int(path.name.split(".")[0]))
    # The first time is before any save: rekindle asks what the object has.
    theirs = theirs[-len(numbers) :]
    assert len(theirs) == len(numbers) >= 4
    for number, path in zip(numbers, theirs, strict=True):
        _, file = export(backup_dir, tmp_path, number)
        # Their order counts, too: a program of other names is matched by it.
        assert json.dumps(json.loads(file.read_text())) == json.dumps(json.loads(path.read_text()))


def test_a_new_program_loads_the_file(backup_dir, tmp_path):
    saving = interrupted(backup_dir, tmp_path)
    name, file = export(backup_dir, tmp_path)
    assert name == inspection.info(backup_dir).saves[-1].name
    program = make()
    assert state(program) != saving.states[-1]
    program.load_variables(file)
    assert state(program) == saving.states[-1]
    assert program.optimizer.iterations > 0
    # Where nothing is compiled, there is no optimizer that would take its part.
    found = program.trainable_variables[0]
    assert found.get("best_candidates")


def test_the_command_needs_neither_a_program_nor_synalinks(backup_dir, tmp_path):
    interrupted(backup_dir, tmp_path)
    file = tmp_path / "from-shell.variables.json"
    code = (
        "import sys; from rekindle._cli.main import main; found = main(sys.argv[1:]);"
        "assert 'synalinks' not in sys.modules; sys.exit(found)"
    )
    command = [sys.executable, "-c", code, "export", str(backup_dir), str(file), "--json"]
    done = subprocess.run(
        command, env=table.environment(), capture_output=True, text=True, check=True
    )
    newest = inspection.info(backup_dir).saves[-1].name
    assert json.loads(done.stdout) == {"save": newest, "file": str(file)}
    program = make()
    program.load_variables(file)
    # A file that is there stays.
    before = file.read_bytes()
    assert main(["export", str(backup_dir), str(file)]) == codes.IN_THE_WAY
    assert file.read_bytes() == before
    assert main(["export", str(backup_dir), str(file), "--force"]) == codes.WHOLE


def test_another_name_and_a_damaged_checkpoint_are_refused(backup_dir, tmp_path):
    interrupted(backup_dir, tmp_path)
    with pytest.raises(rekindle.ArgumentError, match=r"\.variables\.json"):
        inspection.export_variables(backup_dir, tmp_path / "out.json")
    newest = inspection.info(backup_dir).saves[-1].name
    path = backup_dir / f"{newest}.json"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(rekindle.DamageError):
        export(backup_dir, tmp_path, newest)
    assert not list(tmp_path.glob("*.variables.json"))


def test_two_variables_of_one_path_are_refused(backup_dir, tmp_path, monkeypatch):
    program, _ = asyncio.run(scenario.make_program({"source": "RandomFewShot"}))
    first = program.trainable_variables[0]
    path = first.path
    seed()
    monkeypatch.setattr(type(first), "path", property(lambda self: path))
    with pytest.raises(Interrupted):
        fit(program, [backup(backup_dir, save_freq=1, background=False), Interrupt(0, 3)])
    with pytest.raises(rekindle.MismatchError, match="two variables have the path"):
        export(backup_dir, tmp_path)
    assert not list(tmp_path.glob("*.variables.json"))
