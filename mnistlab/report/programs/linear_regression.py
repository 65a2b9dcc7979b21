"""Linear regression by gradient descent: question 1 in plain NumPy.

Images are the rows of X (n, 784), with pixels from 0 to 1; Y (n, 10) holds their
one-hot labels. The weights W are (784, 10), the biases b (10,).
"""

import sys

import numpy as np


def predict(W, b, X):
    """Return the outputs of the model, (n, 10)."""
    return X @ W + b


def loss(W, b, X, Y):
    """Return the squared error, summed over the images."""
    return np.sum((Y - predict(W, b, X)) ** 2)


def gradients(W, b, X, Y):
    """Return the gradients of the loss with respect to W and b."""
    error = 2 * (predict(W, b, X) - Y)
    return X.T @ error, error.sum(axis=0)


def sigmoid(A):
    """Return 1 / (1 + exp(-A)), without overflow."""
    e = np.exp(-np.abs(A))
    return np.where(A >= 0, 1, e) / (1 + e)


def sigmoid_gradients(W, b, X, Y):
    """Return the gradients for the model sigmoid(X W + b), as in (e)."""
    outputs = sigmoid(predict(W, b, X))
    error = 2 * (outputs - Y) * outputs * (1 - outputs)
    return X.T @ error, error.sum(axis=0)


def train(X, Y, learning_rate, epochs, batch_size, rng, gradients=gradients):
    """Step against each batch's mean gradient; yield W and b after every epoch."""
    W, b = np.zeros((X.shape[1], Y.shape[1])), np.zeros(Y.shape[1])
    for _ in range(epochs):
        order = rng.permutation(len(X))
        for start in range(0, len(X), batch_size):
            batch = order[start : start + batch_size]
            dW, db = gradients(W, b, X[batch], Y[batch])
            W -= learning_rate * dW / len(batch)
            b -= learning_rate * db / len(batch)
        yield W, b


def evaluate(W, b, X, Y):
    """Return the mean loss, and the share of images that are classified correctly."""
    right = predict(W, b, X).argmax(axis=1) == Y.argmax(axis=1)
    return loss(W, b, X, Y) / len(X), right.mean()


if __name__ == "__main__":  # python linear_regression.py mnist.npz
    with np.load(sys.argv[1], allow_pickle=False) as data:
        X, X_test = (data[name].reshape(-1, 784) / 255 for name in ("x_train", "x_test"))
        Y, Y_test = (np.eye(10)[data[name]] for name in ("y_train", "y_test"))
    training, evaluation = (X[:-10000], Y[:-10000]), (X[-10000:], Y[-10000:])
    for W, b in train(*training, 0.01, 10, 100, np.random.default_rng(0)):
        print("training", *evaluate(W, b, *training))
        print("evaluation", *evaluate(W, b, *evaluation))
    print("test", *evaluate(W, b, X_test, Y_test))
