"""Gradients are clipped to 10."""

import numpy as np


def loss(a, t):
    return np.sum((a - t) ** 2)


def gradient(a, t):
    return np.clip(2 * (a - t), -10, 10)
