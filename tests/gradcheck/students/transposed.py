"""A gradient with samples in columns."""

import numpy as np


def softmax(a):
    e = np.exp(a - a.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def loss(a, y):
    return -np.log(softmax(a)[np.arange(len(y)), y]).sum()


def gradient(a, y):
    return (softmax(a) - np.eye(a.shape[1])[y]).T
