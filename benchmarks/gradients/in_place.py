"""Every step writes into one array of its own."""

import numpy as np


def _scores(A):
    out = A.copy()
    out -= out.max(axis=1, keepdims=True)
    return out


def loss(A, y):
    out = _scores(A)
    picked = out[np.arange(len(y)), y]
    np.exp(out, out=out)
    return (np.log(out.sum(axis=1)) - picked).mean()


def gradient(A, y):
    out = _scores(A)
    np.exp(out, out=out)
    out /= out.sum(axis=1, keepdims=True)
    out[np.arange(len(y)), y] -= 1
    out /= len(y)
    return out
