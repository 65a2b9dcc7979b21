"""Wrong, unusual and half-finished files, each with what is to be said of it."""

from tests.gradcheck.odd_files import RIGHT

WRONG = {
    "a softmax by jacobian": (
        """
def softmax(z): return np.exp(z - z.max()) / np.exp(z - z.max()).sum()
def softmax_grad(z): return np.diag(softmax(z)) - np.outer(softmax(z), softmax(z))
def loss(z, y): return -np.log(softmax(z)[y])
def loss_grad(z, y):
    outer = np.zeros_like(z)
    outer[y] = -1 / softmax(z)[y]
    return softmax_grad(z) @ outer
""",
        "where a probability rounds to 0: look for a division by it",
    ),
    "a loss with a 2": (
        RIGHT["scores alone, loss and dx"].replace("return -np", "return 2 * -np"),
        "it is 2 times what it should be",
    ),
    "the layer forgets the batch": (
        RIGHT["a layer with its loss, one-hot or not"]
        .replace("return (self.y - self.t) / n", "return self.y - self.t")
        .replace("return dx / n", "return dx"),
        "the division by the batch size is missing",
    ),
    "half of the hinge": (
        RIGHT["a hinge loss with its gradient"].replace("+ 2 * reg * W", "+ reg * W"),
        "the penalty's part is 0.5 times",
    ),
    "theta the wrong way round": (
        RIGHT["logistic regression with theta"].replace("theta)) - y)", "theta)) + y)"),
        "is added to the output",
    ),
    "packed weights whose biases are forgotten": (
        RIGHT["weights and biases packed into one vector"].replace("np.ones", "np.zeros"),
        "differs most at coordinate 45, which is 0 and should be",
    ),
    "packed weights with half of the square": (
        RIGHT["weights packed class by class"].replace("(2 * ", "("),
        "every coordinate is 0.5 times what it should be",
    ),
    "a row of equal numbers taken for an empty one": (
        RIGHT["scores alone, loss and dx"].replace(
            "    return -np", "    dx[x.max(axis=1) == x.min(axis=1)] = 0\n    return -np"
        ),
        "where all pre-activations are zero, unlike elsewhere: it is zero everywhere",
    ),
    "prime with the sign of the other": (
        RIGHT["loss and its prime"].replace("(y_pred - y_true)", "(y_true - y_pred)"),
        "the sign is wrong",
    ),
}

UNJUDGED = {
    "db without its axis": (
        RIGHT["the sigmoid of the assignment, transposed dimensions"].replace(
            "np.sum(delta, axis=0)", "np.sum(delta)"
        ),
        "for biases of shape (10,); a gradient has one entry for each; with a single output",
    ),
    "a class that must be given weights": (
        """
class LinearClassifier:
    def __init__(self, W): self.W = W
    def loss(self, X, y):
        return ((X @ self.W - y) ** 2).sum(), 2 * X.T @ (X @ self.W - y)
""",
        "fails: TypeError",
    ),
    "layers without a loss": (
        """
class Softmax:
    def forward(self, x):
        self.p = np.exp(x) / np.exp(x).sum()
        return self.p
    def backward(self, dout): return self.p * (dout - (dout * self.p).sum())
""",
        "which function is the",
    ),
    "a template that nobody filled in": (
        """
def loss(a, y):
    # YOUR CODE HERE
    raise NotImplementedError("implement this")
def gradient(a, y):
    pass
""",
        "NotImplementedError",
    ),
    "a gradient that passes": (
        """
def loss(a, y): return np.log(np.exp(a).sum()) - a[y]
def gradient(a, y): pass
""",
        "gradient returns NoneType, not numbers",
    ),
    "a loss of three things": (
        """
def loss(a, y, cache): return 1.0
def gradient(a, y, cache): return a
""",
        "--signature",
    ),
    "a gradient that needs a cache": (
        """
def loss(W, X, y): return ((X @ W - y) ** 2).sum()
def gradient(cache): return cache[0]
""",
        "gradient takes (cache)",
    ),
    "another library": ("import torch_that_is_not_there\n", "ModuleNotFoundError"),
    "a gradient by the features": (
        """
def loss(W, X, y): return ((X @ W - y) ** 2).sum()
def gradient(W, X, y): return 2 * (X @ W - y) @ W.T
""",
        "the shape is that of X, a gradient by which is not judged",
    ),
    "a model with weights of its own": (
        """
W = np.zeros((784, 10))
def loss(X, y): return ((X @ W - y) ** 2).sum()
def gradient(X, y): return 2 * X.T @ (X @ W - y)
""",
        "ValueError: matmul",
    ),
    "text for a loss": (
        """
def loss(a, y): return "0.5"
def gradient(a, y): return a
""",
        "not numbers",
    ),
    "a generator": (
        """
def loss(a, y): yield 1.0
def gradient(a, y): yield a
""",
        "returns generator, not numbers",
    ),
    "a loss that is a tuple": (
        """
def loss(a, y): return -a[y], a
def gradient(a, y): return -np.eye(len(a))[y]
""",
        "returns tuple, not numbers",
    ),
    "assertions on the shape of a real image": (
        """
def loss(W, b, X, y):
    assert X.shape[1] == 784
    return ((X @ W + b - y) ** 2).sum()
def gradient(W, b, X, y):
    assert X.shape[1] == 784
    d = 2 * (X @ W + b - y)
    return X.T @ d, d.sum(axis=0)
""",
        "AssertionError",
    ),
    "everything at once": (
        """
def train(X, y, epochs=10):
    for _ in range(epochs):
        loss = grad = 0
    return loss
""",
        "the gradient of train is missing: where there is no function for it",
    ),
}
