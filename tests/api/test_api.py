"""The Python interface does what the command does, to the last bit, in Python's words."""

import builtins
import html.parser
import subprocess
import sys
import threading

import numpy as np
import pytest

import mnistlab
from mnistlab.api.run_objects import html_table
from mnistlab.datasets import load
from tests.late import Late
from tests.report.helpers import squeeze

pd = Late("pandas")
MINI = {"data__dataset": "mnist-mini", "data__validation": 1000}
WORDS = ("data.dataset=mnist-mini", "data.validation=1000")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MNISTLAB_RUNS_DIR", str(tmp_path / "runs"))


def train(config="softmax", **more):
    return mnistlab.train(config, **{"epochs": 2, "plots": False, **MINI, **more})


@pytest.fixture(scope="module")
def data():
    return load("mnist-mini", validation=1000)


def test_importing_takes_no_numpy_and_help_teaches_the_names():
    program = (
        "import sys, mnistlab; print('numpy' in sys.modules, *sorted(mnistlab.__all__));"
        "mnistlab.train; print(*(name in sys.modules for name in ('typer', 'pandas', 'sklearn')));"
        "print(set(mnistlab.__all__) <= set(dir(mnistlab)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    first, second, third = done.stdout.splitlines()
    assert first.split()[0] == "False"
    assert second == "False False False"
    assert third == "True"
    for name in mnistlab.__all__:
        assert name in mnistlab.__doc__ or name in ("MnistlabError", "Run", "Runs", "Sweep")
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        mnistlab.nothing  # noqa: B018


def test_the_same_comes_out_as_from_the_command(run, tmp_path):
    ours = train(seed=3)
    words = ("-c", "softmax", "epochs=2", "seed=3", *WORDS, "--no-plots", "-q")
    assert run("train", *words, "--runs-dir", tmp_path / "other")[0] == 0
    theirs = mnistlab.load_run("latest", runs_dir=tmp_path / "other")
    assert np.array_equal(ours.weights, theirs.weights)
    assert np.array_equal(ours.biases, theirs.biases)
    assert ours.config == theirs.config
    assert ours["key"] == theirs["key"]


def test_a_sweep_is_that_of_the_command(run, tmp_path):
    ours = mnistlab.sweep(
        "softmax", {"learning_rate": [0.01, 0.1]}, seeds=2, epochs=1, plots=False, **MINI
    )
    words = ("-c", "softmax", "learning_rate=0.01,0.1", "--seeds", 2, "epochs=1", *WORDS)
    assert run("sweep", *words, "--no-plots", "-q", "--runs-dir", tmp_path / "other")[0] == 0
    theirs = mnistlab.load_run("latest", runs_dir=tmp_path / "other")
    assert ours.parameters == theirs.parameters == {"learning_rate": 0.1}
    for one, other in zip(ours.runs, theirs.runs, strict=True):
        assert np.array_equal(one.weights, other.weights)
    assert ours.best.name == f"{ours.name}/2"
    assert ours.status == "completed"


@pytest.mark.parametrize(
    "config",
    [
        {"loss": "softmax_cross_entropy", "epochs": 1, "data": {"dataset": "mnist-mini"}},
        None,
    ],
)
def test_mappings_and_nothing_are_configs(config):
    made = mnistlab.train(
        config, plots=False, epochs=np.int64(2), name="mine", data={"validation": 1000}, **MINI
    )
    assert made.config["epochs"] == 2
    assert made.config["data"]["validation"] == 1000
    assert made.config["name"] == "mine"
    assert "mine" in made.name


def test_files_are_configs(tmp_path):
    (tmp_path / "own.yaml").write_text("epochs: 1\nlearning_rate: 0.02\n")
    assert train(tmp_path / "own.yaml", epochs=1)["learning_rate"] == 0.02


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: mnistlab.train("nothing"), "no shipped config of this name"),
        (lambda: mnistlab.train(3), "a config is a file, the name of a shipped one or a mapping"),
        (lambda: mnistlab.train(epochz=1), "unknown key 'epochz'; did you mean 'epochs'"),
        (lambda: mnistlab.train({"epochs": "x"}), "epochs must be a whole number"),
        (lambda: mnistlab.train(data__dataset="nowhere"), "unknown dataset 'nowhere'"),
        (lambda: mnistlab.sweep("linear", {"lr": [1, 2]}), "did you mean 'learning_rate'"),
        (lambda: mnistlab.sweep("linear", {}), "nothing to sweep"),
        (lambda: mnistlab.sweep("linear", {"seed": [1, 2]}, metric="test.loss"), "validation"),
        (lambda: mnistlab.runs("epochs >"), "ends too early"),
        (lambda: mnistlab.load_run("nothing"), "there is no run 'nothing'"),
    ],
)
def test_wrong_input_is_a_value_error(call, said):
    with pytest.raises(ValueError, match=said) as caught:
        call()
    assert isinstance(caught.value, mnistlab.InputError)


