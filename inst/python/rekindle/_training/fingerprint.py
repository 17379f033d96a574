"""Compares the settings that must be the same in the interrupted and in the resumed run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rekindle._format.manifest import Manifest
from rekindle.errors import MismatchError, bulleted

# What the names of weights begin with: the arrays that have to fit the live variables.
WEIGHTS = ("model/", "optimizer/")

# And of those of all variables, which are restored in place.
VARIABLES = (*WEIGHTS, "metrics/")


# What a fit() of Keras 2 has as its backend. Keras 3 has the name of a framework there.
KERAS_2 = "tf_keras"

_LIBRARIES = {
    "Keras 2": "Keras 2 (tf_keras; keras in R)",
    "Keras 3": "Keras 3 (keras; keras3 in R)",
}


def of_another_library(expected: str, found: str) -> str:
    """The difference between a run of one version of Keras and a backup of the other."""
    return f"library: expected {_LIBRARIES[expected]}, found {_LIBRARIES[found]} in the backup"


def _library(settings: Mapping[str, Any]) -> str:
    return "Keras 2" if settings.get("backend") == KERAS_2 else "Keras 3"


def saved_backend(manifest: Manifest) -> Any:
    """The backend of the saved run; ``None`` if the checkpoint is not of a fit()."""
    saved = manifest.state.get("fingerprint")
    return saved.get("backend") if isinstance(saved, dict) else None


def differences(expected: Mapping[str, Any], saved: Any) -> list[str]:
    """A line for each setting that is known of both runs and differs."""
    if not isinstance(saved, dict):
        return []
    if _library(expected) != _library(saved):
        return [of_another_library(_library(expected), _library(saved))]
    return [
        f"{name}: expected {value!r}, found {saved[name]!r} in the backup"
        for name, value in expected.items()
        if name in saved and saved[name] != value
    ]


def array_differences(
    expected: Mapping[str, str],
    manifest: Manifest,
    is_same: Callable[[str, str, str], bool] = lambda _name, _expected, _found: False,
) -> list[str]:
    """A line for each difference between the live variables and the saved arrays.

    Args:
        expected: The dtype and shape of each live variable, by name.
        manifest: The manifest of the checkpoint.
        is_same: Whether an array under this name fits although its dtype or shape differs.
    """
    saved = {
        name: f"{array.dtype} {tuple(array.shape)}"
        for name, array in manifest.arrays.items()
        if name.startswith(WEIGHTS)
    }
    lines = []
    for name, wanted in expected.items():
        found = saved.get(name)
        if found is None:
            lines.append(f"{name}: expected {wanted}, found no such variable in the backup")
        elif found != wanted and not is_same(name, wanted, found):
            lines.append(f"{name}: expected {wanted}, found {found} in the backup")
    lines += [
        f"{name}: expected no such variable, found {saved[name]} in the backup"
        for name in saved
        if name not in expected
    ]
    return lines


def refuse(directory: str, what: str, differences: list[str], advice: str = "") -> None:
    """Refuses the backup in a folder if there are differences.

    Args:
        directory: The folder.
        what: The words after "The backup is", such as "of another model".
        differences: A line for each difference.
        advice: A sentence that says how to go on in spite of them, after a space.

    Raises:
        MismatchError: There are differences.
    """
    if differences:
        raise MismatchError(
            f"The backup in {directory!r} is {what}. Nothing was changed.\n"
            + bulleted(differences)
            + f"To resume, use the model and the settings that were saved.{advice} To start"
            " afresh, rename or remove that folder, or give this run a backup folder of its own.",
            differences=differences,
        )


def name_of(value: Any) -> Any:
    """A name for an optimizer or a loss, the same for every way to write it in a script."""
    if isinstance(value, list | tuple):
        return [name_of(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): name_of(item) for key, item in value.items()}
    if value is None or isinstance(value, str):
        return value
    return getattr(value, "__name__", None) or type(value).__name__


def plain(value: Any) -> Any:
    """A setting as a plain value: a number, a name, true, false or ``None``."""
    return value if value is None or isinstance(value, bool | str) else int(value)


def class_weights(value: Any) -> Any:
    """The weights of the classes as plain values, in the order of the classes."""
    return None if value is None else [[str(key), float(w)] for key, w in sorted(value.items())]


def other_versions(expected: Mapping[str, Any], saved: Any) -> list[str]:
    """A sentence for each version of a library that is not the saved one."""
    return [
        f"{line} (results may differ slightly between versions)"
        for line in differences(expected, saved)
    ]
