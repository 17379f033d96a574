"""Deep Q-learning: the agent plays a round, then fit() trains it on what it remembers.

Each round has a backup of its own, which stays. If the script starts again, the rounds that are
done train nothing and have their result at once.
"""

import collections

import keras
import numpy as np

from rekindle.keras import BackupAndRestore

keras.utils.set_random_seed(9)

ROUNDS, STEPS, TARGET = 5, 40, 4.0
memory = collections.deque(maxlen=120)
rewards = []


def q_network():
    return keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(12, activation="relu"), keras.layers.Dense(3)]
    )


agent, frozen = q_network(), q_network()
agent.compile(keras.optimizers.Adam(0.01), "huber")


def play(explore):
    """A cart on a line that is pushed left, right or not at all, and is to stop at TARGET."""
    place, speed, total = np.random.uniform(-1, 1), 0.0, 0.0
    for _ in range(STEPS):
        state = np.array([place, speed], "float32")
        if np.random.rand() < explore:
            action = np.random.randint(3)
        else:
            action = int(np.argmax(agent.predict_on_batch(state[None])))
        speed = 0.9 * speed + 0.3 * (action - 1)
        place += speed + np.random.normal(0, 0.02)
        reward = -abs(place - TARGET) / TARGET
        memory.append((state, action, reward, np.array([place, speed], "float32")))
        total += reward
    return total


for number in range(ROUNDS):
    rewards.append(play(explore=0.9**number))
    frozen.set_weights(agent.get_weights())
    chosen = [memory[i] for i in np.random.permutation(len(memory))[:40]]
    before, actions, reward, after = (np.array(part) for part in zip(*chosen, strict=True))
    goal = agent.predict_on_batch(before)
    goal[np.arange(len(goal)), actions] = reward + 0.9 * frozen.predict_on_batch(after).max(axis=1)
    backup = BackupAndRestore(f"backup/{number}", save_freq=3, delete_checkpoint=False)
    agent.fit(before, goal, epochs=3, batch_size=8, callbacks=[backup], verbose=0)

rewards.append(play(explore=0))
