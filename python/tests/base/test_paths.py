"""Local paths and places in object stores are known in every form. Other URLs are refused."""

from __future__ import annotations

import os
import pathlib

import pytest

import rekindle
from rekindle import Checkpoint, CheckpointManager, inspection, latest_checkpoint
from rekindle._base import checks, places
from rekindle._cli import codes
from rekindle._cli.main import main


class Remote:
    """A path object of another file system, as in universal_pathlib: without `__fspath__`."""

    def __init__(self, url):
        self.url = url

    def __str__(self):
        return self.url


class Downloading(Remote, os.PathLike):
    """A path object that downloads in `__fspath__`, as cloudpathlib does."""

    def __fspath__(self):
        raise AssertionError("was asked to download")


REFUSED = [
    "hdfs://host:9000/run",
    "http://host/run",
    "simplecache::s3://bucket/run",
    "sftp:/host/run",
    pathlib.PurePosixPath("anything://x/y"),
    Remote("gdrive://bucket/run"),
    Downloading("dropbox://bucket/run"),
    "file://host/run",
    "file://relative",
    "file://",
    pathlib.Path("file://host/run"),
]

STORES = {
    "s3://bucket/run": "s3://bucket/run",
    "S3://bucket/run/": "s3://bucket/run",
    "gs://bucket": "gs://bucket",
    "gs:/bucket//a/": "gs://bucket/a",
    "az://container/run": "az://container/run",
    "abfss://container@account/run": "abfss://container@account/run",
    "memory://run/a b": "memory://run/a b",
    " s3a://bucket/run\n": "s3a://bucket/run",
    b"s3://bucket/run": "s3://bucket/run",
    pathlib.Path("s3://bucket/run"): "s3://bucket/run",
    Remote("s3://bucket/run"): "s3://bucket/run",
    Downloading("gs://bucket/run"): "gs://bucket/run",
}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The working directory. No file may appear in it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(params=REFUSED, ids=str)
def url(request, here):
    yield request.param
    assert os.listdir(here) == []


USES = {
    "CheckpointManager": (lambda url: CheckpointManager(Checkpoint(step=0), url, 3), "directory"),
    "latest_checkpoint": (latest_checkpoint, "directory"),
    "save": (lambda url: Checkpoint(step=0).save(url), "file_prefix"),
    "restore": (lambda url: Checkpoint(step=0).restore(url), "save_path"),
    "read": (Checkpoint.read, "save_path"),
    "metadata": (
        lambda url: CheckpointManager(Checkpoint(step=0), "ckpts", 3).metadata(url),
        "save_path",
    ),
    "info": (inspection.info, "directory"),
    "verify": (inspection.verify, "directory"),
    "history": (inspection.history, "directory"),
    "arrays": (inspection.arrays, "directory"),
    "values": (inspection.values, "directory"),
    "delete": (inspection.delete, "directory"),
}


@pytest.mark.parametrize("use", USES)
def test_a_url_is_refused_wherever_a_path_is_taken(url, use):
    call, argument = USES[use]
    with pytest.raises(rekindle.ArgumentError, match="is a URL of a kind that") as caught:
        call(url)
    assert (caught.value.argument, caught.value.value) == (argument, url)
    assert "s3://bucket/run" in str(caught.value)


@pytest.mark.parametrize("given", STORES, ids=str)
def test_a_place_in_an_object_store_is_known_in_every_form(given, here):
    assert checks.place("directory", given) == STORES[given]
    assert places.real(STORES[given]) == places.real(places.absolute(STORES[given]))
    assert os.listdir(here) == []


@pytest.mark.parametrize("bad", ["s3://", "gs:/", "memory:///run", "s3:// \0/x"])
def test_a_url_without_a_bucket_is_refused(bad, here):
    with pytest.raises(rekindle.ArgumentError):
        latest_checkpoint(bad)


def test_the_parts_of_a_place_come_together_again():
    for place in ("s3://bucket/a/b", "s3://bucket", "/data/run"):
        assert places.split(places.join(place, "ckpt-3")) == (place, "ckpt-3")
    assert places.split("s3://bucket") == ("s3://bucket", "")


@pytest.mark.parametrize("function", ["report", "export_weights"])
def test_a_file_to_write_is_in_no_object_store(function, here):
    with pytest.raises(rekindle.ArgumentError, match="Give the path of a file"):
        getattr(inspection, function)(
            "backup", "s3://bucket/x.html", *[None] * (function != "report")
        )


@pytest.mark.parametrize("command", ["info", "verify", "history"])
def test_the_shell_commands_refuse_a_url_as_any_bad_argument(command, here, capsys):
    assert main([command, "hdfs://bucket/run"]) == codes.USAGE
    assert capsys.readouterr().err.startswith("rekindle: 'hdfs://bucket/run' is a URL of a kind")
    assert os.listdir(here) == []


@pytest.mark.parametrize("option", ["--backup", "--log", "--summary"])
def test_the_supervisor_refuses_a_url_before_it_starts_the_command(option, here, capsys):
    assert main(["run", option, "hdfs://bucket/run", "--", "touch", "started"]) == codes.USAGE
    assert "is a URL" in capsys.readouterr().err
    assert os.listdir(here) == []


@pytest.mark.parametrize("name", ["a:b", "a:b/c", "run:1/x", "ab:", "a::b", "./s3:/run", "C:/x"])
@pytest.mark.parametrize("kind", [str, os.fsencode])
def test_a_local_folder_with_a_colon_in_its_name_is_one(name, kind, here):
    with CheckpointManager(Checkpoint(step=0), kind(name), 3) as manager:
        assert manager.save() == f"{name}/ckpt-1"
    assert (here / name / "ckpt-1.json").is_file()
    assert latest_checkpoint(kind(name)) == f"{name}/ckpt-1"
    assert inspection.info(kind(name)).state == "whole"


def test_a_drive_of_windows_is_no_scheme():
    for path in ("C:\\run", "C:/run", "c://run", pathlib.PureWindowsPath("D:/run")):
        assert checks.place("directory", path) == str(path)


@pytest.mark.parametrize(
    ("form", "escaped"),
    [
        ("file://{}", False),
        ("FILE://{}", False),
        ("file://localhost{}", False),
        ("file://{}", True),
    ],
)
def test_a_file_url_is_its_path(form, escaped, tmp_path):
    folder = tmp_path / "a b%"
    path = str(folder).replace("%", "%25")
    url = form.format(path.replace(" ", "%20") if escaped else path)
    assert Checkpoint(step=3).save(f"{url}/final") == f"{folder}/final-1"
    restored = Checkpoint(step=0)
    restored.restore(f"{url}/final-1")
    assert restored.step == 3
    assert latest_checkpoint(url) == f"{folder}/final-1"
    assert inspection.info(url).directory == str(folder)


@pytest.mark.parametrize("bad", ["", b"", None, 3, ["s3://bucket"], "a\0b", "file:///a%00b"])
def test_what_is_no_path_is_refused(bad):
    with pytest.raises(rekindle.ArgumentError, match="Expected the path of a folder") as caught:
        CheckpointManager(Checkpoint(step=0), bad, 3)
    assert caught.value.argument == "directory"
