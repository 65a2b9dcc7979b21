"""Writes files as students write them: a loss in some form and spelling, with mistakes or without.

A body works in rows inside, (B, C), and turns what comes in and what goes out as its form has it.
"""

from dataclasses import dataclass

MODELS = {
    "softmax": (
        "E = np.exp(A - A.max(axis=1, keepdims=True))",
        "P = E / E.sum(axis=1, keepdims=True)",
        "L = -(T * np.log(P)).sum(axis=1)",
        "dA = (P - T)",
    ),
    "linear": ("P = A", "L = ((P - T) ** 2).sum(axis=1)", "dA = 2 * (P - T)"),
    "sigmoid": (
        "P = 1 / (1 + np.exp(-A))",
        "S = P * (1 - P)",
        "L = ((P - T) ** 2).sum(axis=1)",
        "dA = 2 * (P - T) * S",
    ),
}

CHANGES = {
    "sign": ("dA = ", "dA = -"),
    "factor_two": ("dA = ", "dA = 2 * "),
    "batch_division_missing": ("dA /= len(A)", "pass"),
    "averaged_not_summed": ("L.sum()", "L.sum(); dA = dA / len(A)"),
    "transposed": ("np.asarray(G)", "np.asarray(G).T"),
    "one_hot_missing": ("(P - T)", "P", -1),
    "one_hot_added": ("(P - T)", "(P + T)", -1),
    "sigmoid_derivative_missing": (" * S", ""),
    "sigmoid_derivative_twice": (" * S", " * S * S"),
    "penalty_missing": ("G += reg * W", "pass"),
    "bias_missing": ("g = dA.sum(axis=0)", "g = 0 * dA.sum(axis=0)"),
    "unshifted_softmax": (" - A.max(axis=1, keepdims=True)", ""),
}
"""What to write in place of what for each mistake of `gradcheck --break list`."""


@dataclass(frozen=True)
class Form:
    """What the functions take and give.

    Attributes:
        takes: the parameters.
        labels: "numbers", "from one" or "one-hot".
        reduction: "mean" or "sum" of a batch, None for one sample.
        columns: whether samples are columns, and weights (C, D).
    """

    takes: str = "a, y"
    model: str = "softmax"
    labels: str = "numbers"
    reduction: str | None = None
    columns: bool = False

    def body(self) -> list[str]:
        """Return the statements that make `loss` and the gradients G and g out of the arguments."""
        roles = self.takes.split(", ")
        T = ".T" if self.columns else ""
        lines = []
        if "W" in roles:
            features = f"X{T}" if self.reduction or self.columns else "X[None]"
            lines.append(
                f"A = {features} @ W{T}" + (f" + b{'[:, 0]' * self.columns}" * ("b" in roles))
            )
        else:
            lines.append(f"A = a{T}" if self.reduction or self.columns else "A = a[None]")
        hot = {
            "numbers": "np.eye(A.shape[1])[np.atleast_1d(y)]",
            "from one": "np.eye(A.shape[1])[np.atleast_1d(y) - 1]",
            "one-hot": f"np.atleast_2d(y){T}",
        }[self.labels]
        lines += [f"T = {hot}", *MODELS[self.model]]
        lines.append(f"loss = L.{self.reduction or 'sum'}()")
        if self.reduction == "mean":
            lines.append("dA /= len(A)")
        if "W" not in roles:
            G = f"dA{T}" if self.reduction or self.columns else "dA[0]"
            return [*lines, f"G = {G}", "G = np.asarray(G)"]
        lines.append(f"G = ({features}.T @ dA){T}")
        if "b" in roles:
            lines += ["g = dA.sum(axis=0)", f"g = g{'[:, None]' * self.columns}"]
        if "reg" in roles:
            lines += ["loss += reg / 2 * np.sum(W * W)", "G += reg * W"]
        return [*lines, "G = np.asarray(G)"]

    @property
    def result(self) -> str:
        """Return what the gradient is, as an expression."""
        return "(G, g)" if "b" in self.takes.split(", ") else "G"


