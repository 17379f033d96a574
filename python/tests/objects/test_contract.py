"""Object stores keep the contract of every storage; see also `tests/storage/test_storage.py`."""

from __future__ import annotations

from contract import FilesContract
from contract_of_locks import LockContract


class TestContract(FilesContract, LockContract):
    """On a server of S3 and, where it is installed, on Azure's emulator."""
