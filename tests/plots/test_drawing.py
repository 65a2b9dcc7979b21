"""The plots of a run, drawn from its folder alone, in this process and in one beside it."""

import errno
import gc
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import mnistlab
from mnistlab.config.load import load_config
from mnistlab.datasets import load
from mnistlab.experiment import prepare, train_run
from mnistlab.plots import PLOTS, Painter, RunView, plot_registries, save_plot, views
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.files import write_bytes
from mnistlab.run_folders.weights import predictions_as_bytes
from tests.experiment.test_experiment import Recorder, mini
from tests.plots.figures import short_texts, written


def draw(view, name):
    return save_plot(PLOTS[name](view), view.folder, name)


def make_run(tmp_path_factory, *overrides):
    plan = prepare([load_config(None, mini(*overrides))])
    run = train_run(plan, runs_dir=tmp_path_factory.mktemp("runs"), reporter=Recorder())
    return run.folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_run(tmp_path_factory)


@pytest.fixture(scope="module")
def diverged(tmp_path_factory):
    return make_run(tmp_path_factory, "learning_rate=0.1")


@pytest.mark.parametrize("name", PLOTS)
def test_every_plot_is_drawn_from_the_folder(folder, name):
    assert draw(RunView(folder), name) == f"{name}.png"
    assert (folder.plots / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def texts_in(figure, inside):
    """The short texts whose place, column and row, passes a test."""
    placed = [(text.get_text(), text.get_position()) for text in short_texts(figure)]
    return {(int(x), int(y)): text for text, (x, y) in placed if inside(x, y)}


def test_the_confusion_matrix_has_a_row_for_each_true_class(folder):
    figure = PLOTS["confusion_matrix"](RunView(folder))
    cells = texts_in(figure, lambda x, y: 0 <= x < 10 and 0 <= y < 10)
    labels, predictions = load("mnist-mini", validation=0).test.labels, RunView(folder).predictions
    for (column, row), count in cells.items():
        assert int(count) == np.count_nonzero((labels == row) & (predictions == column))
    assert sum(map(int, cells.values())) == len(labels)


def test_the_mistakes_come_worst_first(folder):
    view = RunView(folder)
    figure = PLOTS["mistakes"](view)
    headings = written(figure)
    labels = load("mnist-mini", validation=0).test.labels
    scores = view.scores(np.arange(len(labels)))
    margins = scores.max(axis=1) - scores[np.arange(len(labels)), labels]
    worst = np.argsort(-margins, kind="stable")[:40]
    assert headings == [f"{labels[at]} → {view.predictions[at]}" for at in worst]


def test_a_run_without_a_mistake_has_a_plot_that_says_so(folder, tmp_path):
    flawless = RunFolder(tmp_path / "run")
    shutil.copytree(folder.path, flawless.path)
    labels = load("mnist-mini", validation=0).test.labels
    write_bytes(flawless.predictions, predictions_as_bytes(labels))
    view = RunView(flawless)
    assert view.scores(np.array([], np.intp)).shape == (0, 10)
    figure = PLOTS["mistakes"](view)
    assert any("there is no mistake" in text.get_text() for text in figure.texts)


def test_a_diverged_run_has_its_curve_alone(diverged):
    assert [name for name in PLOTS if draw(RunView(diverged), name)] == ["learning_curves"]


def test_the_view_scores_images_as_the_model_does(folder):
    view, test = RunView(folder), load("mnist-mini", validation=1000).test
    index = np.array([3, 500, 999])
    x = test.images[index].reshape(3, -1) / 255
    expected = x @ view.parameters[:-1] + view.parameters[-1]
    np.testing.assert_allclose(view.scores(index), expected, rtol=1e-4, atol=1e-5)
    outputs = view.scores(np.arange(1000))
    assert np.mean(outputs.argmax(1) == view.predictions) > 0.998


def test_no_training_images_are_kept_in_memory(tmp_path):
    training = load("mnist-mini", validation=0).train
    np.savez(
        tmp_path / "mine.npz",
        x_train=training.images[:1200],
        y_train=training.labels[:1200],
        x_test=training.images[1200:1400],
        y_test=training.labels[1200:1400],
    )
    run = train_run(
        prepare([load_config(None, mini(f"data.dataset={tmp_path}/mine.npz"))]),
        runs_dir=tmp_path,
        reporter=Recorder(),
    )
    RunView(run.folder).predictions  # noqa: B018 - whatever is loaded before is counted apart
    views._load.cache_clear()
    tracemalloc.start()
    try:
        assert len(RunView(run.folder).dataset.test) == 200
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] < 200 * 784 * 2
    finally:
        tracemalloc.stop()


