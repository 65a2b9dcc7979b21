"""The gradient is divided by the batch size twice."""

import numpy as np


def softmax(A):
    E = np.exp(A - A.max(axis=1, keepdims=True))
    return E / E.sum(axis=1, keepdims=True)


def loss(A, T):
    return -np.sum(T * np.log(softmax(A))) / len(A)


def gradient(A, T):
    return (softmax(A) - T) / len(A) ** 2
