"""Of samples with the same label only the last one counts."""

import numpy as np


def softmax(A):
    E = np.exp(A - A.max(axis=1, keepdims=True))
    return E / E.sum(axis=1, keepdims=True)


def loss(W, X, y):
    return -np.log(softmax(X @ W)[np.arange(len(y)), y]).mean()


def gradient(W, X, y):
    G = X.T @ softmax(X @ W)
    G[:, y] -= X.T
    return G / len(y)
