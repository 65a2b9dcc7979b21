"""The programs that answer the assignment take the trainer's steps, and the report lists them."""

import numpy as np
import pytest

from mnistlab.config.load import load_config
from mnistlab.experiment import prepare
from mnistlab.experiment.prepare import _generators
from mnistlab.plugins import run_file
from mnistlab.report.render import PROGRAMS
from tests.report.helpers import squeeze

MINI = ("data.dataset=mnist-mini", "data.validation=1000", "epochs=3", "dtype=float64", "seed=4")


def load(name):
    return run_file(PROGRAMS / f"{name}.py", name)


def softmax_gradients(W, b, X, Y):
    """Return the gradients of the summed cross-entropy, image by image."""
    gradient = load("softmax").gradient
    dA = np.array([gradient(a, y) for a, y in zip(X @ W + b, Y.argmax(axis=1), strict=True)])
    return X.T @ dA, dA.sum(axis=0)


@pytest.mark.parametrize(
    ("model", "loss", "gradients"),
    [
        ("linear", "squared_error", lambda: load("linear_regression").gradients),
        ("sigmoid", "squared_error", lambda: load("linear_regression").sigmoid_gradients),
        ("linear", "softmax_cross_entropy", lambda: softmax_gradients),
    ],
)
def test_the_programs_take_the_very_steps_of_the_trainer(model, loss, gradients):
    plan = prepare([load_config(None, [*MINI, f"model={model}", f"loss={loss}"])])
    train = plan.dataset.train
    X = train.rows / 255
    Y = np.eye(10)[train.labels]
    rng = _generators(4)[1]
    ours = load("linear_regression").train(X, Y, 0.01, 3, 100, rng, gradients())
    trainer = plan.trainer()
    for (W, b), _ in zip(ours, trainer.epochs(), strict=True):
        np.testing.assert_allclose(W, trainer.parameters[:-1, 0], rtol=0, atol=1e-11)
        np.testing.assert_allclose(b, trainer.parameters[-1, 0], rtol=0, atol=1e-11)


def test_evaluation_is_that_of_the_run():
    plan = prepare([load_config(None, MINI)])
    program, trainer = load("linear_regression"), plan.trainer()
    (*_, (record, (*W, b))) = (
        (record, trainer.parameters[:, 0].copy()) for record in trainer.epochs()
    )
    splits = {"train": record.train, "validation": record.validation}
    for name, found in splits.items():
        split = getattr(plan.dataset, name)
        loss, accuracy = program.evaluate(
            np.array(W), b, split.rows / 255, np.eye(10)[split.labels]
        )
        assert loss == pytest.approx(found.loss[0])
        assert accuracy == found.accuracy[0]


def test_the_gradients_are_right(run):
    code, out, _ = run("gradcheck", "-q", "--target", PROGRAMS / "softmax.py")
    assert code == 0, out
    program = load("softmax")
    for a, y in ((np.linspace(-2, 3, 10), 4), (np.array([1000.0, 0, -1000.0]), 2)):
        numerical = program.numerical_gradient(a, y)
        np.testing.assert_allclose(program.gradient(a, y), numerical, atol=1e-6)
        assert np.isfinite(program.cross_entropy(a, y))


def test_the_programs_run_by_themselves(tmp_path, capsys, monkeypatch):
    generator = np.random.default_rng(0)
    arrays = {
        f"{kind}_{part}": generator.integers(0, 256 if kind == "x" else 10, (n, *shape), np.uint8)
        for part, n in (("train", 10_100), ("test", 50))
        for kind, shape in (("x", (28, 28)), ("y", ()))
    }
    np.savez(tmp_path / "data.npz", **arrays)
    for name in ("linear_regression", "softmax"):
        source = (PROGRAMS / f"{name}.py").read_text()
        assert len(source.splitlines()) < 80
        monkeypatch.setattr("sys.argv", [name, str(tmp_path / "data.npz")])
        exec(compile(source, name, "exec"), {"__name__": "__main__"})  # noqa: S102 - our own
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["training", "evaluation"] * 10 + ["test"] + [
        "class"
    ] * 3


def test_the_report_lists_them_and_leaves_them_beside_it(reported):
    text = squeeze(reported.page.text)
    program = (PROGRAMS / "linear_regression.py").read_text()
    assert squeeze(program) in text
    for part in (PROGRAMS / "softmax.py").read_text().split("\n\n\n")[1:-1]:
        assert squeeze(part) in text
    for path in PROGRAMS.glob("*.py"):
        assert (reported.folder / path.name).read_bytes() == path.read_bytes()
        assert path.name in reported.facts["files"]
