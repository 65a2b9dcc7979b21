"""Parts of a user's own: their options are keys, a false one is refused or warned about."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from mnistlab.config.load import load_config, valid_keys
from mnistlab.datasets import DATASETS, ArrayDataset
from mnistlab.errors import ConfigError, DataError, InputError
from mnistlab.plugins import load_plugins, run_file

OPTIMIZER = """
import numpy as np
from mnistlab.core.optimizers import OPTIMIZERS
from mnistlab.core.schedules import SCHEDULES
class Sign:
    options = {options}
    def stability(self, momentum, noise): return None
    def init(self, parameters): return {state}
    def update(self, gradient, state, hyper):
        return hyper["learning_rate"] * hyper.get("memory", 1) * np.sign(gradient)
class Warm:
    options = {{"warm_epochs": 3}}
    counts_epochs = False
    def factor(self, epoch, epochs, hyper):
        return np.minimum(1.0, (epoch + 1) / hyper["warm_epochs"])
OPTIMIZERS.add("sign", Sign())
SCHEDULES.add("warm", Warm())
"""
MINI = ("data.dataset=mnist-mini", "data.validation=1000", "epochs=1")


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a plugin with other options or another state."""

    def write(options="{'memory': 0.9}", state="{}"):
        path = tmp_path / "own.py"
        path.write_text(OPTIMIZER.format(options=options, state=state))
        return path

    return write


def test_options_are_keys_with_usual_values(write):
    assert "memory" not in valid_keys()
    load_plugins([write()])
    assert {"memory", "warm_epochs"} <= set(valid_keys())
    config = load_config(None, ["optimizer=sign", "schedule=warm", "warm_epochs=2"])
    assert (config.memory, config.warm_epochs) == (0.9, 2)
    with pytest.raises(ConfigError, match="memory has no effect with optimizer sgd"):
        load_config(None, ["memory=0.5"])
    with pytest.raises(ConfigError, match="memory must be a number"):
        load_config(None, ["optimizer=sign", "memory=much"])
    with pytest.raises(ConfigError, match="did you mean 'memory'"):
        load_config(None, ["optimizer=sign", "memoy=1"])


def test_options_are_in_the_schema_the_run_and_a_sweeps_axes(write, run):
    plugin = write()
    code, out, _ = run("config", "schema", "--plugin", plugin)
    assert code == 0
    described = json.loads(out)["properties"]["memory"]["description"]
    assert described == "For optimizer sign, usually 0.9."
    words = ("-c", "linear", "--plugin", plugin, "optimizer=sign", *MINI, "--no-plots", "-q")
    assert run("train", *words, "memory=0.5")[0] == 0
    code, out, err = run("sweep", *words, "memory=0.5,0.9", "learning_rate=0.001", "--json")
    assert code == 0, err
    assert [one["parameters"] for one in json.loads(out)["results"]] == [
        {"memory": 0.5},
        {"memory": 0.9},
    ]
    code, out, _ = run("runs", "list", "--filter", "memory = 0.5", "--json")
    assert len(json.loads(out)) == 1
    code, out, err = run("runs", "verify", "--all", "--plugin", plugin, "--json")
    assert [one["verdict"] for one in json.loads(out)][:1] == ["identical"], err


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"options": "['memory']"}, "must have a mapping as `options`"),
        ({"options": "{'my memory': 1}"}, "which is no name of letters"),
        ({"options": "{'memory': 'much'}"}, "whose usual value is no number: 'much'"),
        ({"state": "[1]"}, r"init\(parameters\) must return a dict of arrays"),
        ({"state": "{'mean': np.zeros(3)}"}, "'mean' has the shape"),
    ],
)
def test_false_options_and_states_are_refused_at_once(write, changed, message):
    with pytest.raises(InputError, match=message):
        load_plugins([write(**changed)])


@pytest.mark.parametrize("key", ["epochs", "weight_decay", "stop_after"])
def test_an_option_cannot_take_the_name_of_another_key(write, key):
    load_plugins([write(options=f"{{'{key}': 1.0}}")])
    with pytest.raises(InputError, match=f"{key} is a key of every config"):
        load_config(None, [])


WRONG = """
import numpy as np
from mnistlab.core.losses import LOSSES
from mnistlab.core.models import MODELS
class Square:
    curvature = None
    def value(self, outputs, targets): return ((outputs - targets) ** 2).sum(axis=-1)
    def gradient(self, outputs, targets): return {gradient} * (outputs - targets)
class Half:
    is_linear = False
    def forward(self, A): return A / 2, lambda gradient: gradient * {slope}
LOSSES.add("square", Square())
MODELS.add("half", Half())
"""


