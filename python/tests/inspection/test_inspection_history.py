"""The history and the arrays of a checkpoint, read without a backend."""

from __future__ import annotations

import pytest
from backups import fill, flip

import rekindle
from rekindle import inspection


class TestHistory:
    def test_it_is_that_of_the_latest_save_or_of_the_one_asked_for(self, home):
        fill(home, 3)
        found = inspection.history(home)
        assert (found.save, found.epoch) == ("ckpt-3", [0, 1, 2])
        assert found.metrics == {"loss": [1, 1 / 2, 1 / 3]}
        assert inspection.history(home, 2).epoch == [0, 1]
        assert inspection.history(home, "ckpt-1").epoch == [0]

    def test_a_damaged_latest_save_is_passed_over(self, home):
        fill(home, 3)
        flip(home / "ckpt-3.json")
        assert inspection.history(home).save == "ckpt-2"

    def test_a_save_that_is_not_there_is_an_error_that_lists_those_that_are(self, home):
        with pytest.raises(rekindle.RestoreError, match="There is no folder"):
            inspection.history(home)
        home.mkdir()
        with pytest.raises(rekindle.RestoreError, match="There is no checkpoint in"):
            inspection.history(home)
        fill(home, 2)
        for which in (7, "ckpt-7", "other-1"):
            with pytest.raises(rekindle.RestoreError, match="ckpt-1, ckpt-2"):
                inspection.history(home, which)

    def test_a_number_that_two_prefixes_have_is_ambiguous(self, home):
        fill(home, 1)
        fill(home, 1, prefix="best")
        with pytest.raises(rekindle.ArgumentError, match="'best-1', 'ckpt-1'"):
            inspection.history(home, 1)
        assert inspection.history(home, "best-1").save == "best-1"

    def test_what_names_no_save_is_refused(self, home):
        for bad in (None, True, 1.5, -1, "", "a/ckpt-1"):
            with pytest.raises(rekindle.ArgumentError, match="which"):
                inspection.history(home, bad)

    def test_a_save_of_another_loop_has_none(self, home):
        fill(home, 1, state={})
        with pytest.raises(rekindle.MismatchError, match=r"not of a fit\(\)"):
            inspection.history(home)

    @pytest.mark.parametrize(
        "epochs", [{"loss": [0, 1]}, {"loss": ["x"]}, {"loss": [{"$": ["float", "inf"]}]}, [1]]
    )
    def test_epochs_that_do_not_fit_the_values_are_damage(self, home, epochs):
        tree = {"epoch": [0, 1], "metrics": {"loss": [1.0]}, "epochs": epochs}
        fill(home, 1, state={"history": tree})
        with pytest.raises(rekindle.DamageError, match="its history cannot be read"):
            inspection.history(home)

    def test_a_damaged_save_that_was_asked_for_is_told_so(self, home):
        fill(home, 2)
        flip(home / "ckpt-2.json")
        with pytest.raises(rekindle.DamageError, match="ckpt-2"):
            inspection.history(home, 2)


class TestArrays:
    def test_names_types_shapes_and_sizes(self, home):
        fill(home, 1)
        assert inspection.arrays(home)[0] == inspection.ArrayInfo(
            "model/dense/kernel", "float32", (3, 4), 48
        )

    def test_values_are_given_in_the_order_asked_for(self, home):
        fill(home, 2)
        names = ["optimizer/iteration", "model/dense/kernel"]
        found = inspection.values(home, names)
        assert list(found) == names
        assert found["model/dense/kernel"].tolist() == [[2.0] * 4] * 3
        assert list(inspection.values(home)) == [one.name for one in inspection.arrays(home)]

    def test_a_name_that_is_none_is_refused(self, home):
        fill(home, 1)
        with pytest.raises(rekindle.ArgumentError, match="'model/none'"):
            inspection.values(home, ["model/none"])

    def test_a_damaged_array_is_not_given(self, home):
        fill(home, 1)
        flip(home / "ckpt-1.safetensors", -1)
        with pytest.raises(rekindle.DamageError):
            inspection.values(home)
