"""A row of equal pre-activations is taken for an empty one."""

import numpy as np


def softmax(A):
    E = np.exp(A - A.max(axis=1, keepdims=True))
    return E / E.sum(axis=1, keepdims=True)


def loss(A, y):
    return -np.log(softmax(A)[np.arange(len(y)), y]).mean()


def gradient(A, y):
    G = softmax(A)
    G[np.arange(len(y)), y] -= 1
    G[A.max(axis=1) == A.min(axis=1)] = 0
    return G / len(y)
