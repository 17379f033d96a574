"""The content of a folder can write only letters to a terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings

import pytest
from backups import fill, flip

import rekindle
from rekindle import errors
from rekindle._base import events
from rekindle._printable import encodable, printable
from rekindle._r.values import as_lists

# Moves the cursor, ends the line, hides or reverses the rest, and has a surrogate.
EVIL = "a\x1b[2Jb\nc\rd\x9b1me\u202ef\u2028g\ud800h\x00i"
SHOWN = r"a\x1b[2Jb\nc\rd\x9b1me\u202ef\u2028g\ud800h\x00i"
# The same as a file name.
NAME = "a\x1b[2J\nb\u202e\udcff"


def command(*arguments, encoding="utf-8"):
    done = subprocess.run(
        [sys.executable, "-m", "rekindle", *map(str, arguments)],
        env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
        capture_output=True,
        check=False,
    )
    return done.returncode, done.stdout.decode(encoding), done.stderr.decode(encoding)


def assert_harmless(text):
    assert all(sign == "\n" or sign.isprintable() for sign in text), ascii(text)


def test_only_what_would_not_print_is_escaped():
    assert printable(EVIL) == SHOWN
    assert printable("größer 日本 C:\\temp {x} 'y'") == "größer 日本 C:\\temp {x} 'y'"
    assert printable("a\nb\t", keep="\n") == "a\nb\\t"
    assert encodable("ä日", "ascii") == r"\xe4\u65e5"


@pytest.fixture
def home(tmp_path):
    return tmp_path / "backup"


@pytest.fixture
def evil(home):
    """A folder in which metrics, checkpoints and other files have such names."""
    history = {"epoch": [0, 1], "metrics": {EVIL: [1.0, 2.0], "größer日": ["\x1b[31m", 1.0]}}
    fill(home, 2, state={"history": history, "metadata": {EVIL: EVIL, "{x}日": 1.0}})
    fill(home, 1, prefix="a\x1b[2Jb\u202e")
    flip(home / "a\x1b[2Jb\u202e-1.safetensors", -1)
    (home / "ckpt-9.json.damaged").write_bytes(b"")
    os.rename(home / "ckpt-9.json.damaged", home / "a\x1b[2Jb\u202e-9.json.damaged")
    return home


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin1"])
@pytest.mark.parametrize("what", ["info", "history", "verify"])
def test_a_command_writes_letters_only_and_in_any_encoding(evil, what, encoding):
    arguments = ["--save", "ckpt-2"] if what == "history" else []
    code, out, err = command(what, evil, *arguments, encoding=encoding)
    assert code in (0, 4), err
    assert_harmless(out)
    assert_harmless(err)
    assert "\\x1b[2J" in out
    if encoding == "utf-8" and what == "history":
        assert "größer日" in out


@pytest.mark.parametrize("what", ["info", "history", "verify"])
def test_json_stays_json_with_the_names_as_they_are(evil, what):
    arguments = ["--save", "ckpt-2"] if what == "history" else []
    out = command(what, evil, "--json", *arguments, encoding="ascii")[1]
    found = json.loads(out)
    if what == "info":
        assert EVIL in [save["metrics"].get(EVIL) for save in found["saves"]]


def test_columns_stand_below_each_other_after_the_escapes(home):
    fill(home, 1, state={"history": {"epoch": [0], "metrics": {"a\x1b": [1.0], "b": [2.0]}}})
    lines = command("history", home)[1].splitlines()
    assert lines[1:] == ["epoch  a\\x1b  b", "0          1  2"]


def test_folders_and_files_of_others_are_named_harmlessly(tmp_path):
    folder = tmp_path / NAME
    folder.mkdir()
    assert "There is no checkpoint." in command("info", folder)[1]
    (folder / NAME).write_bytes(b"")
    for what in ("info", "verify", "history"):
        _, out, err = command(what, folder, encoding="ascii")
        assert_harmless(out + err)
    assert_harmless(command("info", tmp_path / "none\x1b[2J")[1])


def test_errors_and_warnings_are_letters_too(home):
    fill(home, 1, prefix="a\x1b[2J")
    flip(home / "a\x1b[2J-1.json")
    (home / "a\x1b[2J-1.json").write_bytes(b'{"rekindle_format":1,')
    with pytest.raises(rekindle.DamageError) as caught:
        rekindle.latest_checkpoint(home)
    assert_harmless(str(caught.value))
    lines = errors.bulleted([f"{EVIL}: expected this", "found\nthat"])
    assert lines == f"- {SHOWN}: expected this\n- found\\nthat\n"
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        warnings.warn(f"{EVIL} is damaged", rekindle.DamageWarning, stacklevel=1)
    assert_harmless(str(told[0].message))


def test_what_a_run_says_is_letters(capsys):
    events.tell("saved", EVIL)
    assert_harmless(capsys.readouterr().out)
    heard = []
    events.send_to(lambda kind, facts: heard.append(facts))
    try:
        events.tell("warning", "text", directory=EVIL, notes=[EVIL], batch=1)
    finally:
        events.send_to(None)
    assert heard == [{"text": "text", "directory": SHOWN, "notes": [SHOWN], "batch": 1}]


def test_r_is_given_no_string_that_it_cannot_have():
    assert as_lists({"a\x00": ["\ud800", "\x1b"]}) == {"a\\x00": ["\\ud800", "\x1b"]}
