"""The derivative of the sigmoid is missing."""

import numpy as np


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def loss(a, t):
    return np.sum((sigmoid(a) - t) ** 2)


def gradient(a, t):
    return 2 * (sigmoid(a) - t)
