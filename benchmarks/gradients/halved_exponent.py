"""The softmax is the square of exp of half of the pre-activations."""

import numpy as np


def softmax(a):
    h = np.exp((a - a.max()) / 2)
    return h**2 / (h @ h)


def loss(a, y):
    return -np.log(softmax(a)[y])


def gradient(a, y):
    return softmax(a) - (np.arange(len(a)) == y)
