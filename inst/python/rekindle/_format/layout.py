"""The folder on disk: every name and constant of format 1, and nothing else.

A folder with the prefix ``ckpt`` holds::

    ckpt-12.json            manifest of checkpoint 12; the commit is its rename to this name
    ckpt-12.safetensors     pack: the arrays that checkpoint 12 was the first to need
    ckpt-12.1.safetensors   a second pack of checkpoint 12; or a pack of a new checkpoint 12,
                            written while the name above was still in use
    ckpt-12.s17.safetensors a pack in an object store, written in session 17 of the place's lock
    checkpoint              list of the kept checkpoints, for people and other tools; rebuilt from
                            the manifests
    takeover.json           backups of Keras' own callback whose run is complete
    ckpt.witness            what a run saw since its last checkpoints; evidence, and no state
    .lock                   lock file; the operating system holds the lock while a run lives
    .rekindle-*.tmp         a file being written; if no run holds the lock, a leftover of a crash
    *.damaged               quarantined file: its bytes are not those that were written
"""

from __future__ import annotations

import re
from collections.abc import Callable

FORMAT = 1

PREFIX = "ckpt"
LOCK = ".lock"
STATE = "checkpoint"
# Without this file, the next run in the folder would begin with Keras' backups of a complete run.
# rekindle must not remove those backups, because it did not write them.
SETTLED = "takeover.json"
WITNESS = "ckpt.witness"

TEMPORARY_PREFIX = ".rekindle-"
TEMPORARY_SUFFIX = ".tmp"
DAMAGED_SUFFIX = ".damaged"

# The first bytes of rekindle's files. They tell these files from foreign files without a digest.
LOCK_MAGIC = b'{"rekindle_lock":'
STATE_MAGIC = b"# rekindle "
SETTLED_MAGIC = b'{"rekindle_takeover":'
WITNESS_MAGIC = b'{"rekindle_witness":'
MANIFEST_MAGIC = b'{"rekindle_format":'
PACK_METADATA_KEY = "rekindle"

# safetensors stores a file's metadata under this name, beside the arrays. No array can have it.
PACK_METADATA = "__metadata__"

# The last line of a manifest: the XXH3-128 of every byte before it. It must stay the last line in
# every later format, so that any reader can tell a newer manifest from a damaged manifest.
DIGEST_LINE = re.compile(rb'"xxh3_128":"([0-9a-f]{32})"\}\n')
DIGEST_LINE_LENGTH = len('"xxh3_128":""}\n') + 32

# The data of a pack begins at a multiple of this, so that a mapped array is aligned for any dtype.
PACK_ALIGNMENT = 64

# In a large pack, the data begins at a multiple of this, the largest block of the disks in use.
# rekindle can then write memory at such an address directly, past the system's cache.
BLOCK = 4096

# A pack with at least so many bytes of arrays is a large one. The system writes less than this into
# its cache in almost no time.
LARGE_PACK = 16 << 20

# A checkpoint's number in a name: no sign, no leading zero, and small enough for 64 bits.
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

# Larger files under these names count as damaged: a hostile file must not fill the memory. A
# manifest of 100,000 arrays with names of 100 characters has 55 MB. The limit of a pack's header
# is the limit of the safetensors library.
MAX_MANIFEST_BYTES = 1 << 27
MAX_PACK_HEADER_BYTES = 100_000_000
MAX_STATE_BYTES = 1 << 26

# Every count in a manifest is less than this, and so is a serial (a place in the order of saving).
COUNT_LIMIT = 1 << 63

# The largest distance of a time from 1970, before or after, in POSIX seconds.
LAST_TIME = 99_999_999_999.0


def manifest_name(prefix: str, number: int) -> str:
    return f"{prefix}-{number}.json"


def pack_name(prefix: str, number: int, again: int = 0, session: int = 0) -> str:
    written = f".s{session}" if session else ""
    return f"{prefix}-{number}{written}{f'.{again}' if again else ''}.safetensors"


# The names of manifests and packs with any prefix.
ANY_MANIFEST = re.compile(rf"(?P<prefix>.+)-{_NUMBER}\.json")
ANY_PACK = re.compile(
    rf"(?P<prefix>.+)-{_NUMBER}(?:\.s(?P<session>[1-9][0-9]{{0,10}}))?(?:\.[1-9][0-9]{{0,8}})?"
    r"\.safetensors"
)


# The ending of a quarantined file's name. It has a number if the name without one was in use.
DAMAGED_ENDING = re.compile(rf"{re.escape(DAMAGED_SUFFIX)}(?:-[1-9][0-9]*)?$")


def of_checkpoint(name: str) -> re.Match[str] | None:
    """The parts of the name of a manifest or a pack, of any prefix; ``None`` for other names."""
    return ANY_MANIFEST.fullmatch(name) or ANY_PACK.fullmatch(name)


def damaged_name(name: str, is_taken: Callable[[str], bool]) -> str:
    """The name for a file that is quarantined, which no other file has."""
    target, again = name + DAMAGED_SUFFIX, 1
    while is_taken(target):
        again += 1
        target = f"{name}{DAMAGED_SUFFIX}-{again}"
    return target


def pack_number(name: str, prefix: str) -> int | None:
    """The number of the checkpoint that wrote a pack; ``None`` if `name` is no pack of `prefix`."""
    match = ANY_PACK.fullmatch(name)
    return int(match[2]) if match and match["prefix"] == prefix else None


def pack_session(name: str) -> int:
    """The session in the name of a pack; 0 if it has none."""
    match = ANY_PACK.fullmatch(name)
    return int(match["session"] or 0) if match else 0


def temporary_name(name: str) -> str:
    return f"{TEMPORARY_PREFIX}{name}{TEMPORARY_SUFFIX}"


def final_name(name: str) -> str | None:
    """The final name for a temporary name; ``None`` if `name` is not a temporary name.

    The final name may be a name that rekindle does not use.
    """
    if not (name.startswith(TEMPORARY_PREFIX) and name.endswith(TEMPORARY_SUFFIX)):
        return None
    return name[len(TEMPORARY_PREFIX) : -len(TEMPORARY_SUFFIX)]


def is_own_name(name: str, prefix: str) -> bool:
    """Whether `name` is a manifest or a pack of the prefix, or a file beside them."""
    match = of_checkpoint(name)
    return name in (LOCK, STATE, WITNESS) or (match is not None and match["prefix"] == prefix)


# The name of a checkpoint in the file `checkpoint`.
STATE_LINE = re.compile(rb'^all_model_checkpoint_paths: "([^"\n]+)"$', re.MULTILINE)