@pytest.mark.parametrize(
    ("gradient", "slope", "said"),
    [
        (2, 0.5, []),
        (1, 0.5, ["loss 'square': its gradient is not the derivative of its value"]),
        (2, 2, ["model 'half': its way back is not the derivative of its outputs"]),
    ],
)
def test_a_gradient_that_is_none_is_warned_about(tmp_path, capsys, gradient, slope, said):
    path = tmp_path / "own.py"
    path.write_text(WRONG.format(gradient=gradient, slope=slope))
    load_plugins([path])
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == len(said)
    assert all(one in line for one, line in zip(said, lines, strict=True))


STEP = """
from mnistlab.datasets import FEATURE_STEPS
class RowMeans:
    options, is_random, is_kept = {}, False, False
    def count(self, shape, options): return shape[0]
    def fit(self, rows, options, generator): return {}
    def apply(self, x, arrays, options): return x.reshape(len(x), 28, -1).mean(axis=2)
FEATURE_STEPS.add("row_means", RowMeans())
"""


def test_a_feature_step_needs_no_more_than_is_asked_for(tmp_path, run):
    (tmp_path / "rows.py").write_text(STEP)
    words = ("--plugin", tmp_path / "rows.py", "features=[row_means]", *MINI, "--no-plots", "-q")
    assert run("train", "-c", "linear", *words) == (0, "", "")


MEMBERS = ["options", "is_random", "is_kept", "count", "fit", "apply"]


@pytest.mark.parametrize("gone", MEMBERS)
def test_what_a_feature_step_lacks_is_named(tmp_path, gone):
    plugin = tmp_path / "rows.py"
    plugin.write_text(STEP.replace(gone, "other", 1))
    with pytest.raises(InputError, match=f"rows.py: feature step 'row_means' has no `{gone}`$"):
        load_plugins([plugin])


def test_a_feature_step_is_checked_where_its_file_is_the_first_to_import_the_kind(tmp_path):
    (tmp_path / "rows.py").write_text(STEP.replace("count", "other", 1))
    code = (
        "from pathlib import Path; from mnistlab.plugins import *; load_plugins([Path('rows.py')])"
    )
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "feature step 'row_means' has no `count`" in done.stderr


def test_arrays_and_npz_files_are_datasets(tmp_path):
    y = np.arange(300) % 10
    x = np.random.default_rng(0).integers(0, 99, (300, 8, 8)).astype(np.uint8)
    DATASETS.add("own", ArrayDataset(x[:200], y[:200], x[200:], y[200:]))
    np.savez(tmp_path / "a.npz", x_train=x[:200], y_train=y[:200], x_test=x[200:], y_test=y[200:])
    DATASETS.add("of_file", ArrayDataset.from_npz(tmp_path / "a.npz", description="own digits"))
    from mnistlab.datasets import load  # noqa: PLC0415

    own, of_file = (load(name, validation=50) for name in ("own", "of_file"))
    assert own.sha256 == of_file.sha256
    assert own.train.images.shape == (150, 8, 8)
    assert own.oddities is not None
    assert load(str(tmp_path / "a.npz"), validation=50).sha256 == own.sha256


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x_train": np.zeros((4, 8, 8))}, "x_train is float64"),
        ({"y_test": np.zeros((4, 10), int)}, "y_test is int64 of shape"),
    ],
)
def test_arrays_of_other_kinds_are_refused(change, message):
    images, labels = np.zeros((4, 8, 8), np.uint8), np.arange(4)
    right = {"x_train": images, "y_train": labels, "x_test": images, "y_test": labels}
    with pytest.raises(DataError, match=message):
        ArrayDataset(**right | change)


def test_entries_of_other_types_are_refused(tmp_path):
    path = tmp_path / "own.py"
    path.write_text("from mnistlab.datasets import DATASETS\nDATASETS.add('own', 3)\n")
    with pytest.raises(InputError, match=r"line 2: TypeError: dataset 'own' is no NamedDataset or"):
        load_plugins([path])


def test_a_file_of_data_alone_is_run_once_a_process(tmp_path):
    path = tmp_path / "bars.py"
    path.write_text(
        "import numpy as np\nfrom mnistlab.datasets import DATASETS, ArrayDataset\n"
        "images, labels = np.zeros((4, 3, 3), np.uint8), np.arange(4, dtype=np.uint8)\n"
        "DATASETS.add('bars', ArrayDataset(images, labels, images, labels))\n"
    )
    load_plugins([path])
    load_plugins([path])
    assert "bars" in DATASETS


def test_a_file_is_run_as_it_stands_whatever_bytecode_there_is(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    path = tmp_path / "own.py"
    for sign in "-+":
        path.write_text(f"VALUE = {sign}1\n")
        os.utime(path, (10**9, 10**9))  # as if both were written in one second
        assert int(f"{sign}1") == run_file(path, "file").VALUE
    assert [one.name for one in tmp_path.iterdir()] == ["own.py"]
