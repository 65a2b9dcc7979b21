"""The derivative by the softmax' outputs instead of its inputs."""

import numpy as np


def softmax(a):
    e = np.exp(a - np.max(a))
    return e / np.sum(e)


def loss(a, y):
    return -np.log(softmax(a)[y])


def gradient(a, y):
    g = np.zeros(len(a))
    g[y] = -1 / softmax(a)[y]
    return g
