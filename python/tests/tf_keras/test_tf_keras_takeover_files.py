"""Forged and special files in a backup of tf_keras' own: refused before TensorFlow opens them."""

from __future__ import annotations

import os
import shutil
import struct

import pytest
import tensorflow as tf
from small_tf_fit import Interrupt, assert_same, fit, make_model, weights
from tf_keras.callbacks import BackupAndRestore as Theirs

import rekindle
from rekindle._tf_keras import tf_files_given
from rekindle.tf_keras import BackupAndRestore


@pytest.fixture
def checkpoint(backup_dir):
    """The path of a checkpoint that tf_keras' callback left."""
    with pytest.raises(RuntimeError, match="Interrupting!"):
        fit(make_model(), Theirs(str(backup_dir)), Interrupt(1, 4))
    (index,) = (backup_dir / "chief").glob("*.index")
    return index.with_suffix("")


def data_of(checkpoint):
    return checkpoint.with_name(checkpoint.name + ".data-00000-of-00001")


def index_of(checkpoint):
    return checkpoint.with_name(checkpoint.name + ".index")


def link(path):
    elsewhere = path.parent.parent.parent / path.name
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def fifo(path):
    path.unlink()
    os.mkfifo(path)


def huge(path):
    os.truncate(path, 1 << 40)


def refused(backup_dir, match):
    model = make_model()
    before = weights(model)
    with pytest.raises(rekindle.DamageError, match=match):
        fit(model, BackupAndRestore(backup_dir))
    assert_same(before, weights(model))


@pytest.mark.parametrize("part", [data_of, index_of])
@pytest.mark.parametrize(
    ("kind", "why"), [(link, "not a regular"), (fifo, "not a regular"), (huge, "larger than")]
)
def test_it_is_refused_without_waiting(backup_dir, checkpoint, part, kind, why):
    kind(part(checkpoint))
    refused(backup_dir, why)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="gives files to other users"
)
@pytest.mark.parametrize("part", [data_of, index_of])
def test_another_users_file_in_ones_own_folder_is_refused(backup_dir, checkpoint, part):
    os.chown(part(checkpoint), 54321, -1)
    with pytest.raises(rekindle.ForeignFileError, match="belongs to user 54321"):
        fit(make_model(), BackupAndRestore(backup_dir))


def test_a_link_in_place_of_their_folder_is_refused(backup_dir, checkpoint, tmp_path):
    shutil.move(checkpoint.parent, tmp_path / "elsewhere")
    checkpoint.parent.symlink_to(tmp_path / "elsewhere")
    refused(backup_dir, "that is not whole")


@pytest.mark.parametrize("name", ["{elsewhere}/{0}", "../../elsewhere/{0}"])
def test_their_list_leads_to_no_other_folder(backup_dir, checkpoint, tmp_path, name):
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(checkpoint.parent, elsewhere)
    listed = name.format(checkpoint.name, elsewhere=elsewhere)
    (checkpoint.parent / "checkpoint").write_text(f'model_checkpoint_path: "{listed}"\n')
    data_of(checkpoint).write_bytes(b"cut")
    refused(backup_dir, "that is not whole")


def crc32c(data):
    """The checksum of TensorFlow's files, as they store it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0x82F63B78 * (crc & 1)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def claim(index, shape, claimed):
    """Replaces a shape in an index, in its first block, and makes the checksum right."""
    content = bytearray(index.read_bytes())
    block = next(
        size
        for size in range(len(content) - 5)
        if struct.unpack_from("<I", content, size + 1)[0] == crc32c(content[: size + 1])
    )
    old, new = (b"".join(b"\x12\x02\x08%c" % size for size in one) for one in (shape, claimed))
    assert content[:block].count(old) >= 1
    content[:block] = content[:block].replace(old, new)
    struct.pack_into("<I", content, block + 1, crc32c(content[: block + 1]))
    index.write_bytes(content)


def test_arrays_that_claim_more_than_the_files_have_are_refused(backup_dir, checkpoint):
    claim(index_of(checkpoint), (3, 4), (127, 127))
    shapes = tf.train.load_checkpoint(str(checkpoint)).get_variable_to_shape_map()
    assert [127, 127] in shapes.values()
    refused(backup_dir, "its arrays claim")


def test_tensorflow_reads_the_files_that_were_opened(backup_dir, checkpoint, monkeypatch):
    look = tf_files_given._refuse_larger

    def swap_after(given, total):
        look(given, total)
        for path in (data_of(checkpoint), index_of(checkpoint)):
            path.rename(path.with_name("was." + path.name))
            path.write_bytes(b"another file")

    monkeypatch.setattr(tf_files_given, "_refuse_larger", swap_after)
    with pytest.warns(rekindle.TakeoverWarning, match="the backup of tf_keras' own"):
        fit(make_model(), BackupAndRestore(backup_dir))
