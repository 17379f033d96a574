"""What a user does with a place in an object store, beside a fit()."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from servers import SECRET

import rekindle
from rekindle import inspection
from rekindle._cli import codes
from rekindle._cli.main import main


@pytest.fixture
def url(s3, monkeypatch, request):
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    return f"{s3.url}/{request.node.name}"


def manager(url, value, **more):
    checkpoint = rekindle.Checkpoint(weights=np.full(1000, value, np.float32), step=value)
    return rekindle.CheckpointManager(checkpoint, url, 2, **more), checkpoint


def test_a_loop_resumes_from_the_store(url, s3):
    first, checkpoint = manager(url, 1)
    assert first.directory == url
    with first:
        assert first.latest_checkpoint is None
        for step in (2, 3, 4):
            checkpoint.step = step
            assert first.save() == f"{url}/ckpt-{step - 1}"
        assert first.checkpoints == [f"{url}/ckpt-2", f"{url}/ckpt-3"]
    second, again = manager(url, 0)
    with second:
        assert second.restore_or_initialize() == f"{url}/ckpt-3"
        assert again.step == 4
        with pytest.raises(rekindle.LockError, match="another run in this process") as caught:
            manager(url, 0)[0].save()
        assert caught.value.directory == url
    assert rekindle.latest_checkpoint(url) == f"{url}/ckpt-3"
    third = manager(url, 0)[1]
    third.restore(f"{url}/ckpt-2").assert_consumed()
    assert third.step == 3
    assert (rekindle.Checkpoint.read(f"{url}/ckpt-3")["weights"] == 1).all()
    assert third.save(f"{url}/final") == f"{url}/final-3"
    assert s3.uploads() == []


def test_a_folder_and_a_store_hold_the_same_format(url, s3, tmp_path):
    with manager(url, 1)[0] as one:
        one.save()
    prefix = url.removeprefix(f"{s3.url}/")
    for name, data in s3.objects(prefix + "/").items():
        (tmp_path / name.removeprefix(prefix + "/")).write_bytes(data)
    copied, checkpoint = manager(tmp_path, 0)
    with copied:
        copied.restore_or_initialize()
        assert checkpoint.step == 1
        checkpoint.step = 2
        copied.save()
    for path in tmp_path.iterdir():
        s3.put(f"back/{path.name}", path.read_bytes())
    back, checkpoint = manager(f"{s3.url}/back", 0)
    with back:
        back.restore_or_initialize()
        assert checkpoint.step == 2
        back.save()
        back.save()
    packs = [name for name in s3.objects("back/") if name.endswith(".safetensors")]
    assert all(".s" in name.removesuffix(".safetensors") for name in packs)


def test_the_shell_reads_a_store(url, capsys):
    with manager(url, 1)[0] as one:
        one.save(with_metadata={"loss": 0.5})
    for command in ("info", "verify"):
        assert main([command, url]) == codes.WHOLE
        assert "ckpt-1" in capsys.readouterr().out
    assert main(["info", "--json", url]) == codes.WHOLE
    told = json.loads(capsys.readouterr().out)
    assert (told["directory"], told["held"]) == (url, False)
    assert main(["info", f"{url}/other"]) == codes.NO_SAVE


def test_a_run_of_the_supervisor_is_seen_in_the_store(url, tmp_path):
    script = tmp_path / "train.py"
    script.write_text(
        "import os, signal, sys, numpy as np, rekindle\n"
        "checkpoint = rekindle.Checkpoint(weights=np.zeros(10), step=0)\n"
        "with rekindle.CheckpointManager(checkpoint, sys.argv[1], 2) as manager:\n"
        "    manager.restore_or_initialize()\n"
        "    while checkpoint.step < 4:\n"
        "        checkpoint.step += 1\n"
        "        manager.save()\n"
        "        if checkpoint.step == 2:\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    command = ["run", "--backoff", "0.1", "--", sys.executable, str(script), url]
    done = subprocess.run(
        [sys.executable, "-m", "rekindle", *command],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "ckpt-4  further" in done.stderr
    assert inspection.info(url).saves[-1].number == 4


def test_without_the_library_there_is_one_clear_error(monkeypatch, tmp_path):
    for name in [name for name in sys.modules if name.split(".")[0] == "obstore"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "obstore", None)
    for use in (inspection.info, lambda url: manager(url, 1), rekindle.latest_checkpoint):
        with pytest.raises(rekindle.DependencyError, match="pip install obstore") as caught:
            use("s3://bucket/run")
        assert caught.value.package == "obstore"
    with manager(tmp_path / "folder", 1)[0] as one:
        one.save()


@pytest.mark.parametrize(
    "options",
    [
        3,
        ["endpoint"],
        {1: "a"},
        {"nonsense": "x"},
        {"bucket": "other"},
        {"endpoint": "not a url"},
        {"client_options": {"nonsense": "1"}},
        {"retry_config": {"max_retries": "many"}},
    ],
)
def test_options_that_are_not_accepted_are_refused_without_their_values(options):
    if isinstance(options, dict):
        options = {"secret_access_key": SECRET, **options}
    for use in (inspection.info, rekindle.latest_checkpoint):
        with pytest.raises(rekindle.ArgumentError, match="storage_options") as caught:
            use("s3://bucket/run", storage_options=options)
        assert SECRET not in str(caught.value)
        assert SECRET not in repr(caught.value)


def test_no_secret_is_saved_or_shown(s3):
    url = f"{s3.url}/secrets"
    one, _ = manager(url, 1, storage_options=s3.options)
    with one:
        one.save()
        assert SECRET not in repr(one)
    assert not [name for name, data in s3.objects("secrets").items() if SECRET.encode() in data]
