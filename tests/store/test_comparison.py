"""A comparison shows what differs, marks the best of what is comparable, and draws the rest."""

import io
import json
import re
import shutil

import pytest
from PIL import Image

from mnistlab.errors import InputError
from mnistlab.plots import check_picture
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.folder import SweepFolder
from mnistlab.store.compare import choose_runs, compare_runs, format_setting, run_labels
from mnistlab.store.opening import of_folders
from tests.store.folders import train


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    runs = tmp_path_factory.mktemp("trained")
    return [train(runs), train(runs, "learning_rate=0.02"), train(runs, "learning_rate=0.2")]


@pytest.fixture
def three(tmp_path, trained):
    """Return three runs in a runs folder that a test may change."""
    return [
        RunFolder(shutil.copytree(one.path, tmp_path / "runs" / one.path.name)) for one in trained
    ]


def compared(*folders):
    return compare_runs({folder.name: folder for folder in folders})


def test_only_what_differs_is_shown_and_the_best_is_marked(three):
    found = compared(*three)
    assert found.config == {"learning_rate": (0.01, 0.02, 0.2)}
    assert found.status == ["completed", "completed", "diverged"]
    losses = [run.read_summary()["validation"]["loss"] for run in three]
    assert list(found.metrics["validation.loss"]) == losses
    assert losses[2] is None
    assert found.best["validation.loss"] == [0 if losses[0] < losses[1] else 1]
    accuracies = found.metrics["test.accuracy"]
    assert found.best["test.accuracy"] == [0 if accuracies[0] > accuracies[1] else 1]
    assert found.best["seconds.total"] == []
    assert found.shared == "mnist-mini, linear model, squared error, sgd, batch size 100"


def test_equals_are_all_best_and_one_alone_is_not(tmp_path, three):
    again = train(tmp_path / "runs")
    assert compared(three[0], again).best["test.loss"] == [0, 1]
    assert compared(three[0], three[2]).best["test.loss"] == []


def test_what_is_not_the_same_thing_has_no_best(tmp_path, three):
    softmax = train(tmp_path / "runs", "loss=softmax_cross_entropy")
    best = compared(three[0], softmax).best
    assert best["validation.loss"] == []
    assert best["validation.accuracy"]
    larger = train(tmp_path / "runs", "data.validation=1500")
    best = compared(three[0], larger).best
    assert best["validation.accuracy"] == best["train.loss"] == []
    assert best["test.loss"]
    environment = larger.read_environment() | {"data_sha256": "0" * 64}
    larger.environment.write_text(json.dumps(environment))
    assert not any(compared(three[0], larger).best.values())


def test_labels_tell_runs_apart(tmp_path, three):
    assert run_labels(compared(*three)) == [f"learning rate {rate}" for rate in (0.01, 0.02, 0.2)]
    again = train(tmp_path / "runs")
    labels = run_labels(compared(three[0], three[1], again))
    assert labels[0] == f"learning rate 0.01 {three[0].name}"
    assert labels[1] == "learning rate 0.02"
    assert run_labels(compared(three[0], again)) == [three[0].name, again.name]


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("model", "sigmoid", "sigmoid model"),
        ("loss", "softmax_cross_entropy", "softmax cross entropy"),
        ("data.dataset", "/a/b/mine.npz", "mine.npz"),
        ("data.preprocess", ["deskew", "standardize"], "deskew, standardize"),
        ("data.preprocess", [], ""),
        ("momentum", None, ""),
        ("data.validation", 500, "validation 500"),
        ("learning_rate", 0.0123456789012, "learning rate 0.01235"),
    ],
)
def test_settings_in_words(key, value, told):
    assert format_setting(key, value) == told


