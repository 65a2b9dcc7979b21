"""A division by zero."""

import numpy as np


def loss(a, y):
    shifted = a - np.max(a)
    return np.log(np.sum(np.exp(shifted))) - shifted[y]


def gradient(a, y):
    e = np.exp(a - np.max(a))
    correct = np.zeros(len(a))
    correct[y] = 1
    return e / (np.sum(e) * (1 - correct)) - correct
