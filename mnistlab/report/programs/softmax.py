"""The softmax, its cross-entropy and its gradient: question 2 in plain NumPy.

A vector a (10,) holds the pre-activations of an image, y is the number of its class.
"""

import numpy as np


def softmax(a):
    """Return exp(a) over the sum of exp(a); the maximum is subtracted first."""
    e = np.exp(a - a.max())
    return e / e.sum()


def cross_entropy(a, y):
    """Return -log(softmax(a)[y]), which is log(sum(exp(a))) - a[y]."""
    shifted = a - a.max()
    return np.log(np.exp(shifted).sum()) - shifted[y]


def gradient(a, y):
    """Return the gradient of the cross-entropy with respect to a."""
    result = softmax(a)
    result[y] -= 1
    return result


def numerical_gradient(a, y, h=1e-5):
    """Return central differences of the cross-entropy, one coordinate at a time."""
    steps = h * np.eye(len(a))
    differences = [cross_entropy(a + e, y) - cross_entropy(a - e, y) for e in steps]
    return np.array(differences) / (2 * h)


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    for _ in range(3):
        a, y = rng.normal(size=10), rng.integers(10)
        analytical, numerical = gradient(a, y), numerical_gradient(a, y)
        error = np.abs(analytical - numerical).max() / np.abs(analytical).max()
        print(f"class {y}: loss {cross_entropy(a, y):.4f}, relative error {error:.1e}")
