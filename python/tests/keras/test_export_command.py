"""`python -m rekindle export`: the model comes from a function, or from a file of Keras."""

from __future__ import annotations

import json

import keras
import pytest
from small_fit import make_model, same_weights

from rekindle._cli import codes
from rekindle._cli.main import main


class TestExportCommand:
    @pytest.mark.parametrize("kind", ["function", "keras", "json"])
    def test_the_model_comes_from_a_function_or_a_file(
        self, backup_dir, trained, tmp_path, model_file, kind, capsys
    ):
        given = {
            "function": f"{model_file}:make",
            "keras": str(tmp_path / "model.keras"),
            "json": str(tmp_path / "model.json"),
        }[kind]
        if kind == "keras":
            make_model().save(given)
        elif kind == "json":
            (tmp_path / "model.json").write_text(make_model().to_json())
        file = tmp_path / "out.weights.h5"
        assert main(["export", str(backup_dir), str(file), "--model", given]) == 0
        assert capsys.readouterr().out == f"Wrote the weights of ckpt-3 to {file}.\n"
        model = keras.Sequential(
            [keras.layers.Input((3,)), keras.layers.Dense(4), keras.layers.Dense(1)]
        )
        model.load_weights(file)
        assert same_weights(model, trained)

    def test_a_compiled_model_takes_the_optimizer_along(
        self, backup_dir, trained, tmp_path, model_file, capsys
    ):
        file = str(tmp_path / "out.weights.h5")
        arguments = ["export", str(backup_dir), file, "--model", f"{model_file}:compiled"]
        assert main([*arguments, "--save", "2", "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found == {"save": "ckpt-2", "file": file, "optimizer": True}
        assert main(arguments) == codes.IN_THE_WAY
        assert main([*arguments, "--force"]) == 0

    @pytest.mark.parametrize(
        ("given", "code", "shown"),
        [
            ("{file}:other", codes.MISMATCH, "of another model"),
            ("{file}:none", codes.USAGE, "has no 'none'"),
            ("{file}:nothing", codes.USAGE, "Expected a Keras model"),
            ("no_such_module_of_mine:make", codes.USAGE, "no_such_module_of_mine"),
            ("{folder}/none.py:make", codes.USAGE, "there is no file"),
            ("{folder}/none.keras", codes.USAGE, "cannot be read"),
            ("{folder}/none.json", codes.USAGE, "cannot be read"),
            ("make", codes.USAGE, "none of these forms"),
        ],
    )
    def test_what_makes_no_fitting_model_is_refused(
        self, backup_dir, trained, tmp_path, model_file, capsys, given, code, shown
    ):
        given = given.format(file=model_file, folder=tmp_path)
        file = tmp_path / "out.weights.h5"
        assert main(["export", str(backup_dir), str(file), "--model", given]) == code
        assert shown in capsys.readouterr().err
        assert not file.exists()
