"""The label comes first."""

import numpy as np


def softmax(a):
    e = np.exp(a - a.max())
    return e / e.sum()


def loss(y, a):
    return -np.log(softmax(a)[y])


def gradient(y, a):
    return softmax(a) - np.eye(a.size)[y]
