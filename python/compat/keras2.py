"""tf_keras' own tests of its BackupAndRestore, with rekindle's class in its place.

    python python/compat/keras2.py CHECKOUT

CHECKOUT is a checkout of https://github.com/keras-team/tf-keras: the package that pip installs has
no tests. The differences that are meant are listed in EXPECTED, with the reason.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

EXPECTED = {
    "test_backup_restore_train_counter": "differs: another callback raises in on_epoch_end, and"
    " rekindle saves after all others: that epoch is trained again",
    "test_backup_and_restore_steps_last_batch": "differs: the same, in on_batch_end",
    "testCheckpointExists_test_mode_eager": "differs: the folder has rekindle's files",
}

HEAD = """
from tf_keras.src import callbacks as _callbacks
from rekindle.tf_keras import BackupAndRestore as _Ours

class _Experimental(_Ours):
    def __init__(self, *args, **kwargs):
        _callbacks.logging.warning(
            "`tf.keras.callbacks.experimental.BackupAndRestore` endpoint is deprecated and will be "
            "removed in a future release. Please use `tf.keras.callbacks.BackupAndRestore`."
        )
        super().__init__(*args, **kwargs)

_callbacks.BackupAndRestore = _Ours
_callbacks.BackupAndRestoreExperimental = _Experimental
"""


def prepared(text):
    """The test file for the package of pip, whose modules have other names."""
    text = re.sub(r"^from tf_keras\.", "from tf_keras.src.", text, flags=re.MULTILINE)
    text = re.sub(r"^from tf_keras import ", "from tf_keras.src import ", text, flags=re.MULTILINE)
    text = text.replace("keras.utils.data_utils.Sequence", "keras.utils.Sequence")
    first = re.search(r"^from tf_keras", text, flags=re.MULTILINE)
    return text[: first.start()] + HEAD + text[first.start() :]


def main(checkout):
    with tempfile.TemporaryDirectory(prefix="compat-") as scratch:
        for name in ("callbacks_test.py", "distribute/worker_training_state_test.py"):
            text = Path(checkout, "tf_keras", name).read_text()
            Path(scratch, Path(name).name).write_text(prepared(text))
        # Keras' own callback asks a server at Google for preemptions; nobody answers here.
        env = dict(os.environ, GCE_METADATA_IP="127.0.0.1:9", TF_CPP_MIN_LOG_LEVEL="3")
        chosen = [
            "-k",
            "backup or Backup or CheckpointExists",
            "-p",
            "no:cacheprovider",
            "-rA",
            "-q",
        ]
        run = [sys.executable, "-m", "pytest", *chosen, "-W", "ignore", scratch]
        done = subprocess.run(run, env=env, capture_output=True, text=True, check=False)
    outcomes = re.findall(r"^(PASSED|FAILED|ERROR) \S+::(\w+)", done.stdout, re.MULTILINE)
    unexpected = 0
    for outcome, name in outcomes:
        failed = outcome != "PASSED"
        unexpected += failed and name not in EXPECTED
        print(f"{outcome.lower():<8}{name:<52}{EXPECTED.get(name, '') if failed else ''}")
    print(f"{len(outcomes)} tests, {unexpected} unexpected failures")
    if unexpected or not outcomes:
        print(done.stdout[-6000:] + done.stderr[-3000:])
    return 1 if unexpected or not outcomes else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
