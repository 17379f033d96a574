"""The folder on disk: every name and constant of format 1, and nothing else.

A folder with the prefix ``ckpt`` holds::

    ckpt-12.json            manifest of save 12; its appearance under this name is the commit
    ckpt-12.safetensors     pack: the arrays that save 12 was the first to need
    ckpt-12.1.safetensors   a second one, or one of a save 12 written again while the name above
                            was still in use
    checkpoint              what is kept, for people and for other tools; rebuilt from the manifests
    takeover.json           which backups of Keras' own callback are done with
    .lock                   held by the operating system while a run lives
    .rekindle-*.tmp         being written; a leftover of a crash when nobody holds the lock
    *.damaged               set aside because its bytes are not those that were written
"""

from __future__ import annotations

import re

FORMAT = 1

PREFIX = "ckpt"
LOCK = ".lock"
STATE = "checkpoint"
# Without it, the next run in the folder would begin with backups of Keras whose run is complete:
# they are not ours to remove.
SETTLED = "takeover.json"

TEMPORARY_PREFIX = ".rekindle-"
TEMPORARY_SUFFIX = ".tmp"
DAMAGED_SUFFIX = ".damaged"

# The first bytes of the files that are not told from foreign ones by a digest.
LOCK_MAGIC = b'{"rekindle_lock":'
STATE_MAGIC = b"# rekindle "
SETTLED_MAGIC = b'{"rekindle_takeover":'
MANIFEST_MAGIC = b'{"rekindle_format":'
PACK_METADATA_KEY = "rekindle"

# Where safetensors keeps a file's metadata, beside the arrays: no array can have this name.
PACK_METADATA = "__metadata__"

# The last line of a manifest: the XXH3-128 of every byte before it. It stays the last line in every
# later format, so that any reader can tell a newer manifest from a damaged one.
DIGEST_LINE = re.compile(rb'"xxh3_128":"([0-9a-f]{32})"\}\n')
DIGEST_LINE_LENGTH = len('"xxh3_128":""}\n') + 32

# Where the data of a pack begins is a multiple of this, so that a mapped array is aligned for any
# dtype.
PACK_ALIGNMENT = 64

# In a large pack it is a multiple of this, the largest block that disks in use have: what lies in
# memory at such a place is then written from there past the system's cache.
BLOCK = 4096

# A save's number as it stands in a name: no sign, no leading zero, and small enough for 64 bits.
_NUMBER = r"(0|[1-9][0-9]{0,17})"
MAX_NUMBER = 10**18 - 1

# NumPy's name of a dtype -> the name that safetensors gives it.
DTYPES = {
    "bool": "BOOL",
    "uint8": "U8",
    "int8": "I8",
    "uint16": "U16",
    "int16": "I16",
    "uint32": "U32",
    "int32": "I32",
    "uint64": "U64",
    "int64": "I64",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2",
    "float16": "F16",
    "bfloat16": "BF16",
    "float32": "F32",
    "float64": "F64",
    "complex64": "C64",
}

# NumPy 1 arrays have at most 32 axes.
MAX_AXES = 32

# Larger files under these names are damaged: a hostile one must not fill the memory. The manifest
# of 100,000 arrays whose names have 100 characters has 55 MB. The second is the limit of the
# safetensors library.
MAX_MANIFEST_BYTES = 1 << 27
MAX_PACK_HEADER_BYTES = 100_000_000
MAX_STATE_BYTES = 1 << 26

# A place in the order of saving, like any other count in a manifest, is less than this.
COUNT_LIMIT = 1 << 63

# No time is further from 1970, in POSIX seconds, before or after.
LAST_TIME = 99_999_999_999.0


def manifest_name(prefix: str, number: int) -> str:
    return f"{prefix}-{number}.json"


def pack_name(prefix: str, number: int, again: int = 0) -> str:
    return f"{prefix}-{number}.{again}.safetensors" if again else f"{prefix}-{number}.safetensors"


# A manifest's name, and a pack's, whatever the prefix.
ANY_MANIFEST = re.compile(rf"(?P<prefix>.+)-{_NUMBER}\.json")
ANY_PACK = re.compile(rf"(?P<prefix>.+)-{_NUMBER}(?:\.[1-9][0-9]{{0,8}})?\.safetensors")


# What a damaged file's name ends in once it is set aside; a number when that name was taken.
DAMAGED_ENDING = re.compile(rf"{re.escape(DAMAGED_SUFFIX)}(?:-[1-9][0-9]*)?$")


def pack_number(name: str, prefix: str) -> int | None:
    """The save that a pack was written with; ``None`` if it is no name of one of this prefix."""
    match = ANY_PACK.fullmatch(name)
    return int(match[2]) if match and match["prefix"] == prefix else None


def temporary_name(name: str) -> str:
    return f"{TEMPORARY_PREFIX}{name}{TEMPORARY_SUFFIX}"


def final_name(name: str) -> str | None:
    """The name that what is written under this temporary name is to have; ``None`` if it is none.

    It may be no name of ours.
    """
    if not (name.startswith(TEMPORARY_PREFIX) and name.endswith(TEMPORARY_SUFFIX)):
        return None
    return name[len(TEMPORARY_PREFIX) : -len(TEMPORARY_SUFFIX)]


def is_own_name(name: str, prefix: str) -> bool:
    """Whether it is the name of a manifest or a pack of the prefix, or of the list of saves."""
    match = ANY_MANIFEST.fullmatch(name) or ANY_PACK.fullmatch(name)
    return name == STATE or (match is not None and match["prefix"] == prefix)


# A save's name where the file `checkpoint` lists it.
STATE_LINE = re.compile(rb'^all_model_checkpoint_paths: "([^"\n]+)"$', re.MULTILINE)