def test_a_run_that_diverges_is_returned():
    made = train("linear_overflow")
    assert made.status == "diverged"
    assert "overflowed" in made["error"]
    with pytest.raises(ValueError, match="is diverged and has no weights"):
        made.predict(np.zeros((1, 28, 28), np.uint8))


def test_metrics_are_a_frame_by_epoch_and_without_pandas_arrays(monkeypatch):
    made = train()
    assert made.metrics.index.tolist() == [1, 2]
    assert made.metrics.index.name == "epoch"
    assert made.metrics["validation_loss"].iloc[-1] == made["validation.loss"]
    real = builtins.__import__

    def without(name, *more):
        if name == "pandas":
            raise ImportError
        return real(name, *more)

    monkeypatch.setattr(builtins, "__import__", without)
    again = mnistlab.load_run(made.name)
    assert again.metrics["epoch"].tolist() == [1, 2]
    assert isinstance(again.metrics["train_loss"], np.ndarray)
    with pytest.raises(mnistlab.MnistlabError, match="pip install pandas"):
        mnistlab.runs().to_frame()


@pytest.mark.parametrize("steps", [[], ["deskew"], ["standardize"], ["deskew", "standardize"]])
def test_predictions_are_those_of_the_run(data, steps):
    made = train(data={"preprocess": steps})
    assert np.mean(made.predict(data.test.images) == data.test.labels) == made["test.accuracy"]
    assert np.array_equal(made.predict(data.test.images[:9].reshape(9, -1)),
                          made.predict(data.test.images[:9]))  # fmt: skip
    probabilities = made.predict_proba(data.test.images[:5])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    assert np.array_equal(probabilities.argmax(axis=1), made.predict(data.test.images[:5]))
    assert made.predict_proba(data.test.images[:0]).shape == (0, 10)


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (np.zeros((2, 28, 28)), "must be uint8"),
        (np.zeros((2, 20, 20), np.uint8), "784 pixels"),
        (np.zeros(784, np.uint8), "must have the shape"),
    ],
)
def test_other_images_are_refused(images, said):
    with pytest.raises(ValueError, match=said):
        train(epochs=1).predict(images)


def test_probabilities_are_those_of_a_loss_that_has_them(data):
    with pytest.raises(ValueError, match="squared_error gives no probabilities"):
        train("linear").predict_proba(data.test.images)


def test_keys_are_those_of_the_listing():
    made = train()
    assert made["data.dataset"] == "mnist-mini"
    with pytest.raises(KeyError, match=r"did you mean 'test\.accuracy'"):
        made["tst.accuracy"]


def test_runs_are_filtered_sorted_and_a_frame():
    for rate in (0.01, 0.1, 0.05):
        train(learning_rate=rate)
    found = mnistlab.runs("learning_rate > 0.01", sort="learning_rate")
    assert [one["learning_rate"] for one in found] == [0.05, 0.1]
    assert len(mnistlab.runs()) == 3
    assert [one["learning_rate"] for one in found[:1]] == [0.05]
    frame = found.to_frame()
    assert frame["learning_rate"].dtype == float
    assert frame["epochs"].dtype == int
    assert isinstance(frame["started"].dtype, pd.DatetimeTZDtype)
    assert frame["run"].tolist() == [one.name for one in found]


class Text(html.parser.HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.tags, self.words = set(), []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        assert not attributes
        self.tags.add(tag)

    def handle_data(self, text):
        self.words.append(text)


def test_what_a_notebook_shows_is_a_plain_table(tmp_path):
    made = train(name="a")
    swept = mnistlab.sweep("softmax", {"learning_rate": [0.01, 0.1]}, epochs=1, plots=False, **MINI)
    for one in (made, swept, swept.runs, mnistlab.runs()):
        shown = Text(one._repr_html_())
        assert shown.tags == {"table", "caption", "thead", "tbody", "tr", "th", "td"}
    assert f"{made['test.accuracy']:.2%}" in squeeze(made._repr_html_())
    folder = (tmp_path / "runs" / "<b>x").mkdir()
    assert folder is None
    assert "<b>" not in html_table("<b>", ["<b>"], [["<b>"]])
    assert repr(made).startswith(f"<Run {made.name}: completed")


@pytest.mark.usefixtures("drawn_here")
def test_plots_are_figures():
    made = train()
    assert made.plot("weights").axes
    assert made.plot("weights")._repr_png_().startswith(b"\x89PNG")  # what a notebook shows
    with pytest.raises(ValueError, match="did you mean 'weights'"):
        made.plot("weight")
    drawn = mnistlab.train("linear", epochs=1, **MINI)
    assert (drawn.path / "plots" / "weights.png").exists()


def test_it_works_in_a_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(train()))
    thread.start()
    thread.join()
    assert found[0].status == "completed"


