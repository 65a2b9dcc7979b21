"""A number against a division by zero erases the gradient of a saturated sigmoid."""

import numpy as np


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def loss(a, t):
    return np.sum(np.logaddexp(0, a) - t * a)


def gradient(a, t):
    p = sigmoid(a)
    slope = p * (1 - p)
    return (p - t) / (slope + 1e-12) * slope
