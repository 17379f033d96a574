"""A checkpoint's weights outside of fit(): into a model, and into a file that Keras reads."""

from __future__ import annotations

import os

import h5py
import keras
import numpy as np
import pytest
from small_fit import fit, make_model, same_weights

import rekindle
from rekindle import inspection
from rekindle.keras import BackupAndRestore


class TestRestoreWeights:
    def test_a_model_made_again_gets_every_weight(self, backup_dir, trained):
        model = make_model()
        assert not same_weights(model, trained)
        assert inspection.restore_weights(model, backup_dir) == "ckpt-3"
        assert same_weights(model, trained)

    def test_an_uncompiled_model_and_weights_that_are_not_trained(self, backup_dir):
        def make():
            return keras.Sequential(
                [
                    keras.layers.Input((3,)),
                    keras.layers.BatchNormalization(),
                    keras.layers.Dropout(0.5, seed=3),
                    keras.layers.Dense(1),
                ]
            )

        model = make()
        model.compile("sgd", "mse")
        fit(model, BackupAndRestore(backup_dir, delete_checkpoint=False))
        again = make()
        inspection.restore_weights(again, backup_dir)
        assert same_weights(model, again)
        pairs = zip(model.variables[:7], again.variables[:7], strict=True)
        assert all(np.array_equal(*map(keras.ops.convert_to_numpy, pair)) for pair in pairs)

    def test_an_older_save_by_number(self, backup_dir, trained):
        model = make_model()
        assert inspection.restore_weights(model, backup_dir, 2) == "ckpt-2"
        assert not same_weights(model, trained)

    def test_a_damaged_latest_save_is_passed_over(self, backup_dir, trained):
        pack = backup_dir / "ckpt-3.safetensors"
        pack.write_bytes(pack.read_bytes()[:-1] + b"\xff")
        assert inspection.restore_weights(make_model(), backup_dir) == "ckpt-2"

    def test_another_model_is_refused_with_the_differences_and_not_touched(
        self, backup_dir, trained
    ):
        model = make_model(width=9)
        before = model.get_weights()
        with pytest.raises(rekindle.MismatchError, match="expected float32") as caught:
            inspection.restore_weights(model, backup_dir)
        assert len(caught.value.differences) == 3
        assert all(np.array_equal(*pair) for pair in zip(before, model.get_weights(), strict=True))

    def test_an_unbuilt_model_is_refused(self, backup_dir, trained):
        with pytest.raises(rekindle.MismatchError, match="Build it first"):
            inspection.restore_weights(make_model(built=False), backup_dir)

    def test_what_is_no_model_is_refused(self, backup_dir, trained):
        with pytest.raises(rekindle.ArgumentError, match="Keras model"):
            inspection.restore_weights([1, 2], backup_dir)

    def test_the_optimizer_stays_as_it_is(self, backup_dir, trained):
        model = make_model()
        inspection.restore_weights(model, backup_dir)
        assert int(keras.ops.convert_to_numpy(model.optimizer.iterations)) == 0


class TestRestoreWeightsOfACheckpoint:
    """Checkpoints of a custom training loop, in which the user chose the name of the model."""

    def save(self, folder, **objects):
        with rekindle.CheckpointManager(
            rekindle.Checkpoint(**objects), str(folder), max_to_keep=3
        ) as manager:
            manager.save(with_metadata={"val_loss": 0.25})

    def test_the_model_is_found_under_its_name(self, backup_dir):
        net = make_model()
        self.save(backup_dir, net=net, step=3)
        model = make_model()
        assert inspection.restore_weights(model, backup_dir) == "ckpt-1"
        assert same_weights(model, net)
        assert inspection.info(backup_dir).saves[0].metrics == {"val_loss": 0.25}

    def test_each_of_two_models_is_known_by_its_shapes(self, backup_dir):
        one, two = make_model(), make_model(width=9)
        self.save(backup_dir, one=one, two=two)
        for saved, width in ((one, 4), (two, 9)):
            model = make_model(width=width)
            inspection.restore_weights(model, backup_dir)
            assert same_weights(model, saved)

    def test_of_models_that_are_alike_the_one_named_model_is_taken(self, backup_dir):
        model, mean = make_model(), make_model()
        self.save(backup_dir, average=mean, model=model)
        again = make_model()
        inspection.restore_weights(again, backup_dir)
        assert same_weights(again, model)
        assert not same_weights(again, mean)

    def test_of_models_that_are_alike_without_that_name_none_is_guessed(self, backup_dir):
        self.save(backup_dir, net=make_model(), mean=make_model())
        with pytest.raises(rekindle.MismatchError, match="'mean', 'net'"):
            inspection.restore_weights(make_model(), backup_dir)

    def test_a_model_that_is_not_in_it_is_refused(self, backup_dir):
        self.save(backup_dir, net=make_model(), step=3)
        with pytest.raises(rekindle.MismatchError):
            inspection.restore_weights(make_model(width=7), backup_dir)


