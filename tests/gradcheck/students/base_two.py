"""A logarithm to base 2."""

import numpy as np


def softmax(a):
    e = np.exp(a - np.max(a))
    return e / np.sum(e)


def loss(a, y):
    return -np.log2(softmax(a)[y])


def gradient(a, y):
    return softmax(a) - np.eye(len(a))[y]
