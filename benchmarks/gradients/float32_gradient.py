"""The gradient alone computes in float32."""

import numpy as np


def softmax(A):
    E = np.exp(A - A.max(axis=1, keepdims=True))
    return E / E.sum(axis=1, keepdims=True)


def loss(A, y):
    return -np.log(softmax(A)[np.arange(len(y)), y]).mean()


def gradient(A, y):
    G = softmax(A.astype(np.float32))
    G[np.arange(len(y)), y] -= 1
    return G / np.float32(len(y))
