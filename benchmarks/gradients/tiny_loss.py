"""Loss and gradient are divided by a hard-coded 60,000."""

import numpy as np

N = 60_000


def loss(A, T):
    return np.sum((A - T) ** 2) / N


def gradient(A, T):
    return 2 * (A - T) / N