def write(form: Form, spelling: str, *mistakes: str, changes=()) -> str:
    """Return a file with some mistakes, and with other changes that are (old, new)."""
    lines = "\n".join(form.body())
    for old, new, *times in [*(CHANGES[name] for name in mistakes), *changes]:
        if old not in lines:
            raise ValueError(f"{old!r} is not in\n{lines}")
        head, found, tail = lines.rpartition(old) if times else lines.partition(old)
        lines = head + new + tail if found else lines
    return f"import numpy as np\n\n\n{SPELLINGS[spelling](form, lines.splitlines())}"


def _function(name: str, takes: str, lines: list[str], result: str, indent: str = "") -> str:
    body = "\n".join(f"{indent}    {line}" for line in [*lines, f"return {result}"])
    return f"{indent}def {name}({takes}):\n{body}\n"


def _two(form: Form, lines: list[str]) -> str:
    loss = _function("loss", form.takes, lines, "loss")
    return f"{loss}\n\n{_function('gradient', form.takes, lines, form.result)}"


def _both(form: Form, lines: list[str]) -> str:
    return _function("loss_function", form.takes, lines, f"loss, {form.result}")


def _flat(form: Form, lines: list[str]) -> str:
    return _function("cost", form.takes, lines, f"loss, {form.result.strip('()')}")


def _of_class(loss: str, gradient: str, *, remembers: str | None):
    """Return a spelling as a class whose gradient takes the arguments again, or remembers them."""

    def spelling(form: Form, lines: list[str]) -> str:
        if remembers is None:
            first = _function(loss, f"self, {form.takes}", lines, "loss", "    ")
            second = _function(gradient, f"self, {form.takes}", lines, form.result, "    ")
        else:
            kept = [*lines, f"self.kept = {form.result}"]
            first = _function(loss, f"self, {form.takes}", kept, "loss", "    ")
            second = _function(gradient, f"self{remembers}", [], "self.kept", "    ")
        return f"class Criterion:\n{first}\n{second}"

    return spelling


SPELLINGS = {
    "two functions": _two,
    "a pair": _both,
    "a flat tuple": _flat,
    "loss and gradient methods": _of_class("loss", "gradient", remembers=None),
    "forward and backward": _of_class("forward", "backward", remembers=""),
    "forward and backward of dout": _of_class("forward", "backward", remembers=", dout=1"),
    "forward and backward of a gradient": _of_class("forward", "backward", remembers=", dout"),
    "a call and backward": _of_class("__call__", "backward", remembers=""),
    "loss and grad methods": _of_class("loss", "grad", remembers=None),
}

FORMS = {
    "one vector": Form(),
    "one vector, y first": Form("y, a"),
    "one vector, one-hot": Form(labels="one-hot"),
    "one vector, from one": Form(labels="from one"),
    "rows, mean": Form(reduction="mean"),
    "rows, sum, one-hot": Form(labels="one-hot", reduction="sum"),
    "rows, mean, from one": Form(labels="from one", reduction="mean"),
    "columns, mean": Form(reduction="mean", columns=True),
    "columns, sum, one-hot": Form(labels="one-hot", reduction="sum", columns=True),
    "sigmoid of rows": Form(model="sigmoid", labels="one-hot", reduction="mean"),
    "squared error of one vector": Form(model="linear", labels="one-hot"),
    "softmax by weights": Form("W, X, y", reduction="mean"),
    "softmax by weights, in columns": Form("W, X, y", reduction="mean", columns=True),
    "softmax by weights, penalty": Form("W, X, y, reg", reduction="mean"),
    "softmax by all, from one": Form("W, b, X, y", labels="from one", reduction="sum"),
    "linear regression, one": Form("W, b, X, y", "linear", "one-hot"),
    "linear regression, rows": Form("W, b, X, y", "linear", "one-hot", "mean"),
    "linear regression, columns": Form("W, b, X, y", "linear", "one-hot", "sum", columns=True),
    "linear regression, numbers": Form("X, y, W, b", "linear", "numbers", "mean"),
    "linear regression, penalty": Form("W, b, X, y, reg", "linear", "one-hot", "sum"),
    "sigmoid regression, one": Form("W, b, X, y", "sigmoid", "one-hot"),
    "sigmoid regression, rows": Form("W, b, X, y", "sigmoid", "one-hot", "sum"),
    "sigmoid regression, columns": Form("W, b, X, y", "sigmoid", "one-hot", "mean", columns=True),
}
