"""A name that does not exist."""

import numpy as np


def loss(a, y):
    shifted = a - np.max(a)
    return np.log(np.sum(np.exp(shifted))) - shifted[y]


def gradient(a, y):
    e = np.exp(a - np.max(a))
    probabilities = e / np.sum(e)
    probabilities[y] -= 1
    return probabilites
