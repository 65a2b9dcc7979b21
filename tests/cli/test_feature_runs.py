"""Runs on features, pairs and exact solutions by the command line: saved, repeated, continued."""

import json
import shutil

import numpy as np
import pytest
import safetensors.numpy

import mnistlab
from mnistlab.datasets import load
from mnistlab.run_folders import RunFolder
from tests.digits import VALIDATION, write_digits

DATA = (f"data.dataset={write_digits()}", f"data.validation={VALIDATION}")
SHORT = (*DATA, "epochs=2")
STEPS = {
    "polynomial": "[{pca: {components: 8}}, polynomial]",
    "patches": "[{patches: {size: 6, filters: 12, pool: 3}}, standardize]",
    "random": "[{random_fourier: {features: 60, gamma: 0.02}}, {random_relu: {features: 40}}]",
}


@pytest.fixture
def train(run, tmp_path):
    def train(*words):
        code, out, err = run("train", "-c", "linear", *words, "--no-plots", "--json")
        assert code == 0, err
        return RunFolder(tmp_path / json.loads(out)["path"])

    return train


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def features(name):
    return f"features={STEPS[name]}"


def weights(folder):
    return safetensors.numpy.load_file(folder.model)


@pytest.mark.parametrize("name", STEPS)
def test_a_run_on_features_is_saved_whole_and_verified_to_the_bit(run, train, name):
    folder = train(*SHORT, features(name), "learning_rate=0.001")
    count = {"polynomial": 44, "patches": 108, "random": 40}[name]
    assert weights(folder)["W"].shape == (count, 10)
    assert folder.features.name in folder.checksums()
    code, out, _ = run("runs", "verify", folder.name, "--json")
    assert (code, [one["verdict"] for one in json.loads(out)]) == (0, ["identical"])
    again = train("--name", "again", *SHORT, features(name), "learning_rate=0.001")
    assert again.model.read_bytes() == folder.model.read_bytes()
    assert again.features.read_bytes() == folder.features.read_bytes()


@pytest.mark.parametrize("name", STEPS)
def test_predictions_come_from_what_the_folder_holds_alone(run, train, name):
    folder = train(*SHORT, features(name), "learning_rate=0.001")
    known = np.load(folder.predictions)
    code, out, err = run("runs", "predict", folder.name, *map(str, range(20)), "--json")
    assert code == 0, err
    said = [image["predicted"] for image in json.loads(out)["images"]]
    assert said == known[:20].tolist()
    one = mnistlab.load_run(folder.path)
    images = load("mnist-mini", validation=0).test.images
    np.testing.assert_array_equal(one.predict(images[:50]), known[:50])
    assert one.features(images[:5]).shape == (5, len(weights(folder)["W"]))
    content = bytearray(folder.features.read_bytes())
    content[-1] ^= 1
    folder.features.write_bytes(content)
    code, _, err = run("runs", "predict", folder.name, "3")
    assert code == 2
    assert "features.safetensors" in err
    folder.features.unlink()
    assert run("runs", "predict", folder.name, "3")[0] == 2


@pytest.mark.parametrize("name", STEPS)
def test_a_stack_on_features_equals_its_single_runs(run, train, tmp_path, name):
    code, out, err = run(
        "sweep", "-c", "linear", *SHORT, features(name), "learning_rate=0.001,0.002",
        "--no-plots", "--json",
    )  # fmt: skip
    assert code == 0, err
    sweep = tmp_path / json.loads(out)["path"]
    files = [sweep / "runs" / str(k) / "features.safetensors" for k in range(2)]
    assert files[0].stat().st_ino == files[1].stat().st_ino  # one file for both
    for k, rate in enumerate((0.001, 0.002)):
        alone = weights(train(*SHORT, features(name), f"learning_rate={rate}"))
        stacked = weights(RunFolder(sweep / "runs" / str(k)))
        np.testing.assert_allclose(stacked["W"], alone["W"], rtol=1e-4, atol=1e-6)


def test_features_are_text_that_a_filter_finds(run, train):
    folder = train(*SHORT, features("polynomial"), "learning_rate=0.001")
    other = train(*SHORT)
    words = ("--columns", "run,features", "--json", "--filter")
    found = json.loads(run("runs", "list", *words, "features contains pca")[1])
    assert [(one["run"], one["features"]) for one in found] == [
        (folder.name, "pca (components 8), polynomial (degree 2)")
    ]
    code, out, _ = run("runs", "compare", folder.name, other.name)
    assert code == 0
    (line,) = (one for one in out.splitlines() if one.startswith("features"))
    assert "pca" in line


