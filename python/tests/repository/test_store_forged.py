"""Manifests that rekindle cannot have written are damage, whatever their digest."""

from __future__ import annotations

import json

import pytest
from damages import forge, seal

from rekindle.errors import (
    DamageError,
    FormatError,
    SaveError,
)

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
