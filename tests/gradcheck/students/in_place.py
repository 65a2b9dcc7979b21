"""The stabilisation writes into the caller's array."""

import numpy as np


def softmax(a):
    a -= np.max(a)
    return np.exp(a) / np.sum(np.exp(a))


def loss(a, y):
    return -np.log(softmax(a)[y])


def gradient(a, y):
    return softmax(a) - np.eye(len(a))[y]