def test_the_title_names_the_setting_once(folder):
    view = RunView(folder)
    assert view.title == "run on mnist-mini"
    assert view.details == ("linear model, squared error, sgd, learning rate 0.01, batch size 100")


@pytest.mark.parametrize("system", ["linux", "darwin"])
def test_the_drawing_process_answers_with_what_it_drew(folder, diverged, monkeypatch, system):
    requests = [
        ["load", str(folder.path)],
        ["draw", str(folder.path)],
        ["draw", str(diverged.path)],
    ]
    monkeypatch.setattr(sys, "platform", system)
    written = io.StringIO()
    plot_registries.serve(map(json.dumps, requests), written)
    answers = [json.loads(line) for line in written.getvalue().splitlines()]
    assert answers == [list(PLOTS), ["learning_curves"]]


@pytest.mark.skipif(sys.platform != "linux", reason="only there a second process helps")
@pytest.mark.parametrize("end", [lambda: os.kill(os.getpid(), signal.SIGKILL), lambda: sys.exit(0)])
def test_what_a_helper_that_ends_did_not_draw_is_drawn_all_the_same(folder, monkeypatch, end):
    """It is killed, or the plot of a plugin calls exit()."""
    shutil.rmtree(folder.plots, ignore_errors=True)
    parent, save = os.getpid(), plot_registries.save_plot

    def dies_in_the_helper(*arguments):
        if os.getpid() != parent:
            end()
        return save(*arguments)

    monkeypatch.setattr(plot_registries, "save_plot", dies_in_the_helper)
    assert plot_registries.draw_all(folder) == list(PLOTS)


def test_a_plot_that_cannot_be_written_leaves_no_half_of_it(folder, monkeypatch):
    shutil.rmtree(folder.plots, ignore_errors=True)

    def full(descriptor):  # noqa: ARG001 - as os.fsync
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        draw(RunView(folder), "weights")
    assert list(folder.plots.iterdir()) == []


def test_a_painter_draws_one_run_after_another_and_leaves_no_process(
    folder, diverged, tmp_path, monkeypatch
):
    """Deaf to files where somebody works, and to what a plugin prints."""
    (tmp_path / "random.py").write_text("raise SystemExit('not mine')\n")
    talker = tmp_path / "talker.py"
    talker.write_text("print('hello')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    with Painter([talker]) as painter:
        painter.load(folder.path)
        assert painter.draw(folder.path) == list(PLOTS)
        assert painter.draw(diverged.path) == ["learning_curves"]
    assert painter._process.poll() is not None


def test_a_painter_that_fails_says_why(folder, tmp_path):
    with Painter() as painter, pytest.raises(RuntimeError, match="no such file"):
        painter.draw(tmp_path)
    with Painter() as painter:
        painter.load(tmp_path / "none")
        with pytest.raises(RuntimeError, match="no such file"):
            painter.draw(folder.path)
    with Painter([tmp_path / "none.py"]) as painter, pytest.raises(RuntimeError, match="plugin"):
        painter.draw(folder.path)


def test_a_run_whose_files_are_gone_draws_what_it_can(folder, tmp_path):
    for path in (folder.config, folder.metrics, folder.summary):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    view = RunView(RunFolder(tmp_path))
    assert [name for name in PLOTS if draw(view, name)] == ["learning_curves"]


def test_the_process_that_draws_imports_the_mnistlab_that_starts_it(tmp_path):
    (tmp_path / "mnistlab").symlink_to(Path(mnistlab.__file__).parent)
    program = """
import os, subprocess, sys
from mnistlab.plots import drawing
del os.environ["PYTHONPATH"]
said = drawing._PROGRAM.replace("main()", "import mnistlab; print(mnistlab.__file__)")
subprocess.run([sys.executable, "-P", "-c", said], check=True)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True,
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert Path(done.stdout.strip()).is_relative_to(tmp_path)
