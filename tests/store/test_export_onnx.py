"""An exported model gives in another program what the run gives here, from the same bytes."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

import mnistlab
from mnistlab.config.load import load_config
from mnistlab.datasets import load
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.weights import save_weights
from mnistlab.store.predict import model_as_onnx
from tests.digits import write_digits
from tests.late import Late
from tests.store.folders import everything_in

onnx, onnxruntime = Late("onnx"), Late("onnxruntime")
MINI = {"data__dataset": "mnist-mini", "data__validation": 1000, "epochs": 2, "plots": False}
ROOT = Path(__file__).parents[2] / "configs"
CONFIGS = ("linear", "sigmoid", "sigmoid_sgd", "softmax")


@pytest.fixture(scope="module")
def images():
    return load("mnist-mini", validation=0).test.images


@pytest.fixture(scope="module", autouse=True)
def _place(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("onnx"))
        yield


def opened(path):
    """Return a checked model and what runs it."""
    onnx.checker.check_model(str(path), full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnx.load(path), onnxruntime.InferenceSession(
        str(path), options, providers=["CPUExecutionProvider"]
    )


def exported(run, trained, path):
    """Export a run by the command and return what opens it."""
    code, out, err = run("runs", "export", trained.name, "--to", path, "--runs-dir", "runs")
    assert (code, out, err) == (0, f"{path}: 1 run\n", "")
    return opened(path)


def check_same(session, trained, images):
    """Assert that a model gives labels, outputs and probabilities of a run."""
    names = [one.name for one in session.get_outputs()]
    given = dict(zip(names, session.run(names, {"images": images}), strict=True))
    assert given["label"].dtype == np.int64
    np.testing.assert_array_equal(given["label"], trained.predict(images))
    # In float32 a run's own probabilities are up to 4e-6 away from those in exact arithmetic.
    rounding = {"float32": 1e-5, "float64": 1e-12}[str(trained.weights.dtype)]
    np.testing.assert_allclose(given["outputs"], trained.outputs(images), rounding, rounding)
    assert given["outputs"].dtype == trained.weights.dtype
    assert ("probabilities" in given) == (trained["loss"] == "softmax_cross_entropy")
    if "probabilities" in given:
        assert list(given) == ["label", "outputs", "probabilities"]
        np.testing.assert_allclose(
            given["probabilities"], trained.predict_proba(images), rtol=0, atol=rounding
        )
    return given


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("config", CONFIGS)
def test_every_shipped_config_gives_what_the_run_gives(config, dtype, run, images, tmp_path):
    trained = mnistlab.train(config, **MINI, dtype=dtype, runs_dir="runs")
    _, session = exported(run, trained, tmp_path / "model.onnx")
    (given,) = session.get_inputs()
    assert (given.name, given.type, given.shape) == ("images", "tensor(uint8)", ["N", 28, 28])
    check_same(session, trained, images)
    check_same(session, trained, images[:1])
    assert [len(one) for one in session.run(["label", "outputs"], {"images": images[:0]})] == [0, 0]


def test_the_shipped_configs_are_all_tried():
    # one overflows and has no weights, one is a sweep, the rest deskew, vote or have feature steps
    others = {"linear_overflow", "best", "lecun1998", "pairwise", "quadratic", "patches"}
    others |= {"patches_softmax"}
    assert {path.stem for path in ROOT.glob("*.yaml")} == {*CONFIGS, *others}


@pytest.fixture(scope="module")
def narrow(tmp_path_factory):
    """Return an .npz of images with 9 rows and 16 columns, as many pixels as 12 x 12 have."""
    generator = np.random.default_rng(0)
    y = np.arange(400) % 3
    x = generator.integers(0, 60, (400, 9, 16)).astype(np.uint8)
    x[np.arange(400), 2 * y, 2:14] = 250
    path = tmp_path_factory.mktemp("narrow") / "narrow.npz"
    np.savez(path, x_train=x[:300], y_train=y[:300], x_test=x[300:], y_test=y[300:])
    return path, x[300:]


@pytest.mark.parametrize(
    "steps", [[], ["standardize"], ["invert", "transpose"], ["transpose", "invert", "standardize"]]
)
def test_another_size_and_all_that_a_graph_can_hold(steps, run, narrow, tmp_path):
    path, images = narrow
    trained = mnistlab.train(
        "softmax", data__dataset=str(path), data__validation=50, data__preprocess=steps,
        epochs=3, plots=False, runs_dir="runs",
    )  # fmt: skip
    _, session = exported(run, trained, tmp_path / "model.onnx")
    assert session.get_inputs()[0].shape == ["N", 9, 16]
    given = check_same(session, trained, images)
    # the bars are bright lines, so that a model which sees them as it should finds them all
    assert (given["label"] == np.arange(300, 400) % 3).mean() > 0.9


def test_by_hand():
    """One pixel of 51 is 0.2; with weights 2 and -3 and biases 0.5 and 1 that is 0.9 and 0.4.

    Class 5 has the output of class 0, which comes first.
    """
    trained = mnistlab.train("linear", **MINI, runs_dir="runs")
    parameters = np.zeros((785, 10), np.float32)
    parameters[3, [0, 1, 5]] = 2, -3, 2
    parameters[-1, [0, 1, 5]] = 0.5, 1, 0.5
    folder = RunFolder(trained.path)
    save_weights(folder.model, parameters)
    folder.write_status("completed", checksums=folder.compute_checksums())
    session = onnxruntime.InferenceSession(model_as_onnx(folder))
    image = np.zeros((1, 28, 28), np.uint8)
    image[0, 0, 3] = 51
    label, outputs = session.run(None, {"images": image})
    np.testing.assert_allclose(outputs[0], [0.9, 0.4, 0, 0, 0, 0.9, 0, 0, 0, 0], rtol=0, atol=1e-6)
    assert label.tolist() == [0]


def test_what_the_file_says_of_itself(run, tmp_path):
    trained = mnistlab.train("softmax", **MINI, name="try", runs_dir="runs")
    model, _ = exported(run, trained, tmp_path / "a.onnx")
    assert (model.ir_version, [(one.domain, one.version) for one in model.opset_import]) == (
        8,
        [("", 17)],
    )
    assert (model.producer_name, model.producer_version) == ("mnistlab", mnistlab.__version__)
    assert model.graph.name == trained.name
    said = {one.key: one.value for one in model.metadata_props}
    assert said["run"] == trained.name
    assert said["data_sha256"] == trained["data_sha256"]
    assert json.loads(said["classes"]) == [str(c) for c in range(10)]
    (tmp_path / "again.yaml").write_text(said["config"])
    assert load_config(tmp_path / "again.yaml") == load_config(trained.path / "config.yaml")
    assert yaml.safe_load(said["config"])["name"] == "try"
    # from Python the same comes out, and again the same bytes
    assert trained.to_onnx(tmp_path / "b.onnx") == tmp_path / "b.onnx"
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    with pytest.raises(mnistlab.InputError, match="is there already"):
        trained.to_onnx(tmp_path / "b.onnx")
    with pytest.raises(
        mnistlab.InputError, match=r"b\.bin: is no onnx; its name must end in \.onnx"
    ):
        trained.to_onnx(tmp_path / "b.bin")


PLUGIN = """
from mnistlab.core.models import MODELS
from mnistlab.core.optimizers import OPTIMIZERS
from mnistlab.datasets import PREPROCESSING, MovePixels
import numpy as np

