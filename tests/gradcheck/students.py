"""Files of students, right, wrong and half-finished, each with what is to be said of it."""

from tests.gradcheck.odd_files import HEAD
from tests.gradcheck.odd_files import RIGHT as FOUND

GOOD = """
def softmax(a):
    e = np.exp(a - a.max())
    return e / e.sum()
def loss(a, y):
    return -np.log(softmax(a)[y])
def gradient(a, y):
    return softmax(a) - np.eye(len(a))[y]
"""
LOSS = """
def loss(a, y):
    shifted = a - np.max(a)
    return np.log(np.sum(np.exp(shifted))) - shifted[y]
"""
ROWS = """
def softmax(a):
    e = np.exp(a - a.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
"""


def with_gradient(expression):
    return GOOD.replace("return softmax(a) - np.eye(len(a))[y]", f"return {expression}")


FAULTY = {
    "base_two": (
        GOOD.replace("np.log", "np.log2"),
        "loss is not: it is .*: the logarithm must be the natural one, not to base 2",
    ),
    "by_outputs": (
        with_gradient("-np.eye(len(a))[y] / softmax(a)"),
        "loss is right .*, gradient is not: it is the derivative by the softmax' outputs",
    ),
    "class_mean": (
        with_gradient("(softmax(a) - np.eye(len(a))[y]) / len(a)"),
        "every coordinate is 0.1 times what it should be: a mean over the 10 classes",
    ),
    "crash": (
        with_gradient("sofmax(a) - np.eye(len(a))[y]"),
        r"^gradient fails in line 9: NameError: name 'sofmax' is not defined$",
    ),
    "diagonal": (
        with_gradient("(softmax(a) - 1) * np.eye(len(a))[y]"),
        "gradient is not: only the true class has a derivative",
    ),
    "dropout": (
        "G = np.random.default_rng(0)" + GOOD.replace("(a)[y]", "(a + G.normal(size=len(a)))[y]"),
        "loss gives another result for the same input",
    ),
    "epsilon": (
        GOOD.replace("(a)[y]", "(a)[y] + 1e-6"),
        "1e-06 seems to be added inside the logarithm, but not in the gradient",
    ),
    "in_place": (
        GOOD.replace("e = np.exp(a - a.max())", "a -= a.max(); e = np.exp(a)"),
        "loss changes a in place in line 4: work on a copy",
    ),
    "no_minus": (
        GOOD.replace("-np.log", "np.log"),
        "loss is not: it is .*: the minus sign is missing",
    ),
    "no_return": (
        GOOD.replace("return softmax(a) -", "softmax(a) -"),
        "gradient returns NoneType, not numbers; is a `return` missing",
    ),
    "not_a_number": (
        LOSS + "def gradient(a, y):\n    e = np.exp(a - np.max(a))\n    t = np.eye(len(a))[y]\n"
        "    return e / (np.sum(e) * (1 - t)) - t\n",
        r"gradient is inf in coordinate \[\d\], line 9: divide by zero encountered",
    ),
    "off_by_one": (
        with_gradient("softmax(a) - np.eye(len(a))[y - 1]"),
        "the target is subtracted at the wrong class, .* count the classes from where",
    ),
    "one_number": (
        with_gradient("np.sum(np.abs(softmax(a) - np.eye(len(a))[y]))"),
        "it is one number, but there is one derivative for each pre-activation",
    ),
    "transposed": (
        ROWS + "def loss(a, y): return -np.log(softmax(a)[np.arange(len(y)), y]).sum()\n"
        "def gradient(a, y): return (softmax(a) - np.eye(a.shape[1])[y]).T\n",
        "gradient is not: it is transposed: the right numbers stand in the wrong order",
    ),
    "whole_batch": (
        GOOD.partition("def loss")[0] + "def loss(a, y):\n"
        "    if a.ndim == 1: return -np.log(softmax(a)[y])\n"
        "    return -np.log(softmax(a)[np.arange(len(y)), y]).mean()\n"
        "def gradient(a, y):\n    if a.ndim == 1: return softmax(a) - np.eye(len(a))[y]\n"
        "    return softmax(a) - np.eye(a.shape[1])[y] / len(y)\n",
        "neither their sum nor their mean. Does the softmax run over each row by itself",
    ),
}
RIGHT = {
    "right_batch": (
        ROWS + "def cross_entropy(a, y):\n    a = a - a.max(axis=1, keepdims=True)\n"
        "    logs = a - np.log(np.exp(a).sum(axis=1, keepdims=True))\n"
        "    return -logs[np.arange(len(y)), y].mean()\n"
        "def cross_entropy_gradient(a, y):\n    g = softmax(a)\n"
        "    g[np.arange(len(y)), y] -= 1\n    return g / len(y)\n",
        ["takes a batch of rows, y as class numbers"],
    ),
    "right_both": (  # a loss for each row
        ROWS + "def loss(a, y):\n    a = a - a.max(axis=-1, keepdims=True)\n"
        "    logs = a - np.log(np.exp(a).sum(axis=-1, keepdims=True))\n"
        "    return -np.take_along_axis(logs, np.asarray(y)[..., None], axis=-1)[..., 0]\n"
        "def gradient(a, y): return softmax(a) - np.eye(a.shape[-1])[y]\n",
        ["takes one vector, y as class numbers", "takes a batch of rows, y as class"],
    ),
    "right_float32": (
        ("\ndef loss(a, y):\n    a = a.astype(np.float32) - np.float32(a.max())\n"
        "    return np.log(np.exp(a).sum()) - a[y]\n"
        "def gradient(a, y):\n    e = np.exp(a.astype(np.float32) - np.float32(a.max()))\n"
        "    g = e / e.sum()\n    g[y] -= 1\n    return g\n"),
        ["takes one vector, y as class numbers"],
    ),
    "right_one_hot": (  # it runs with class numbers too, but means nothing then
        GOOD.replace("-np.log(softmax(a)[y])", "-np.sum(y * np.log(softmax(a)))")
        .replace("np.eye(len(a))[y]", "y"),
        ["takes one vector, y as one-hot", "seems not to be made for a batch"],
    ),
    "right_single": (
        LOSS + GOOD.partition("def loss")[0] + "def gradient(a, y):\n    g = softmax(a)\n"
        "    g[y] -= 1\n    return g\n",
        ["takes one vector, y as class numbers", "does not take a batch ("],
    ),
}  # fmt: skip
UNSHIFTED = GOOD.replace("a - a.max()", "a")

