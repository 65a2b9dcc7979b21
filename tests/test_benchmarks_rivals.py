"""Every rival runs and does the work it is there for; on a few random images."""

import importlib.util
import json
import os
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from harness.contestants import read_products
from harness.measure import Finished, run_process
from harness.sweep import GFLOPS, read_peak

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def run_rival(name: str, *arguments: str, environment: dict[str, str] | None = None) -> str:
    command = [sys.executable, str(BENCHMARKS / "rivals" / f"{name}.py"), *arguments]
    return run_process(command, {**os.environ, **(environment or {})}).output


def test_bare_products_runs():
    measures = read_products(Finished(1.0, 1, run_rival("bare_products", "--steps", "5")))
    assert measures["plain"] > 0
    assert measures["transposed"] > 0


def test_peak_products_runs():
    assert read_peak(Finished(1.0, 1, run_rival("peak_products", "--size", "32")))[GFLOPS] > 0


def test_typer_hello_shows_its_help():
    assert "Usage:" in run_rival("typer_hello", "--help")


@pytest.mark.parametrize(
    "name", ["torch_memory", "torch_by_hand", "torch_dataloader", "sklearn_mlp"]
)
def test_rivals_run(name, tiny_mnist):
    package = "sklearn" if name.startswith("sklearn") else "torch"
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed; `make bench` installs it")
    report = json.loads(run_rival(name, environment={"MNIST_FOLDER": str(tiny_mnist)}))
    assert report["seconds"]["steps"] > 0
    assert set(report["train"]) >= {"accuracy"}


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("jax_sweep", "fused"),
        ("jax_sweep", "vmap"),
        ("torch_sweep", "optimizer"),
        ("torch_sweep", "by_hand"),
    ],
)
def test_rivals_sweep(name, way, tiny_mnist):
    package = name.partition("_")[0]
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed; `make bench` installs it")
    output = run_rival(name, way, "0.001", "0.002", environment={"MNIST_FOLDER": str(tiny_mnist)})
    report = json.loads(output)
    assert [run["learning_rate"] for run in report["runs"]] == [0.001, 0.002]
    assert {"import", "load", "steps", "evaluate"} <= set(report["seconds"])
    losses = [run["train"]["loss"] for run in report["runs"]]
    expected = [loss_after_ten_epochs(tiny_mnist, rate) for rate in (0.001, 0.002)]
    assert losses == pytest.approx(expected, rel=0.02)  # batches differ in order


def loss_after_ten_epochs(folder: Path, rate: float) -> float:
    """The training loss of `configs/linear.yaml` from weights of zero, in another data order."""
    X = np.fromfile(folder / "train-images-idx3-ubyte", np.uint8, offset=16).reshape(-1, 784)
    X = np.hstack([X[:200] / 255, np.ones((200, 1))])
    T = np.eye(10)[np.fromfile(folder / "train-labels-idx1-ubyte", np.uint8, offset=8)[:200]]
    W = np.zeros((785, 10))
    for _ in range(10):
        for rows in (slice(0, 100), slice(100, 200)):
            W -= rate * 2 / 100 * X[rows].T @ (X[rows] @ W - T[rows])
    return float(np.square(X @ W - T).sum() / 200)


@pytest.mark.parametrize("name", ["mnistlab_one_by_one", "mnistlab_two_processes"])
def test_our_own_trainer_runs_outside_of_a_sweep(name, tiny_mnist, tmp_path):
    config = tmp_path / "tiny.yaml"
    config.write_text(f"data: {{dataset: {tiny_mnist}, validation: 10000}}")
    environment = {"MNISTLAB_RUNS_DIR": str(tmp_path / "runs")}
    output = run_rival(name, "--config", str(config), "0.001", "0.002", environment=environment)
    report = json.loads(output)
    assert sorted(run["learning_rate"] for run in report["runs"]) == [0.001, 0.002]
    for run in report["runs"]:
        assert run["status"] == "completed"
        rate = run["learning_rate"]
        assert run["train"]["loss"] == pytest.approx(loss_after_ten_epochs(tiny_mnist, rate), 0.02)
    assert len(list((tmp_path / "runs").glob("*-tiny-*"))) == 2


@pytest.fixture
def tiny_mnist(tmp_path):
    """A folder with the four files, of 10,200 and 50 random images."""
    generator = np.random.default_rng(0)
    for prefix, count in (("train", 10_200), ("t10k", 50)):
        images = generator.integers(0, 256, (count, 784), np.uint8)
        labels = generator.integers(0, 10, count, np.uint8)
        heads = struct.pack(">4I", 0x803, count, 28, 28), struct.pack(">2I", 0x801, count)
        (tmp_path / f"{prefix}-images-idx3-ubyte").write_bytes(heads[0] + images.tobytes())
        (tmp_path / f"{prefix}-labels-idx1-ubyte").write_bytes(heads[1] + labels.tobytes())
    return tmp_path
