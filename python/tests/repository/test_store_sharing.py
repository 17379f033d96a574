from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rekindle._format.snapshot import Snapshot
from rekindle._repository import dedup, pack
from rekindle._repository.repository import Repository
from rekindle._storage.local import recycle
from rekindle._storage.local.storage import LocalStorage

MEGABYTE = 1 << 20


def megabytes(count: float, value: int) -> np.ndarray:
    return np.full(int(count * MEGABYTE), value, np.uint8)


def data_bytes(home) -> int:
    """Bytes of arrays in all packs of the folder, including dead bytes and the spare."""
    packs = [path for path in home.iterdir() if ".safetensors" in path.name]
    return sum(path.stat().st_size - header_bytes(path) for path in packs)


def header_bytes(pack) -> int:
    with pack.open("rb") as file:
        return 8 + int.from_bytes(file.read(8), "little")


def written(folder: Repository, arrays: dict[str, np.ndarray]) -> int:
    """Saves, and returns the bytes of arrays that this save writes."""
    before = {name for manifest in folder.manifests for name in manifest.packs}
    manifest = folder.commit(Snapshot(arrays))
    folder.keep(folder.numbers[-1:])
    return sum(
        pack.size - pack.header for name, pack in manifest.packs.items() if name not in before
    )


class TestDisk:
    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(
        sizes=st.lists(st.integers(1, 9), min_size=1, max_size=7),
        written_over=st.sampled_from([0, 3000, 10**6]),
        changes=st.lists(st.lists(st.booleans(), min_size=7, max_size=7), max_size=10),
        kept=st.integers(1, 3),
    )
    def test_whatever_changes_the_folder_holds_at_most_the_kept_states_and_1_2_more(
        self, tmp_path_factory, sizes, written_over, changes, kept
    ):
        home = tmp_path_factory.mktemp("disk") / "backup"
        folder = Repository(LocalStorage(str(home)), "1.2.3")
        folder.open()
        values = [0] * len(sizes)
        state = sum(1000 * size for size in sizes)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(dedup, "_LEAST_SETTLED", 0)
            patch.setattr(recycle, "_LEAST", written_over)
            for index, change in enumerate([[True] * 7, *changes]):
                values = [
                    index if changed else value
                    for value, changed in zip(values, change, strict=False)
                ]
                arrays = {
                    str(i): np.full(1000 * size, value, np.uint8)
                    for i, (size, value) in enumerate(zip(sizes, values, strict=True))
                }
                folder.commit(Snapshot(arrays))
                # The new checkpoint exists, and no older one is removed yet.
                assert data_bytes(home) <= (kept + 1.2) * state
                folder.keep(folder.numbers[-kept:])
        folder.close()
        save = folder.newest()
        assert all((save.arrays[name] == array).all() for name, array in arrays.items())
        folder.close()

    def test_with_nine_tenths_frozen_only_what_is_trained_is_written(self, folder):
        frozen = {f"frozen/{i}": megabytes(1, i) for i in range(9)}

        def state(step: int) -> dict[str, np.ndarray]:
            return frozen | {name: megabytes(1, step) for name in ("kernel", "m", "v")}

        sizes = [written(folder, state(step)) / MEGABYTE for step in range(6)]
        # From the second save on, rekindle knows which arrays are frozen, and gives them a separate
        # pack.
        assert sizes == [12, 12, 3, 3, 3, 3]

    def test_a_tenth_that_changes_is_all_that_is_ever_written_again(self, folder):
        frozen = {f"frozen/{i}": megabytes(1, i) for i in range(9)}
        sizes = [written(folder, frozen | {"kernel": megabytes(1, step)}) for step in range(4)]
        assert sizes == [10 * MEGABYTE, MEGABYTE, MEGABYTE, MEGABYTE]

    def test_arrays_that_change_in_turn_do_not_leave_a_file_each(self, folder, home):
        values = dict.fromkeys((f"a{i}" for i in range(40)), 0)
        for step in range(80):
            values[f"a{step % 40}"] = step
            arrays = {name: np.full(1000, value, np.uint8) for name, value in values.items()}
            folder.commit(Snapshot(arrays))
            folder.keep(folder.numbers[-1:])
            assert len(list(home.glob("*.safetensors"))) <= 17

    def test_small_arrays_that_do_not_change_get_no_file_of_their_own(self, folder, home):
        for step in range(4):
            arrays = {"a": np.full(1000, step, np.uint8), "b": np.zeros(1000, np.uint8)}
            folder.commit(Snapshot(arrays))
            folder.keep(folder.numbers[-1:])
        assert len(list(home.glob("*.safetensors"))) == 1


class TestTwoPacks:
    @pytest.fixture
    def first_in_two(self, folder):
        """A folder in which the next save, of `state(2)`, writes two packs."""
        for step in range(2):
            written(folder, self.state(step))
        return folder

    @staticmethod
    def state(step: int) -> dict[str, np.ndarray]:
        frozen = {"frozen": megabytes(2, 7), "seldom": megabytes(1, step // 2)}
        return frozen | {"kernel": megabytes(1, step)}

    def test_both_are_named_for_the_save_and_hold_its_arrays(self, first_in_two, home):
        first_in_two.commit(Snapshot(self.state(2)))
        first_in_two.close()
        save = first_in_two.newest()
        assert set(save.manifest.packs) == {"ckpt-3.safetensors", "ckpt-3.1.safetensors"}
        for name, array in self.state(2).items():
            np.testing.assert_array_equal(save.arrays[name], array)

    def test_a_failure_at_the_second_leaves_neither(self, first_in_two, home, monkeypatch):
        def failing(path, name, *rest):
            if name == "ckpt-3.1.safetensors":
                raise OSError(28, "No space left on device")
            return whole(path, name, *rest)

        whole = pack.write
        before = {path.name for path in home.iterdir()}
        monkeypatch.setattr("rekindle._repository.pack.write", failing)
        with pytest.raises(Exception, match="No space left on device"):
            first_in_two.commit(Snapshot(self.state(2)))
        assert {path.name for path in home.iterdir()} == before
