"""A sigmoid with the squared error, by tanh."""

import numpy as np


def sigmoid(a):
    return 0.5 + 0.5 * np.tanh(a / 2)


def loss(a, t):
    return np.sum((sigmoid(a) - t) ** 2)


def gradient(a, t):
    p = sigmoid(a)
    return 2 * (p - t) * p * (1 - p)
