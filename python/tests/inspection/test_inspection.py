"""Inspecting a backup folder without a backend, also while a run uses the folder."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import backups
import numpy as np
import pytest
from backups import a_save, everything_in, fill, flip

import rekindle
from rekindle import inspection
from rekindle._repository.repository import Repository
from rekindle._storage.local.storage import LocalStorage


class TestInfo:
    def test_saves_are_told_oldest_first_with_place_time_size_and_metrics(self, home):
        began = time.time()
        fill(home, 2)
        found = inspection.info(home)
        assert (found.directory, found.state) == (str(home), "whole")
        assert (found.held, found.holder) == (False, None)
        first, second = found.saves
        assert [first.name, second.name] == ["ckpt-1", "ckpt-2"]
        assert (second.number, second.epoch, second.batch, second.step) == (2, 2, 0, 7)
        assert began - 1 < first.time <= second.time <= time.time()
        assert (second.version, second.damage) == ("1.2.3", None)
        assert second.metrics == {"loss": 0.5}

    def test_bytes_of_older_files_are_told_apart(self, home):
        fill(home, 2)
        first, second = inspection.info(home).saves
        own = (home / "ckpt-1.json").stat().st_size + (home / "ckpt-1.safetensors").stat().st_size
        assert (first.size, first.shared) == (own, 0)
        assert second.size < 1500
        assert second.shared == 8000

    def test_the_whole_size_counts_files_of_saves_that_are_gone(self, home):
        fill(home, 3, kept=1)
        found = inspection.info(home)
        assert [save.name for save in found.saves] == ["ckpt-3"]
        assert found.saves[0].size < 1500
        assert found.size == sum(path.stat().st_size for path in home.iterdir())

    def test_metadata_comes_before_the_history(self, home):
        fill(home, 1, state={"metadata": {"val_loss": 0.25, "note": "x", "table": [1, 2]}})
        assert inspection.info(home).saves[0].metrics == {"val_loss": 0.25, "note": "x"}

    def test_a_metric_that_is_no_number_of_json_is_given_all_the_same(self, home):
        metrics = {"loss": [{"$": ["float", "nan"]}], "lr": [{"$": ["scalar", "history/lr"]}]}
        snapshot = a_save(1, state={"history": {"epoch": [0], "metrics": metrics}})
        snapshot.arrays["history/lr"] = np.asarray(0.5, np.float32)
        folder = Repository(LocalStorage(str(home)), "1")
        folder.open()
        folder.commit(snapshot)
        folder.close()
        found = inspection.info(home).saves[0].metrics
        assert math.isnan(found["loss"])
        assert found["lr"] == 0.5

    def test_a_folder_without_saves_is_missing_empty_or_foreign(self, home):
        assert inspection.info(home).state == "missing"
        home.mkdir()
        assert inspection.info(home).state == "empty"
        (home / "notes.txt").write_text("mine")
        (home / "data-3.json").write_text("{}")
        found = inspection.info(home)
        assert (found.state, found.foreign) == ("foreign", ["data-3.json", "notes.txt"])
        assert (found.saves, found.size, found.of_keras) == ([], 0, False)

    def test_a_backup_of_keras_is_known(self, home):
        home.mkdir()
        (home / "latest.weights.h5").write_bytes(b"x")
        (home / "training_metadata.json").write_text("{}")
        assert inspection.info(home).of_keras

    def test_a_backup_of_keras_2_is_known(self, home):
        (home / "chief").mkdir(parents=True)
        for name in ("ckpt-5.index", "ckpt-5.data-00000-of-00001"):
            (home / "chief" / name).write_bytes(b"x")
        found = inspection.info(home)
        assert (found.state, found.of_keras, found.of_keras_2) == ("foreign", False, True)

    def test_a_folder_that_a_run_holds_without_a_save_is_empty(self, home):
        folder = Repository(LocalStorage(str(home)), "1")
        folder.open()
        found = inspection.info(home)
        folder.close()
        assert (found.state, found.held, found.is_here) == ("empty", True, True)

    def test_a_damaged_manifest_a_cut_pack_and_a_lost_one_are_seen(self, home):
        fill(home, 4)
        flip(home / "ckpt-2.json")
        flip(home / "ckpt-3.safetensors", 20)
        (home / "ckpt-4.safetensors").unlink()
        found = inspection.info(home)
        assert found.state == "damaged"
        damages = {save.name: save.damage for save in found.saves}
        assert damages["ckpt-1"] is None
        assert "digest" in damages["ckpt-2"]
        assert "header" in damages["ckpt-3"]
        assert "missing" in damages["ckpt-4"]

    def test_a_save_whose_manifest_cannot_be_read_stands_where_its_number_would(self, home):
        fill(home, 4)
        for number in (2, 4):
            flip(home / f"ckpt-{number}.json")
        names = ["ckpt-1", "ckpt-2", "ckpt-3", "ckpt-4"]
        assert [save.name for save in inspection.info(home).saves] == names
        assert [check.name for check in inspection.verify(home)] == names

    def test_when_no_save_is_whole_all_is_lost(self, home):
        fill(home, 1)
        (home / "ckpt-1.json").write_bytes(b"")
        assert inspection.info(home).state == "lost"

    def test_what_was_set_aside_is_listed_with_its_size(self, home):
        fill(home, 2)
        flip(home / "ckpt-2.json")
        folder = Repository(LocalStorage(str(home)), "1")
        with pytest.warns(rekindle.DamageWarning):
            folder.newest()
        folder.close()
        found = inspection.info(home)
        assert found.state == "whole"
        assert set(found.set_aside) == {"ckpt-2.json.damaged", "ckpt-2.safetensors.damaged"}
        assert all(size > 0 for size in found.set_aside.values())
        assert found.foreign == []

    def test_a_path_that_is_none_is_refused(self):
        for bad in (None, "", 3):
            with pytest.raises(rekindle.ArgumentError, match="directory"):
                inspection.info(bad)


class TestVerify:
    def test_one_flipped_bit_anywhere_in_an_array_is_found(self, home):
        fill(home, 2)
        flip(home / "ckpt-2.safetensors", -1)
        assert inspection.info(home).state == "whole"
        first, second = inspection.verify(home)
        assert (first.name, first.damage) == ("ckpt-1", None)
        assert first.bytes == 3 * 4 * 4 + 8000 + 8
        assert "does not match its digest" in second.damage

    def test_a_flipped_bit_in_shared_bytes_damages_every_save_that_shares_them(self, home):
        fill(home, 3)
        # Larger elements come first in a pack.
        flip(home / "ckpt-1.safetensors", -2000)
        assert [check.damage is None for check in inspection.verify(home)] == [False] * 3

    def test_shared_bytes_are_read_once(self, home, monkeypatch):
        fill(home, 3)
        read = []
        from rekindle._repository import pack

        whole = pack.read

        def counted(directory, manifest):
            read.extend(manifest.arrays)
            return whole(directory, manifest)

        monkeypatch.setattr(pack, "read", counted)
        inspection.verify(home)
        assert read.count("model/frozen/kernel") == 1
        assert read.count("model/dense/kernel") == 3

    def test_a_folder_without_saves_gives_none(self, home):
        assert inspection.verify(home) == []


LOOKS = [
    inspection.info,
    inspection.verify,
    inspection.history,
    inspection.arrays,
    inspection.values,
]


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.__name__)
def test_a_look_takes_no_lock_and_changes_nothing(home, look, monkeypatch):
    fill(home, 3)
    flip(home / "ckpt-3.safetensors", 20)
    before = everything_in(home)
    monkeypatch.setattr(
        "rekindle._storage.local.lock.Lock.acquire",
        lambda *_, **__: pytest.fail("the lock was taken"),
    )
    look(home)
    assert everything_in(home) == before


SHARED = str(Path(backups.__file__).parent)

SAVE_ON = """
    import sys
    sys.path.insert(0, sys.argv[2])
    from rekindle._repository.repository import Repository
    from rekindle._storage.local.storage import LocalStorage
    from backups import a_save
    folder = Repository(LocalStorage(sys.argv[1]), "1")
    folder.open()
    number = 0
    while True:
        number += 1
        folder.commit(a_save(number % 5 + 1))
        folder.keep(folder.numbers[-1:])
        if number == 3:
            print("saving", flush=True)
