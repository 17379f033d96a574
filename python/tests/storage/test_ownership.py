"""A run resumes from files of its own user and of root, never from files of another user."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from owners import OTHER, manager, needs_root, refused, restores

import rekindle
from rekindle import inspection
from rekindle._storage.local import guard


@pytest.fixture
def folder(tmp_path):
    """A folder with a checkpoint that root can read, for any owner."""
    manager(tmp_path / "backup", 7.0).save()
    return tmp_path / "backup"


def test_ones_own_folder_is_restored(folder):
    assert restores(folder)


@needs_root
def test_another_users_folder_is_refused_with_whose_it_is_and_what_to_do(folder):
    os.chown(folder, OTHER, -1)
    error = refused(folder)
    assert error.path == str(folder)
    for words in (f"user {OTHER}", "runs as root", "cp -r", "chown -R root"):
        assert words in str(error)


@needs_root
def test_the_folder_is_looked_at_where_it_is_read(folder, tmp_path, monkeypatch):
    os.chown(folder, OTHER, -1)
    monkeypatch.chdir(folder.parent)
    with manager(folder.name) as reading:
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        with pytest.raises(rekindle.ForeignFileError):
            reading.restore_or_initialize()
        assert reading.checkpoint.x.tolist() == [0.0]


@needs_root
@pytest.mark.parametrize("what", ["", "ckpt-1.json"])
def test_nothing_is_saved_where_nothing_would_be_restored(what, folder):
    os.chown(folder / what, OTHER, -1)
    before = sorted(os.listdir(folder))
    saving = manager(folder)
    for _ in range(2):
        with pytest.raises(rekindle.ForeignFileError, match="does not resume from another user's"):
            saving.save()
    assert sorted(os.listdir(folder)) == before


@needs_root
@pytest.mark.parametrize("name", ["ckpt-1.json", "ckpt-1.safetensors"])
def test_another_users_file_in_ones_own_folder_is_refused(name, folder):
    os.chown(folder / name, OTHER, -1)
    assert refused(folder).path == str(folder / name)


@needs_root
def test_another_users_other_files_are_left_alone(folder):
    for name in ("notes.txt", "config.json"):
        (folder / name).write_text("{}")
        os.chown(folder / name, OTHER, -1)
    assert restores(folder)


@needs_root
def test_what_is_looked_at_may_be_anybodys(folder):
    shutil.copytree(folder, folder.parent / "theirs")
    theirs = folder.parent / "theirs"
    for path in (theirs, *theirs.iterdir()):
        os.chown(path, OTHER, -1)
    inspection.verify(str(theirs))
    assert inspection.info(str(theirs)) is not None
    assert rekindle.latest_checkpoint(theirs) is not None


@needs_root
@pytest.mark.parametrize("inside", [False, True])
def test_another_users_link_in_a_shared_folder_is_refused(inside, folder, tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    link = shared / "link"
    link.symlink_to(folder.parent if inside else folder)
    path = link / folder.name if inside else link
    assert restores(path)
    os.chown(link, OTHER, -1, follow_symlinks=False)
    assert refused(path).path == str(link)


@needs_root
def test_a_link_to_another_users_link_is_refused(folder, tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    (shared / "link").symlink_to(folder)
    os.chown(shared / "link", OTHER, -1, follow_symlinks=False)
    (tmp_path / "mine").symlink_to("shared/link")
    assert refused(tmp_path / "mine").path == str(shared / "link")


@needs_root
def test_another_user_sees_roots_files_as_trusted_and_a_third_ones_as_not():
    # Not in pytest's own folder, because other users cannot enter it.
    with tempfile.TemporaryDirectory() as top:
        os.chmod(top, 0o755)
        mine, other = Path(top, "roots"), Path(top, "others")
        for path, owner in ((mine, 0), (other, OTHER)):
            path.mkdir()
            os.chown(path, owner, -1)
        os.seteuid(OTHER + 1)
        try:
            guard.refuse_others(str(mine))
            with pytest.raises(rekindle.ForeignFileError, match=f"user {OTHER + 1}"):
                guard.refuse_others(str(other))
        finally:
            os.seteuid(0)


@needs_root
def test_a_file_system_that_shows_other_owners_is_no_hindrance(folder, monkeypatch):
    for path in (folder, *folder.iterdir()):
        os.chown(path, OTHER, -1)
    # NFS that squashes root, or CIFS, does this: a file that we create belongs to that user too.
    monkeypatch.setattr(guard, "_owner_of_new_files", lambda folder: {OTHER})
    assert restores(folder)


def test_one_file_tells_how_the_file_system_shows_owners(folder, monkeypatch):
    asked = []
    monkeypatch.setattr(os, "geteuid", lambda: OTHER)
    real = guard._owner_of_new_files
    monkeypatch.setattr(guard, "_owner_of_new_files", lambda path: asked.append(path) or real(path))
    guard.refuse_others(str(folder))
    # Files of root do not need this check.
    assert len(asked) <= 1
    assert not [name for name in os.listdir(folder) if name.endswith(".owner")]


@pytest.mark.parametrize("restores_first", [False, True])
def test_a_manager_asks_once(restores_first, folder, monkeypatch):
    asked = []
    monkeypatch.setattr(guard, "refuse_others", lambda folder, also: asked.append(folder))
    with manager(folder) as writing:
        if restores_first:
            writing.restore_or_initialize()
        for _ in range(3):
            writing.save()
    assert asked == [str(folder)]


@needs_root
@pytest.mark.parametrize("trusted", [str(OTHER), f" nobody , {OTHER},", "{name}"])
def test_files_of_a_trusted_user_are_ones_own(trusted, folder, monkeypatch):
    owner = OTHER
    if trusted == "{name}":
        import pwd

        owner, trusted = pwd.getpwnam("nobody").pw_uid, "nobody"
    for path in (folder, *folder.iterdir()):
        os.chown(path, owner, -1)
    refused(folder)
    monkeypatch.setenv("REKINDLE_TRUST_OWNER", trusted)
    assert restores(folder)
    os.chown(folder / "ckpt-1.json", OTHER + 1, -1)
    assert refused(folder).path == str(folder / "ckpt-1.json")


@needs_root
def test_the_refusal_says_how_to_trust_the_owner(folder, monkeypatch):
    os.chown(folder, OTHER, -1)
    assert f"the environment variable REKINDLE_TRUST_OWNER to {OTHER}." in str(refused(folder))


@pytest.mark.parametrize("value", ["no such user", "all", "-1", "0x10", "1;2", "²"])
def test_a_user_that_is_not_there_is_refused_by_name(value, folder, monkeypatch):
    monkeypatch.setenv("REKINDLE_TRUST_OWNER", value)
    with pytest.raises(rekindle.ArgumentError, match="REKINDLE_TRUST_OWNER") as caught:
        manager(folder).restore_or_initialize()
    assert repr(value) in str(caught.value)
    assert "names or numbers of users" in str(caught.value)


@needs_root
@pytest.mark.parametrize("mode", [0o770, 0o2775, 0o777, 0o1777])
def test_the_folder_of_a_project_may_be_writable_for_others(mode, folder):
    folder.parent.chmod(mode)
    assert restores(folder)
    os.chown(folder, OTHER, -1)
    refused(folder)


@needs_root
@pytest.mark.parametrize(("mode", "is_refused"), [(0o770, True), (0o777, True), (0o755, False)])
def test_another_users_link_is_refused_where_others_may_write(mode, is_refused, folder, tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    project.chmod(mode)
    link = project / "link"
    link.symlink_to(folder)
    os.chown(link, OTHER, -1, follow_symlinks=False)
    if is_refused:
        assert refused(link).path == str(link)
    else:
        assert restores(link)
    # Who owns the folder decides over its names in any case.
    os.chown(project, OTHER, -1)
    assert restores(link)


def test_what_is_not_there_is_nobodys(tmp_path):
    guard.refuse_others(str(tmp_path / "no" / "such"))


def test_without_owners_nothing_is_checked(folder, monkeypatch):
    monkeypatch.delattr(os, "geteuid", raising=False)
    guard.refuse_others(str(folder))
