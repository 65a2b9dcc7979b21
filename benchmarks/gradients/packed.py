"""Weights and bias are packed into one flat vector."""

import numpy as np


def softmax(A):
    E = np.exp(A - A.max(axis=1, keepdims=True))
    return E / E.sum(axis=1, keepdims=True)


def unpack(theta, X):
    D = X.shape[1]
    theta = theta.reshape(D + 1, -1)
    return theta[:D], theta[D]


def loss(theta, X, y):
    W, b = unpack(theta, X)
    return -np.log(softmax(X @ W + b)[np.arange(len(y)), y]).mean()


def gradient(theta, X, y):
    W, b = unpack(theta, X)
    G = softmax(X @ W + b)
    G[np.arange(len(y)), y] -= 1
    G /= len(y)
    return np.concatenate([(X.T @ G).ravel(), G.sum(axis=0)])