def test_which_runs_are_compared(tmp_path, run, three):
    base = tmp_path / "base.yaml"
    base.write_text("epochs: 1\ndata: {dataset: mnist-mini, validation: 1000}\n")
    rates = ",".join(f"0.00{n}" for n in range(1, 10))
    run("sweep", "-c", base, f"learning_rate={rates}", "seed=0,1", "-q", "--no-plots")
    (sweep,) = (SweepFolder(path) for path in (tmp_path / "runs").glob("*-base-*"))
    assert list(choose_runs(of_folders([*three, three[0]])).values()) == three
    with pytest.raises(InputError, match=f"^18 runs .* only 12; .*{sweep.name}/7$"):
        choose_runs(of_folders([sweep]))
    with pytest.raises(InputError, match="two different runs"):
        choose_runs(of_folders([three[0], three[0]]))
    named = choose_runs(of_folders(sweep.run(number) for number in range(12)))
    assert len(compare_runs(named).runs) == 12
    code, out, _ = run("runs", "compare", *(f"{sweep.name}/{number}" for number in range(12)))
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    assert re.search(r"^ +.* L$", out, re.MULTILINE)  # its column, below those that fit


def test_the_command_prints_a_table(run, three):
    code, out, err = run("runs", "compare", *(one.name for one in three))
    assert (code, err) == (0, "")
    assert out.splitlines()[2].split() == ["C", three[2].name, "diverged"]
    (row,) = (line for line in out.splitlines() if line.startswith("learning_rate"))
    assert row.split() == ["learning_rate", "0.01", "0.02", "0.2"]
    (row,) = (line for line in out.splitlines() if line.startswith("test accuracy"))
    assert row.count("*") == 1
    assert row.split()[-1] == "\N{EN DASH}"


def test_json_is_one_document(run, three):
    code, out, _ = run("runs", "compare", three[0].name, three[1].name, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["runs"] == [three[0].name, three[1].name]
    assert found["config"] == {"learning_rate": [0.01, 0.02]}
    assert found["plot"] is None


@pytest.mark.parametrize(
    ("name", "begins"), [("all.png", b"\x89PNG"), ("all.SVG", b"<?xml"), ("all.pdf", b"%PDF")]
)
def test_the_picture_is_of_the_kind_its_name_asks_for(run, three, tmp_path, name, begins):
    path = tmp_path / name
    words = ["runs", "compare", *(one.name for one in three), "--to", path]
    code, out, _ = run(*words)
    assert code == 0
    assert f"plot: {path}" in out
    content = path.read_bytes()
    assert content.startswith(begins)
    path.write_text("mine")
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert f"{path}: is there already; --force replaces it" in err
    assert path.read_text() == "mine"
    assert run(*words, "--force")[0] == 0
    assert path.read_bytes() == content
    if name.endswith("png"):
        with Image.open(io.BytesIO(content)) as picture:
            assert picture.width == 1200


def test_without_a_name_it_is_comparison_png(run, three, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, _ = run("runs", "compare", three[0].name, three[1].name, "--plot")
    assert code == 0
    assert (tmp_path / "comparison.png").is_file()


def test_a_picture_without_a_curve_is_told(run, three, tmp_path):
    worse = train(tmp_path / "runs", "learning_rate=0.3")
    words = ["--to", tmp_path / "x.png", "-f"]
    code, _, err = run("runs", "compare", three[2].name, worse.name, *words)
    assert code == 0
    assert err.startswith("warning: none of these runs measured a finite loss")
    assert run("runs", "compare", three[0].name, worse.name, *words)[2] == ""


@pytest.mark.parametrize("name", ["x.jpg", "x", "folder.png", "nowhere/x.png"])
def test_other_files_are_refused_before_any_work(tmp_path, name):
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(InputError):
        check_picture(tmp_path / name)


def test_a_run_without_metrics_has_a_line_in_the_legend(run, three, tmp_path):
    three[0].metrics.unlink()
    code, _, _ = run(*("runs", "compare", three[0].name, three[1].name, "--to", tmp_path / "x.png"))
    assert code == 0
