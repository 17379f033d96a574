"""Files under the name of Keras' weights that no Keras wrote. Each function forges one."""

from __future__ import annotations

import os
import struct

import h5py
import numpy as np

KERNEL = "layers/dense/vars/0"
SHAPE = (3, 4)
SECRET = 77.0

# Where a file without a user block holds its own size.
_SIZE_AT = 40


def _secret_file(path):
    """Another file of the user's, with an array that would fit."""
    other = path.parent.parent / "secret.h5"
    with h5py.File(other, "w") as file:
        file["x"] = np.full(SHAPE, SECRET, "float32")
        file["vars/0"] = np.full(SHAPE, SECRET, "float32")
        file["vars/1"] = np.full(SHAPE[1:], SECRET, "float32")
    return other


def link_to_an_array_elsewhere(path):
    with h5py.File(path, "r+") as file:
        del file[KERNEL]
        file[KERNEL] = h5py.ExternalLink(_secret_file(path), "/x")


def link_to_a_group_elsewhere(path):
    with h5py.File(path, "r+") as file:
        del file["layers/dense"]
        file["layers/dense"] = h5py.ExternalLink(_secret_file(path), "/")


def link_inside(path):
    with h5py.File(path, "r+") as file:
        file["kept"] = file[KERNEL][()]
        del file[KERNEL]
        file[KERNEL] = h5py.SoftLink("/kept")


def link_with_a_name_that_moves_the_cursor(path):
    with h5py.File(path, "r+") as file:
        file["\x1b[2J"] = h5py.SoftLink("/layers")


def _instead(path, **how):
    with h5py.File(path, "r+") as file:
        del file[KERNEL]
        file.create_dataset(KERNEL, dtype="float32", **how)


def bytes_elsewhere(path):
    other = path.parent.parent / "secret.bin"
    other.write_bytes(np.full(SHAPE, SECRET, "float32").tobytes())
    _instead(path, shape=SHAPE, external=[(str(other), 0, h5py.h5f.UNLIMITED)])


def array_of_other_files(path):
    layout = h5py.VirtualLayout(shape=SHAPE, dtype="float32")
    layout[...] = h5py.VirtualSource(str(_secret_file(path)), "x", shape=SHAPE)
    with h5py.File(path, "r+") as file:
        del file[KERNEL]
        file.create_virtual_dataset(KERNEL, layout)


def huge_shape(path):
    _instead(path, shape=(1 << 20, 1 << 20))


def product_of_sizes_that_overflows(path):
    _instead(path, shape=(1 << 31, 1 << 31, 4), chunks=(1, 1, 1))


def huge_array_compressed(path):
    _instead(path, shape=(1 << 17, 1 << 10), chunks=(1 << 17, 1 << 10), compression="gzip")
    with h5py.File(path, "r+") as file:
        file[KERNEL].id.write_direct_chunk((0, 0), b"\0" * 9)


def huge_piece(path):
    _instead(path, shape=SHAPE, maxshape=(None, None), chunks=(1 << 14, 1 << 14))


def filter_on_a_small_array(path):
    _instead(path, data=np.zeros(SHAPE, "float32"), compression="gzip")


def deep_groups(path):
    with h5py.File(path, "r+") as file:
        group = file.id
        for _ in range(5000):
            group = h5py.h5g.create(group, b"g")


def many_groups(path):
    with h5py.File(path, "r+") as file:
        for number in range(100_000):
            h5py.h5g.create(file.id, b"g%d" % number)


def circle(path):
    with h5py.File(path, "r+") as file:
        file["layers/again"] = file["/"]


def two_names(path):
    with h5py.File(path, "r+") as file:
        file["again"] = file["layers/dense"]


def same_bytes_many_times(path):
    """Ten arrays that all claim the bytes of the first, in a file that is not as large as ten."""
    size = 1 << 20
    with h5py.File(path, "r+") as file:
        file.create_dataset("0", data=np.zeros(size, "uint8"))
        for number in range(1, 10):
            file.create_dataset(str(number), data=np.zeros(size, "uint8"))
        offsets = [file[str(number)].id.get_offset() for number in range(10)]
    content = path.read_bytes()
    for offset in offsets[1:]:
        content = content.replace(
            struct.pack("<QQ", offset, size), struct.pack("<QQ", offsets[0], size)
        )
    last = max(offsets)
    kept = bytearray(content[:last] + content[last + size :])
    struct.pack_into("<Q", kept, _SIZE_AT, len(kept))
    path.write_bytes(kept)
    with h5py.File(path) as file:
        assert {file[str(number)].id.get_offset() for number in range(10)} == {offsets[0]}


def text(path):
    with h5py.File(path, "r+") as file:
        file.create_dataset("names", data=["a", "b"], dtype=h5py.string_dtype())


def references(path):
    with h5py.File(path, "r+") as file:
        file.create_dataset("reference", data=file["layers"].ref, dtype=h5py.ref_dtype)


def no_shape(path):
    with h5py.File(path, "r+") as file:
        file["empty"] = h5py.Empty("float32")


def named_type(path):
    with h5py.File(path, "r+") as file:
        file["type"] = np.dtype("float64")


def many_attributes(path):
    with h5py.File(path, "r+") as file:
        for number in range(100):
            file["layers"].attrs[str(number)] = 1


def attribute_of_many_texts(path):
    with h5py.File(path, "r+") as file:
        file["layers"].attrs["dtype"] = ["x" * 1000] * 1000


def sparse(path):
    os.truncate(path, 40 << 30)


# How the refusal of each names it.
REFUSED = {
    link_to_an_array_elsewhere: "a link to another file",
    link_to_a_group_elsewhere: "a link to another file",
    link_inside: "a link to another name",
    link_with_a_name_that_moves_the_cursor: r"another name \(/\\x1b\[2J\)",
    bytes_elsewhere: "an array whose bytes are in another file",
    array_of_other_files: "an array that is put together from other arrays",
    huge_shape: "an array that is larger than its bytes in the file",
    product_of_sizes_that_overflows: "an array in several pieces",
    huge_array_compressed: "an array in several pieces",
    huge_piece: "an array in several pieces",
    filter_on_a_small_array: "an array in several pieces",
    deep_groups: "more than 100 groups inside each other",
    many_groups: r"more than 20[0-9]{3} groups and arrays",
    circle: "an object with two names",
    two_names: "an object with two names",
    same_bytes_many_times: "more bytes of arrays than the file",
    text: "an array that is not of numbers",
    references: "an array that is not of numbers",
    no_shape: "an array without a shape",
    named_type: "an object that is no group and no array",
    many_attributes: "more than 64 attributes",
    attribute_of_many_texts: "an attribute that is too large",
    sparse: "rekindle reads at most",
}
