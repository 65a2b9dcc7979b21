"""A class whose backward uses what forward kept."""

import numpy as np


class CrossEntropy:
    def forward(self, A, y):
        E = np.exp(A - A.max(axis=1, keepdims=True))
        self.P, self.y = E / E.sum(axis=1, keepdims=True), y
        return -np.log(self.P[np.arange(len(y)), y]).mean()

    def backward(self):
        G = self.P.copy()
        G[np.arange(len(G)), self.y] -= 1
        return G / len(G)