TEXTS = {name: text for name, (text, _) in {**FAULTY, **RIGHT}.items()} | {"unshifted": UNSHIFTED}

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
        FOUND["scores alone, loss and dx"].replace("return -np", "return 2 * -np"),
        "it is 2 times what it should be",
    ),
    "the layer forgets the batch": (
        FOUND["a layer with its loss, one-hot or not"]
        .replace("return (self.y - self.t) / n", "return self.y - self.t")
        .replace("return dx / n", "return dx"),
        "the division by the batch size is missing",
    ),
    "half of the hinge": (
        FOUND["a hinge loss with its gradient"].replace("+ 2 * reg * W", "+ reg * W"),
        "the penalty's part is 0.5 times",
    ),
    "theta the wrong way round": (
        FOUND["logistic regression with theta"].replace("theta)) - y)", "theta)) + y)"),
        "is added to the output",
    ),
    "packed weights whose biases are forgotten": (
        FOUND["weights and biases packed into one vector"].replace("np.ones", "np.zeros"),
        "differs most at coordinate 45, which is 0 and should be",
    ),
    "packed weights with half of the square": (
        FOUND["weights packed class by class"].replace("(2 * ", "("),
        "every coordinate is 0.5 times what it should be",
    ),
    "a row of equal numbers taken for an empty one": (
        FOUND["scores alone, loss and dx"].replace(
            "    return -np", "    dx[x.max(axis=1) == x.min(axis=1)] = 0\n    return -np"
        ),
        "where all pre-activations are zero, unlike elsewhere: it is zero everywhere",
    ),
    "prime with the sign of the other": (
        FOUND["loss and its prime"].replace("(y_pred - y_true)", "(y_true - y_pred)"),
        "the sign is wrong",
    ),
}

UNJUDGED = {
    "db without its axis": (
        FOUND["the sigmoid of the assignment, transposed dimensions"].replace(
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


def verdict_of(name):
    if name in ("crash", "no_return"):  # which give nothing to compare
        return "cannot be judged"
    return "right" if name in RIGHT else "wrong"


def hand_in(folder, *names):
    """Write files of students, and return their paths."""
    paths = [folder / f"{name}.py" for name in names]
    for path in paths:
        path.write_text(HEAD + TEXTS[path.stem])
    return paths
