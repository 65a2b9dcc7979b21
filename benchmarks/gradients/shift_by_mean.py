"""The softmax is stabilised by the mean."""

import numpy as np


def loss(a, y):
    a = a - a.mean()
    return np.log(np.exp(a).sum()) - a[y]


def gradient(a, y):
    e = np.exp(a - a.mean())
    return e / e.sum() - np.eye(len(a))[y]