def test_an_interrupt_leaves_a_run_that_can_be_gone_on_with(monkeypatch, run):
    whole = train(epochs=3)

    def stop(row, epochs):  # noqa: ARG001 - as describe_epoch
        if row["epoch"] == 2:
            raise KeyboardInterrupt
        return ""

    with monkeypatch.context() as patch:
        patch.setattr("mnistlab.experiment.training.describe_epoch", stop)
        with pytest.raises(KeyboardInterrupt):
            train(epochs=3)
    cut = mnistlab.load_run("latest")
    assert cut.status == "interrupted"
    assert run("train", "--resume", cut.name, "-q", "--no-plots")[0] == 0
    assert np.array_equal(mnistlab.load_run(cut.name).weights, whole.weights)


def test_progress_is_one_line_in_a_notebook_and_nothing_elsewhere(capsys, monkeypatch):
    train()
    assert capsys.readouterr().err == ""
    monkeypatch.setitem(sys.modules, "ipykernel", sys)
    train()
    shown = capsys.readouterr().err
    assert shown.count("\r") >= 2
    assert shown.endswith("\n")
    assert shown.count("\n") == 1
    train(progress=False)
    assert capsys.readouterr().err == ""


def test_a_plugin_can_be_named_again(tmp_path):
    (tmp_path / "own.py").write_text(
        "from mnistlab.core.losses import LOSSES, SquaredError\n"
        "if 'own_of_api' not in LOSSES: LOSSES.add('own_of_api', SquaredError())\n"
    )
    for _ in range(2):
        assert train("linear", loss="own_of_api", plugins=["own.py"]).status == "completed"


def test_a_plugins_loss_may_give_probabilities(tmp_path, data):
    (tmp_path / "smooth.py").write_text(
        "from mnistlab.core.losses import LOSSES, softmax\n"
        "class Brier:\n"
        "    curvature = None\n"
        "    gives_probabilities = True\n"
        "    def value(self, outputs, targets):\n"
        "        return ((softmax(outputs) - targets) ** 2).sum(axis=-1)\n"
        "    def gradient(self, outputs, targets):\n"
        "        p = softmax(outputs)\n"
        "        slope = 2 * (p - targets)\n"
        "        return p * (slope - (p * slope).sum(axis=-1, keepdims=True))\n"
        "LOSSES.add('brier', Brier())\n"
    )
    run = train("linear", loss="brier", plugins=["smooth.py"])
    probabilities = run.predict_proba(data.test.images[:5])
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(5), rel=1e-6)


def test_values_of_pandas_and_of_iterators_are_values(tmp_path):
    made = train(
        learning_rate=pd.Series([0.1])[0],
        dtype=np.float32,
        data={"preprocess": pd.Series(["invert"])},
    )
    assert made["data.preprocess"] == ["invert"]
    swept = mnistlab.sweep(
        "softmax", {"learning_rate": pd.Series([0.1, 0.2]), "batch_size": iter([50, 100])},
        plots=False, epochs=1, **MINI,
    )  # fmt: skip
    assert len(swept.runs) == 4
    with pytest.raises(ValueError, match="is no value of a config"):
        train(learning_rate=object())
    (tmp_path / "own.py").write_text("")
    assert train(plugins=str(tmp_path / "own.py")).status == "completed"


def test_the_facts_of_a_run_are_a_mapping():
    made = train()
    assert "test.accuracy" in made
    assert "test.speed" not in made
    assert dict(made)["model"] == "linear"
    assert list(made) == made.keys()


def test_a_key_is_either_tried_or_the_same_for_all():
    with pytest.raises(ValueError, match="learning_rate is given twice: values to try"):
        mnistlab.sweep("softmax", {"learning_rate": [0.1, 0.2]}, learning_rate=0.3, **MINI)
