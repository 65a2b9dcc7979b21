"""The gradient is divided by the number of classes too."""


def loss(A, T):
    return ((A - T) ** 2).sum(axis=1).mean()


def gradient(A, T):
    return 2 * (A - T) / A.size
