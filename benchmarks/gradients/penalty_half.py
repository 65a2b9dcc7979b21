"""The penalty has no 1/2 and its gradient no 2."""

import numpy as np


def softmax(A):
    E = np.exp(A - A.max(axis=1, keepdims=True))
    return E / E.sum(axis=1, keepdims=True)


def loss(W, X, y, reg):
    P = softmax(X @ W)
    return -np.log(P[np.arange(len(y)), y]).mean() + reg * np.sum(W * W)


def gradient(W, X, y, reg):
    P = softmax(X @ W)
    P[np.arange(len(y)), y] -= 1
    return X.T @ P / len(y) + reg * W