class TestExportWeights:
    def test_keras_loads_the_file_into_model_and_optimizer(self, backup_dir, trained, tmp_path):
        file = tmp_path / "out.weights.h5"
        assert inspection.export_weights(backup_dir, file, make_model()) == ("ckpt-3", True)
        model = make_model()
        model.optimizer.build(model.trainable_variables)
        model.load_weights(file)
        assert same_weights(model, trained)
        pairs = zip(model.optimizer.variables, trained.optimizer.variables, strict=True)
        assert all(np.array_equal(*map(keras.ops.convert_to_numpy, pair)) for pair in pairs)

    def test_it_is_what_save_weights_of_the_trained_model_writes(
        self, backup_dir, trained, tmp_path
    ):
        trained.save_weights(tmp_path / "keras.weights.h5")
        inspection.export_weights(backup_dir, tmp_path / "ours.weights.h5", make_model())

        def content(name):
            found = {}
            with h5py.File(tmp_path / name) as file:
                file.visititems(
                    lambda key, item: (
                        found.update({key: item[()].tobytes()})
                        if isinstance(item, h5py.Dataset)
                        else None
                    )
                )
            return found

        assert content("ours.weights.h5") == content("keras.weights.h5")

    def test_an_optimizer_that_does_not_fit_is_not_in_the_file(self, backup_dir, trained, tmp_path):
        file = tmp_path / "out.weights.h5"
        found = inspection.export_weights(backup_dir, file, make_model(optimizer="sgd"))
        assert found == ("ckpt-3", False)
        with h5py.File(file) as content:
            assert "optimizer" not in content
        model = keras.Sequential(
            [keras.layers.Input((3,)), keras.layers.Dense(4), keras.layers.Dense(1)]
        )
        model.load_weights(file)
        assert same_weights(model, trained)

    def test_a_file_that_is_there_is_replaced_only_if_told_to(self, backup_dir, trained, tmp_path):
        file = tmp_path / "out.weights.h5"
        file.write_text("mine")
        with pytest.raises(rekindle.ForeignFileError) as caught:
            inspection.export_weights(backup_dir, file, make_model())
        assert caught.value.path == str(file)
        assert file.read_text() == "mine"
        inspection.export_weights(backup_dir, file, make_model(), force=True)
        trained.load_weights(file)

    def test_one_that_comes_in_between_is_not_replaced(
        self, backup_dir, trained, tmp_path, monkeypatch
    ):
        file = tmp_path / "out.weights.h5"
        model = make_model()
        save = model.save_weights

        def intruded(path):
            save(path)
            file.write_text("mine")

        monkeypatch.setattr(model, "save_weights", intruded)
        with pytest.raises(rekindle.ForeignFileError):
            inspection.export_weights(backup_dir, file, model)
        assert file.read_text() == "mine"
        assert sorted(os.listdir(tmp_path)) == ["backup", "out.weights.h5"]

    def test_a_failure_in_the_middle_leaves_no_file(
        self, backup_dir, trained, tmp_path, monkeypatch
    ):
        def full(fd):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("rekindle._storage.local.fs.sync", full)
        with pytest.raises(rekindle.SaveError, match="No space left"):
            inspection.export_weights(backup_dir, tmp_path / "out.weights.h5", make_model())
        assert os.listdir(tmp_path) == ["backup"]

    def test_another_ending_is_refused(self, backup_dir, trained, tmp_path):
        with pytest.raises(rekindle.ArgumentError, match=r"\.weights\.h5"):
            inspection.export_weights(backup_dir, tmp_path / "out.h5", make_model())