def test_a_sweep_may_vary_its_features_and_its_seeds(run, tmp_path):
    (tmp_path / "sweep.yaml").write_text(
        "base: linear\n"
        "parameters:\n"
        "  features:\n"
        f"    values: [[], {STEPS['polynomial']}, {STEPS['random']}]\n"
        "  learning_rate: [0.0005, 0.001]\n"
    )
    code, out, err = run("sweep", "-c", "sweep.yaml", *SHORT, "--seeds", 2, "--no-plots", "--json")
    assert code == 0, err
    document = json.loads(out)
    assert len(document["results"]) == 6
    folder = tmp_path / document["path"] / "runs"
    saved = [(folder / str(k) / "features.safetensors") for k in range(12)]
    assert [one.exists() for one in saved] == [False] * 4 + [True] * 8
    digests = [one.read_bytes() for one in saved[4:]]
    assert len(set(digests[:4])) == 1  # nothing in them is drawn
    assert digests[4] == digests[6] != digests[5] == digests[7]  # with another seed, other draws
    code, out, _ = run("runs", "show", f"{document['sweep']}/2", "--json")
    assert code == 0
    code, out, _ = run("runs", "verify", f"{document['sweep']}/9", "--json")
    assert (code, len(json.loads(out))) == (0, 1)


def test_an_interrupted_run_goes_on_with_the_features_that_it_has(run, train, tmp_path):
    words = (*DATA, features("random"), "learning_rate=0.001")
    whole = train(*words, "epochs=4")
    short = train(*words, "epochs=2")
    shutil.rmtree(tmp_path / "cache", ignore_errors=True)
    assert run("train", "--resume", short.name, "epochs=4", "--no-plots", "-q")[0] == 0
    assert short.model.read_bytes() == whole.model.read_bytes()


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (["optimizer=exact"], 784),
        (["optimizer=exact", "model=pairwise", "weight_decay=0.001"], 784),
        (["optimizer=exact", "weight_decay=0.001", features("polynomial")], 44),
        # few features, as the gradients of 45 columns by 785 take seconds
        (["model=pairwise", "learning_rate=0.001", features("polynomial")], 44),
    ],
)
@pytest.mark.usefixtures("drawn_here")
def test_solved_and_paired_runs_work_with_every_command(run, train, words, count):
    words = [*DATA, *words, *([] if "optimizer=exact" in words else ["epochs=2"])]
    folder = train(*words)
    W = weights(folder)["W"]
    assert W.shape == (count, 45 if "model=pairwise" in words else 10)
    known = np.load(folder.predictions)
    code, out, err = run("runs", "predict", folder.name, "0", "1", "2", "--json")
    assert code == 0, err
    images = json.loads(out)["images"]
    assert [image["predicted"] for image in images] == known[:3].tolist()
    assert all(len(image["outputs"]) == 10 for image in images)
    gradcheck = ["gradcheck", "--config", folder.config, "--points", 1]
    for command in (
        ["runs", "verify", folder.name],
        ["runs", "plot", folder.name],
        ["runs", "show", folder.name],
        # how a run was solved changes no gradient
        *([] if {"optimizer=exact", "model=pairwise"} <= {*words} else [gradcheck]),
        ["report", folder.name, "--out", "report", "--format", "html"],
        ["train", "--config", folder.config, "--dry-run"],
    ):
        code, _, err = run(*command)
        assert code == 0, (command, err)
    assert folder.plot("weights").exists()


def test_what_a_onnx_cannot_hold_is_named(run, train):
    pytest.importorskip("onnx")
    for word, said in ((features("random"), "random_fourier"), ("model=pairwise", "pairwise")):
        folder = train(*SHORT, word, "learning_rate=0.001")
        code, _, err = run("runs", "export", folder.name, "--to", "model.onnx")
        assert code == 2
        assert said in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["loss=softmax_cross_entropy"], "solves the normal equations of a squared error"),
        (["model=sigmoid"], "solves the normal equations"),
        (["epochs=20"], "epochs has no effect with optimizer exact"),
        (["learning_rate=0.1"], "learning_rate has no effect"),
        (["schedule=cosine"], "schedule has no effect"),
        (["init=normal"], "init has no effect"),
        (["early_stopping=3"], "early_stopping has no effect"),
        (["reduction=sum"], "reduction has no effect"),
        (["momentum=0.9"], "momentum has no effect"),
    ],
)
def test_what_means_nothing_to_an_exact_solution_is_refused(run, words, said):
    code, _, err = run("train", "-c", "linear", *DATA, "optimizer=exact", *words)
    assert code == 2
    assert said in " ".join(err.split())


def test_pairs_need_a_loss_that_is_a_sum_over_columns(run):
    code, _, err = run("train", "-c", "linear", "model=pairwise", "loss=softmax_cross_entropy")
    assert code == 2
    assert "tells classes apart in pairs" in err
