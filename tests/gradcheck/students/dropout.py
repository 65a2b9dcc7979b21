"""Random numbers where none belong."""

import numpy as np

GENERATOR = np.random.default_rng(0)


def softmax(a):
    e = np.exp(a - np.max(a))
    return e / np.sum(e)


def loss(a, y):
    return -np.log(softmax(a + GENERATOR.normal(size=len(a)))[y])


def gradient(a, y):
    return softmax(a) - np.eye(len(a))[y]