class Tanh:
    is_linear = False
    def forward(self, A):
        outputs = np.tanh(A)
        return outputs, lambda gradient: gradient * (1 - outputs**2)

MODELS.add("tanh", Tanh())
PREPROCESSING.add("mirror", MovePixels("swap", lambda x: x[:, :, ::-1].copy(), 1))
"""


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["data.preprocess=[deskew]"], "deskew moves pixels, which the graph cannot do"),
        (["data.preprocess=[mirror]", "--plugin", "mine.py"], "mirror moves pixels"),
        (["model=tanh", "--plugin", "mine.py"], "the model tanh cannot be written as ONNX"),
        (["-c", "linear", "learning_rate=900"], "has diverged, so it has no weights"),
    ],
)
def test_what_no_graph_holds_is_refused(words, told, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(PLUGIN)
    words = words if "-c" in words else ["-c", "linear", *words]
    small = [f"data.dataset={write_digits()}", "data.validation=200", "epochs=1"]
    run("train", *words, *small, "--no-plots", "-q")
    before = everything_in(tmp_path)
    plugin = ["--plugin", "mine.py"] if "--plugin" in words else []
    code, out, err = run("runs", "export", "latest", "--to", "x.onnx", *plugin)
    assert (code, out) == (2, "")
    assert told in err
    assert everything_in(tmp_path) == before


def test_a_folder_that_was_changed_and_several_runs_are_refused(run, tmp_path):
    first = mnistlab.train("linear", **MINI, runs_dir="runs")
    second = mnistlab.train("linear", **MINI, runs_dir="runs")
    to = tmp_path / "x.onnx"
    words = ("runs", "export", "--to", to, "--runs-dir", "runs")
    code, _, err = run(*words, first.name, second.name)
    assert code == 2
    assert "a .onnx holds one run, not 2" in err
    config = first.path / "config.yaml"
    config.write_text(config.read_text().replace("[]", "[invert]"))
    code, _, err = run(*words, first.name)
    assert code == 2
    assert "config.yaml: is not what the run left" in err
    assert not to.exists()


def test_without_the_extra_it_is_told(run, tmp_path, monkeypatch):
    trained = mnistlab.train("linear", **MINI, runs_dir="runs")
    monkeypatch.setitem(sys.modules, "onnx", None)
    code, out, err = run(
        "runs", "export", trained.name, "--to", tmp_path / "x.onnx", "--runs-dir", "runs"
    )
    assert (code, out) == (2, "")
    assert "pip install 'mnistlab[onnx]'" in err
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file(run, tmp_path, monkeypatch):
    trained = mnistlab.train("linear", **MINI, runs_dir="runs")
    to = tmp_path / "x.onnx"
    to.write_text("mine")
    monkeypatch.setattr("os.fsync", lambda _file: (_ for _ in ()).throw(OSError(28, "No space")))
    code, _, err = run("runs", "export", trained.name, "--to", to, "--runs-dir", "runs", "--force")
    assert (code, to.read_text()) == (1, "mine")
    assert "No space" in err
    assert [path.name for path in tmp_path.iterdir()] == ["x.onnx"]
