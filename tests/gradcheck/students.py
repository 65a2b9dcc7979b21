"""Files of students, right and faulty ones, each with what is to be said of it."""

from tests.gradcheck.odd_files import HEAD

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