"""


@pytest.fixture
def saving(home):
    command = [sys.executable, "-c", textwrap.dedent(SAVE_ON), str(home), SHARED]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "saving\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it cannot be told who holds it")
def test_every_look_works_while_a_run_replaces_its_only_save_all_the_time(home, saving):
    names = set()
    while len(names) <= 10:
        found = inspection.info(home)
        assert (found.state, found.held, found.holder.pid) == ("whole", True, saving.pid)
        assert all(check.damage is None for check in inspection.verify(home))
        record = inspection.history(home)
        assert record.epoch == list(range(len(record.metrics["loss"])))
        value = inspection.values(home, ["model/dense/kernel"])["model/dense/kernel"]
        assert len(np.unique(value)) == 1
        names |= {save.name for save in found.saves}
    assert saving.poll() is None


def test_looking_imports_neither_keras_nor_a_backend(home):
    fill(home, 1)
    code = """
        import sys
        from rekindle import inspection
        for look in ("info", "verify", "history", "arrays", "values"):
            getattr(inspection, look)(sys.argv[1])
        loaded = {"keras", "jax", "torch", "tensorflow"} & set(sys.modules)
        sys.exit(f"imported: {loaded}" if loaded else 0)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(home)], check=True)


def test_what_it_gives_is_named_after_the_public_module():
    for name in inspection.__all__:
        one = getattr(inspection, name)
        assert one.__module__ == "rekindle.inspection"
        if dataclasses.is_dataclass(one):
            assert "Attributes" in one.__doc__ or name == "ArrayInfo"
