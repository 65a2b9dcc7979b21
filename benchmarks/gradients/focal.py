"""A focal loss."""

import numpy as np


def softmax(a):
    e = np.exp(a - a.max())
    return e / e.sum()


def loss(a, y):
    p = softmax(a)[y]
    return -((1 - p) ** 2) * np.log(p)


def gradient(a, y):
    s = softmax(a)
    p = s[y]
    by_p = 2 * (1 - p) * np.log(p) - (1 - p) ** 2 / p
    return by_p * p * (np.eye(len(a))[y] - s)
