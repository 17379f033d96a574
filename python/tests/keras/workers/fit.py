"""One of two processes that both call fit() with a backup. The exit code tells the result.

A refused process closes its standard output, and lives until its standard input ends.

Arguments: the folder, the library that connects the processes ("jax", "torch", "tensorflow" or
"nobody"), and, if torchrun does not set them, this process' index and the addresses of both.
"""

from __future__ import annotations

import json
import os
import sys

REFUSED = 42


def connect(how, index, addresses):
    """Connects the processes. Returns the `tf.distribute` strategy, if there is one."""
    if how == "jax":
        import jax

        jax.distributed.initialize(addresses[0], num_processes=2, process_id=index)
    if how == "torch":
        import torch

        torch.distributed.init_process_group("gloo")
    if how != "tensorflow":
        return None
    cluster = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
    os.environ["TF_CONFIG"] = json.dumps(cluster)
    import tensorflow as tf

    return tf.distribute.MultiWorkerMirroredStrategy()


def main(folder, how, index="0", *addresses):
    strategy = connect(how, int(index), addresses)
    import keras
    import numpy as np

    import rekindle
    from rekindle.keras import BackupAndRestore

    keras.utils.set_random_seed(7)
    callback = BackupAndRestore(folder)
    try:
        if strategy is None:
            model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
            model.compile("sgd", "mse")
            x, y = np.ones((8, 3), "float32"), np.ones((8, 1), "float32")
            model.fit(x, y, verbose=0, callbacks=[callback])
        else:
            # Keras 3 itself fails in such a fit(), before this hook or after it.
            with strategy.scope():
                callback.set_model(keras.Sequential([keras.layers.Dense(1)]))
            callback.on_train_begin()
    except rekindle.ArgumentError as error:
        sys.stderr.write(f"refused: {error}\n")
        sys.stderr.flush()
        # The connecting library may end a process when the other process has ended, refused or not.
        os.close(1)
        sys.stdin.read()
        # Skip the frameworks' own clean-up at exit, which may wait for the other process.
        os._exit(REFUSED)


if __name__ == "__main__":
    main(*sys.argv[1:])
