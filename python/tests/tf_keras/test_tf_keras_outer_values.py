"""What callbacks of tf_keras keep outside of themselves."""

from __future__ import annotations

import pytest
import tf_keras
from small_tf_fit import Interrupt, fit, make_model

from rekindle.tf_keras import BackupAndRestore


def counting(seen):
    count = 0

    def count_it(epoch, logs):
        nonlocal count
        count += 1
        seen.append(count)

    return tf_keras.callbacks.LambdaCallback(on_epoch_end=count_it)


def test_a_variable_around_a_function_of_a_callback_comes_back(backup_dir):
    seen = []
    backup = BackupAndRestore(backup_dir)
    with pytest.raises(RuntimeError, match="Interrupting!"):
        fit(make_model(), counting(seen), backup, Interrupt(3), epochs=5)
    fit(make_model(), counting(seen), BackupAndRestore(backup_dir), epochs=5)
    # What the function only adds to is a record, and is left to the script.
    assert seen == [1, 2, 3, 4, 5]
