"""A small number against log(0), which is not in the derivative."""

import numpy as np


def softmax(a):
    e = np.exp(a - np.max(a))
    return e / np.sum(e)


def loss(a, y):
    return -np.log(softmax(a)[y] + 1e-6)


def gradient(a, y):
    return softmax(a) - np.eye(len(a))[y]
