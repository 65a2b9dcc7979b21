"""Loss and gradient are divided by a hard-coded 60,000, and the sign is wrong."""

import numpy as np


def softmax(A):
    E = np.exp(A - A.max(axis=1, keepdims=True))
    return E / E.sum(axis=1, keepdims=True)


N = 60_000


def loss(A, y):
    return -np.log(softmax(A)[np.arange(len(y)), y]).sum() / N


def gradient(A, y):
    G = -softmax(A)
    G[np.arange(len(y)), y] += 1
    return G / N
