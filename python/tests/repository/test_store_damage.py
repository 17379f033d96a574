from __future__ import annotations

import errno
import os
import pickle
import warnings

import pytest
from damages import cut, flip, replace

from rekindle._storage.local import fs
from rekindle.errors import (
    DamageError,
    DamageWarning,
    RekindleError,
)

DAMAGES = {
    "cut off": cut,
    "a bit flipped": flip,
    "emptied": lambda path: os.truncate(path, 0),
    "huge and sparse": lambda path: os.truncate(path, 1 << 40),
    "zeroed": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "a folder": replace(os.mkdir),
    "a FIFO": replace(os.mkfifo),
    "a link": replace(lambda path: os.symlink("ckpt-1.json", path)),
    "a dangling link": replace(lambda path: os.symlink("nowhere", path)),
}


class TestADamagedNewestSave:
    @pytest.mark.parametrize("name", ["ckpt-3.json", "ckpt-3.safetensors"])
    @pytest.mark.parametrize("damage", DAMAGES)
    def test_the_one_before_it_is_taken_and_it_is_set_aside(
        self, fill, opened, home, snapshot, name, damage
    ):
        fill(3, kept=2)
        DAMAGES[damage](home / name)
        folder = opened()
        with pytest.warns(DamageWarning, match=r"Checkpoint 3 in .* is damaged \(.*\)") as caught:
            save = folder.newest()
        assert len(caught) == 1
        assert "It was quarantined as 'ckpt-3.json.damaged', and checkpoint 2 is used." in str(
            caught[0].message
        )
        assert save.manifest.state == {"index": 2}
        assert (save.arrays["changes"] == 2).all()
        assert os.path.lexists(home / "ckpt-3.json.damaged")
        # The run continues with the number that is free again, and without more warnings.
        assert folder.commit(snapshot(8)).number == 3
        folder.keep(folder.numbers[-2:])
        folder.close()
        assert folder.newest().manifest.state == {"index": 8}
        assert os.path.lexists(home / "ckpt-3.json.damaged")
        assert os.path.lexists(home / "ckpt-3.safetensors.damaged")

    def test_a_pack_that_is_gone_is_damage(self, fill, opened, home):
        fill(2)
        (home / "ckpt-2.safetensors").unlink()
        with pytest.warns(DamageWarning, match="the pack 'ckpt-2.safetensors' is missing"):
            assert opened().newest().manifest.number == 1

    def test_two_saves_with_their_manifests_swapped_are_both_refused(self, fill, opened, home):
        fill(2)
        (home / "ckpt-1.json").rename(home / "x")
        (home / "ckpt-2.json").rename(home / "ckpt-1.json")
        (home / "x").rename(home / "ckpt-2.json")
        with pytest.raises(DamageError, match="it is the manifest of checkpoint 1, not 2"):
            opened().newest()

    def test_a_second_damaged_save_of_a_number_gets_a_name_of_its_own(
        self, fill, opened, home, snapshot
    ):
        fill(2, kept=2)
        for expected in ("ckpt-3.json.damaged", "ckpt-3.json.damaged-2"):
            folder = opened()
            folder.newest()
            folder.commit(snapshot(3))
            folder.close()
            cut(home / "ckpt-3.json")
            with pytest.warns(DamageWarning, match=expected):
                opened().newest()

    def test_where_it_cannot_be_set_aside_it_is_said_and_never_written_over(
        self, fill, opened, home, snapshot, monkeypatch
    ):
        fill(2)
        cut(home / "ckpt-2.json")
        damaged = (home / "ckpt-2.json").read_bytes()
        folder = opened()

        def refuse(old, new):
            raise OSError(errno.EROFS, "Read-only file system")

        with monkeypatch.context() as patched:
            patched.setattr(fs, "rename", refuse)
            with pytest.warns(DamageWarning, match=r"could not be quarantined \(Read-only"):
                assert folder.newest().manifest.number == 1
        assert folder.commit(snapshot(3)).number == 3
        folder.keep(folder.numbers[-1:])
        assert (home / "ckpt-2.json").read_bytes() == damaged
        assert (home / "ckpt-2.safetensors").exists()
        folder.clear()
        assert (home / "ckpt-2.json.damaged").read_bytes() == damaged

    def test_warnings_as_errors_come_after_all_is_set_aside(self, fill, opened, home):
        fill(3)
        for number in (2, 3):
            cut(home / f"ckpt-{number}.json")
        folder = opened()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(DamageWarning):
                folder.newest()
        assert folder.newest().manifest.number == 1


class TestNoWholeSave:
    def test_the_error_lists_what_was_found_and_how_to_start_afresh(self, fill, opened, home):
        fill(2)
        cut(home / "ckpt-1.json")
        flip(home / "ckpt-2.safetensors")
        before = {path: path.read_bytes() for path in home.iterdir() if path.name != ".lock"}
        with pytest.raises(DamageError) as info:
            opened().newest()
        error = info.value
        assert error.directory == str(home)
        assert [line.split(":")[0] for line in error.damages] == ["checkpoint 2", "checkpoint 1"]
        assert error.damages[1] == "checkpoint 1: the manifest has no digest line at its end"
        assert str(error).startswith(f"No checkpoint in {str(home)!r} is whole")
        assert "start afresh on purpose, rename or remove that folder" in str(error)
        after = {path: path.read_bytes() for path in home.iterdir() if path.name != ".lock"}
        assert after == before


def test_every_error_survives_pickling(fill, opened, home):
    fill(1)
    cut(home / "ckpt-1.json")
    with pytest.raises(RekindleError) as info:
        opened().newest()
    copy = pickle.loads(pickle.dumps(info.value))  # noqa: S301
    assert type(copy) is DamageError
    assert str(copy) == str(info.value)
    assert copy.damages == info.value.damages
