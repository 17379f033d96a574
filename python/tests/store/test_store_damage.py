from __future__ import annotations

import errno
import json
import os
import pickle
import warnings

import pytest
import xxhash

from rekindle._format.snapshot import Snapshot
from rekindle._repository.repository import Repository
from rekindle._storage.local import fs
from rekindle._storage.local.storage import LocalStorage
from rekindle.errors import (
    DamageError,
    DamageWarning,
    FormatError,
    RekindleError,
    RestoreError,
    SaveError,
)


def forge(path, **changes) -> None:
    """Changes a manifest and gives it the matching digest."""
    document = json.loads(path.read_bytes())
    document.pop("xxh3_128")
    for name, value in changes.items():
        document[name] = value
    seal(path, json.dumps(document).encode()[:-1] + b",")


def seal(path, body: bytes) -> None:
    digest = xxhash.xxh3_128_hexdigest(body).encode()
    path.write_bytes(body + b'"xxh3_128":"%s"}\n' % digest)


def cut(path):
    os.truncate(path, path.stat().st_size // 2)


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def replace(make):
    def do(path):
        path.unlink()
        make(path)

    return do


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


FORGED = {
    "a name with a slash": {"packs": {"../ckpt-1.safetensors": {}}},
    "a number too large": {"serial": 2**63},
    "a number that is a truth value": {"step": True},
    "a fraction": {"epoch": 1.5},
    "a negative number": {"batch": -1},
    "a list for a table": {"arrays": []},
    "nothing for a text": {"run": None},
    "no time": {"time": "now"},
    "an endless time": {"time": 1e308},
    "a pack nobody lists": {"packs": {}},
}


class TestManifestsThatSomebodyMadeUp:
    @pytest.mark.parametrize("changes", FORGED)
    def test_wrong_values_under_a_right_digest_are_damage(self, fill, opened, home, changes):
        fill(1)
        forge(home / "ckpt-1.json", **FORGED[changes])
        with pytest.raises(DamageError):
            opened().newest()

    @pytest.mark.parametrize(
        "row",
        [
            {"dtype": "object"},
            {"dtype": "float64"},
            {"shape": [2**62, 2**62, 0]},
            {"shape": [1] * 40 + [3, 4]},
            {"shape": [2**40]},
            {"bytes": [0, 48]},
            {"bytes": [192, 2**62]},
            {"bytes": [200, 100]},
            {"bytes": [1, 2, 3]},
            {"pack": "/etc/passwd"},
            {"pack": "ckpt-1.json"},
        ],
    )
    def test_an_array_lies_in_its_pack_or_is_refused(self, fill, opened, home, row):
        fill(1)
        arrays = json.loads((home / "ckpt-1.json").read_bytes())["arrays"]
        arrays["changes"] |= row
        forge(home / "ckpt-1.json", arrays=arrays)
        with pytest.raises(DamageError):
            opened().newest()

    @pytest.mark.parametrize(
        ("raw", "found"),
        [
            (b'"number":1,"number":1,', "a key stands twice"),
            (b'"x":NaN,', "NaN is not JSON"),
            (b'"x":' + b"9" * 5000 + b",", "not valid JSON"),
            (b'"x":' + b"[" * 100_000 + b"]" * 100_000 + b",", "not valid JSON"),
            (b'"x":"\xff",', "not valid JSON"),
        ],
    )
    def test_json_that_rekindle_never_writes_is_damage(self, fill, opened, home, raw, found):
        fill(1)
        body = (home / "ckpt-1.json").read_bytes()[:-47]
        seal(home / "ckpt-1.json", body + raw)
        with pytest.raises(DamageError, match=found):
            opened().newest()

    def test_a_newer_format_asks_for_an_upgrade_and_touches_nothing(self, fill, opened, home):
        fill(2)
        forge(home / "ckpt-2.json", rekindle_format=2, version="9.8.7", state="of another kind")
        before = {path.name for path in home.iterdir()}
        with pytest.raises(FormatError, match=r"written by rekindle 9\.8\.7 .*Upgrade") as info:
            opened().open()
        assert (info.value.format, info.value.version) == (2, "9.8.7")
        assert info.value.path == str(home / "ckpt-2.json")
        assert {path.name for path in home.iterdir()} == before

    def test_the_last_number_there_is_fails_the_save_and_not_the_training(
        self, fill, opened, home, snapshot
    ):
        fill(1)
        last = 10**18 - 1
        (home / "ckpt-1.json").rename(home / f"ckpt-{last}.json")
        forge(home / f"ckpt-{last}.json", number=last, serial=2**63 - 1)
        folder = opened()
        assert folder.newest().manifest.number == last
        with pytest.raises(SaveError, match="has the highest number that there is"):
            folder.commit(snapshot(2))
        with pytest.raises(SaveError, match="the serial numbers of checkpoints are used up"):
            folder.commit(snapshot(2), number=7)


class TestTheSystemRefuses:
    def test_a_full_disk_says_what_is_needed_and_what_is_free(
        self, folder, home, snapshot, monkeypatch
    ):
        folder.commit(snapshot(1))

        def full(fd, data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patched:
            patched.setattr(fs, "write_all", full)
            patched.setattr(fs, "free_bytes", lambda path: 12_345_678)
            with pytest.raises(SaveError) as info:
                folder.commit(snapshot(2))
        error = info.value
        assert (error.errno, error.needed, error.free) == (errno.ENOSPC, 48, 12_345_678)
        assert str(error) == (
            f"A checkpoint could not be written to {str(home)!r}: No space left on device"
            " (48 bytes needed, 12.35 MB are free). The previous checkpoint is still there."
        )
        assert {path.name for path in home.iterdir()} == {
            ".lock",
            "ckpt-1.json",
            "ckpt-1.safetensors",
        }
        assert folder.commit(snapshot(2)).number == 2

    @pytest.mark.parametrize(
        ("harm", "told"),
        [
            (None, "The previous checkpoint is still there."),
            ("remove", "There is no previous checkpoint."),
            ("empty", "There is no previous checkpoint."),
            ("no pack", "There is no previous checkpoint."),
            ("another", "There is no previous checkpoint."),
            (
                "unreadable",
                "rekindle could not check whether a previous checkpoint is still there.",
            ),
        ],
    )
    def test_a_failed_save_tells_whether_one_before_it_stands(
        self, folder, home, snapshot, monkeypatch, harm, told
    ):
        if harm != "empty":
            folder.commit(snapshot(1))
        if harm == "remove":
            (home / "ckpt-1.json").unlink()
        elif harm == "no pack":
            (home / "ckpt-1.safetensors").unlink()
        elif harm == "another":
            (home / "ckpt-1.json").rename(home / "best-1.json")
        monkeypatch.setattr("rekindle._repository.commit.encode", _no_memory)
        if harm == "unreadable":
            monkeypatch.setattr("rekindle._storage.local.fs.names_in", _refused)
        with pytest.raises(SaveError) as info:
            folder.commit(snapshot(2))
        assert str(info.value).endswith(told)

    def test_a_first_save_that_fails_claims_no_other(self, home):
        home.write_bytes(b"")
        with pytest.raises(SaveError, match=r"There is no previous checkpoint\.$"):
            Repository(LocalStorage(str(home)), "1.2.3").commit(Snapshot({}))

    def test_too_little_memory_fails_the_save_only(self, folder, snapshot, monkeypatch):
        with monkeypatch.context() as patched:
            patched.setattr("rekindle._repository.commit.encode", _no_memory)
            with pytest.raises(SaveError, match="there is not enough memory"):
                folder.commit(snapshot(1))
        assert folder.commit(snapshot(1)).number == 1

    def test_too_little_memory_for_a_restore_is_said(self, fill, opened, monkeypatch):
        fill(1)
        monkeypatch.setattr("rekindle._repository.pack._read_block", _no_memory)
        with pytest.raises(RestoreError, match="cannot be read: there is not enough memory"):
            opened().newest()

    def test_a_disk_that_cannot_be_read_fails_the_restore(self, fill, opened, home, monkeypatch):
        fill(2)
        folder = opened()
        folder.open()

        def broken(fd, buffer, offset):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr(fs, "read_into", broken)
        with pytest.raises(RestoreError, match=r"Checkpoint 2 in .* cannot be read: Input") as info:
            folder.newest()
        assert info.value.errno == errno.EIO

    def test_a_file_in_place_of_the_folder_is_told(self, home):
        home.write_bytes(b"")
        with pytest.raises(RestoreError, match="cannot be opened: File exists"):
            Repository(LocalStorage(str(home)), "1").open()

    def test_an_acknowledgement_that_failed_is_not_built_upon(
        self, folder, home, snapshot, monkeypatch
    ):
        folder.commit(snapshot(1))
        with monkeypatch.context() as patched:
            patched.setattr("rekindle._repository.commit.Commit.acknowledge", _refuse)
            with pytest.raises(SaveError):
                folder.commit(snapshot(2))
        # Checkpoint 2 exists, but a power cut may remove it. So the next checkpoint shares no array
        # with it.
        assert folder.numbers == [1, 2]
        assert set(folder.commit(snapshot(3)).packs) == {"ckpt-3.safetensors"}


def _refused(*args):
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _no_memory(*_):
    raise MemoryError


def _refuse(self):
    raise OSError(errno.EIO, "Input/output error")


def test_every_error_survives_pickling(fill, opened, home):
    fill(1)
    cut(home / "ckpt-1.json")
    with pytest.raises(RekindleError) as info:
        opened().newest()
    copy = pickle.loads(pickle.dumps(info.value))  # noqa: S301
    assert type(copy) is DamageError
    assert str(copy) == str(info.value)
    assert copy.damages == info.value.damages
