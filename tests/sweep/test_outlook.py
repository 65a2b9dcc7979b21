"""What a sweep foretells, and what it shows while it runs."""

import math
import re

import pytest

from mnistlab.console import sweeps
from mnistlab.console.sweeps import ConsoleSweepReporter, sparkline
from mnistlab.plots import SWEEP_PLOTS, SweepView
from mnistlab.run_folders.folder import SweepFolder
from mnistlab.sweeps.plan import estimate, prepare_sweep
from mnistlab.sweeps.sweep_schema import Metric
from mnistlab.sweeps.workers import EpochEnded, RunEnded, StackEnded
from tests.sweep.helpers import settled, sweep

ACCURACY = Metric("validation.accuracy", "maximize")


def row(epoch, accuracy, loss=0.5):
    return {"epoch": epoch, "validation_loss": loss, "validation_accuracy": accuracy}


@pytest.fixture
def reporter(capsys):
    """Return a reporter off a terminal, and a function for what it has said since."""

    def said():
        return capsys.readouterr().err.splitlines()

    return ConsoleSweepReporter(metric=ACCURACY), said


def test_the_best_so_far_is_told_with_what_is_done(reporter):
    console, said = reporter
    console.start(["a=1", "a=2", "a=3"], {}, {0: 2, 1: 2, 2: 2})
    console.event(EpochEnded({0: row(1, 0.8), 1: row(1, 0.9), 2: row(1, math.nan)}))
    console.event(RunEnded(1, "completed", None))
    assert said() == ["1/3 runs done; best so far: validation accuracy 90.00% (a=2)"]
    console.event(RunEnded(2, "diverged", "the loss overflowed"))
    assert said()[0] == "run 2 (a=3): the loss overflowed"
    console.event(RunEnded(0, "failed", "ValueError()"))
    assert said()[0] == "warning: run 0 (a=1) failed: ValueError()"
    console.event(StackEnded({}))
    console.stop()
    console.stop()
    assert said() == []


def test_the_lowest_loss_is_the_best_where_it_chooses(reporter):
    _, said = reporter
    console = ConsoleSweepReporter(metric=Metric("validation.loss", "minimize"))
    console.start(["a=1", "a=2"], {0: {**row(1, 0.8, 0.3), "status": "completed"}}, {1: 1})
    console.event(EpochEnded({1: row(1, 0.8, 0.25)}))
    console.event(RunEnded(1, "completed", None))
    console.stop()
    assert said() == [
        "1 of 2 runs are done already",
        "2/2 runs done; best so far: validation loss 0.2500 (a=2)",
    ]


def test_the_best_so_far_is_one_that_is_complete(reporter):
    """One that leads early, or was done before, or failed, must not be taken for it."""
    console, said = reporter
    done = {0: {**row(3, 0.85), "status": "completed"}, 1: {**row(3, 0.99), "status": "failed"}}
    console.start(["a", "b", "c", "d"], done, {2: 9, 3: 9})
    console.event(EpochEnded({2: row(1, 0.95), 3: row(1, 0.96)}))
    console.event(RunEnded(3, "failed", "boom"))
    assert said()[-1] == "3/4 runs done, 1 failed; best so far: validation accuracy 85.00% (a)"


def test_the_time_left(reporter, monkeypatch):
    console, _ = reporter
    clock = iter([0.0, 4.0])
    monkeypatch.setattr(sweeps.time, "monotonic", lambda: next(clock))
    console.start(["a", "b"], {}, {0: 4, 1: 4})
    console._rows = {0: [row(1, 0.5)], 1: [row(1, 0.5)]}
    assert console._left() == "12 s"


def test_curves_as_bars():
    assert sparkline([3, 2, 1]) == "█▄▁" or sparkline([3, 2, 1]) == "█▅▁"
    assert sparkline([1, 1]) == "▁▁"
    assert sparkline([]) == sparkline([math.nan]) == ""
    assert len(sparkline(list(range(100)))) == 16


def test_an_estimate_is_of_the_right_size(tmp_path, monkeypatch):
    prepared = prepare_sweep(
        settled(tmp_path, "learning_rate=linspace(0.001,0.01,8)", "batch_size=50,100")
    )
    few = estimate(prepared, prepared.stacks())
    assert 0 < few.seconds < 60
    assert 1e8 < few.memory < 3e8
    weights = 16 * 785 * 10 * 4
    assert weights < few.disk < weights + 2e6
    more = prepare_sweep(
        settled(tmp_path, "learning_rate=linspace(0.001,0.01,8)", "batch_size=50,100", "epochs=100")
    )
    monkeypatch.setattr("mnistlab.sweeps.plan._time_steps", lambda *_: (2e-6, 1e-6))
    few, more = (estimate(one, one.stacks()).seconds for one in (prepared, more))
    assert more == pytest.approx(few * 100 / prepared.configs[0].epochs)


@pytest.mark.parametrize(
    ("words", "options", "drawn"),
    [
        (("learning_rate=0.01,100.0",), {}, {"learning_rate"}),
        (("learning_rate=0.01,0.02", "batch_size=50,100"), {}, {"learning_rate", "heat_map"}),
        (("batch_size=50,100", "weight_decay=0.0,0.1", "epochs=1,2"), {},
         {"heat_map", "parallel_coordinates"}),
        (("learning_rate=0.01,0.02", "batch_size=50,100", "zip=learning_rate,batch_size"), {},
         {"learning_rate", "parallel_coordinates"}),
        (("optimizer=sgd,adam", "data.preprocess=[],[deskew]"), {}, {"heat_map"}),
        ((), {"seeds": 2}, set()),
        (("batch_size=50,100",), {}, {"parameter"}),
        (("data.preprocess=[],[deskew]",), {}, {"parameter"}),
        (("learning_rate=100.0,200.0",), {}, {"learning_rate"}),
    ],
)  # fmt: skip
def test_which_plots_a_sweep_gets(tmp_path, words, options, drawn):
    folder = sweep(tmp_path, *words, text="epochs: 1\n" if "epochs=1,2" not in words else "",
                   **options).folder  # fmt: skip
    view = SweepView(folder)
    figures = {name: SWEEP_PLOTS[name](view) for name in SWEEP_PLOTS}
    assert {name for name, figure in figures.items() if figure} == {*drawn, "all_learning_curves"}


def test_the_map_has_each_trial_where_it_belongs(tmp_path):
    words = ("batch_size=100,50", "learning_rate=0.01,100.0")
    conclusion = sweep(tmp_path, *words, text="epochs: 1\n")
    axes = SWEEP_PLOTS["heat_map"](SweepView(conclusion.folder)).axes[0]
    ticks = [
        [label.get_text() for label in axis.get_ticklabels()] for axis in (axes.xaxis, axes.yaxis)
    ]
    assert ticks == [["50", "100"], ["0.01", "100"]]
    errors = axes.collections[0].get_array()
    accuracy = {one.trial.number: one.means["validation_accuracy"] for one in conclusion.results}
    assert errors[0].tolist() == pytest.approx([100 * (1 - accuracy[2]), 100 * (1 - accuracy[0])])
    assert errors.mask[1, 0]


def test_a_view_of_a_sweep_in_which_nothing_was_trained(tmp_path):
    folder = sweep(tmp_path, "learning_rate=100.0,200.0", text="epochs: 1\n").folder
    view = SweepView(SweepFolder(folder.path))
    assert view.best is None
    assert re.fullmatch(r"base on digits.npz: 2 trials", view.title)
    assert "learning rate" not in view.details


def view_of(tmp_path, *words, **options):
    return SweepView(sweep(tmp_path, *words, text="epochs: 2\n", **options).folder)


def test_what_was_varied_is_not_told_as_if_it_were_common(tmp_path):
    view = view_of(tmp_path, "optimizer=sgd,adam", "batch_size=50,100", seeds=2)
    assert view.details == "linear model, squared error, learning rate 0.01, 2 epochs"
    assert view.title == "base on digits.npz: 4 trials, 2 seeds each"
    both = view_of(tmp_path, "model=linear,sigmoid", "epochs=1,2", "learning_rate=0.001")
    assert both.details == "squared error, sgd, learning rate 0.001, batch size 100"
    one = view_of(tmp_path, "learning_rate=0.001", seeds=3)
    assert one.title == "base on digits.npz: 1 trial, 3 seeds"


def test_trials_stopped_early_are_not_said_to_have_had_all_epochs(tmp_path):
    view = view_of(tmp_path, "learning_rate=0.001,0.002")
    view.document["results"][0].update(stopped=True, epochs=1)
    view.document["results"][1].update(epochs=2)
    assert view.details.endswith("up to 2 epochs")
    assert view.stopped.tolist() == [True, False]


def test_different_losses_are_not_drawn_on_one_axis(tmp_path):
    words = ("loss=squared_error,softmax_cross_entropy", "learning_rate=0.001")
    (axes,) = SWEEP_PLOTS["all_learning_curves"](view_of(tmp_path, *words)).axes
    assert "error rate" in axes.get_ylabel()


def test_every_seed_and_its_interval_reach_the_plots(tmp_path):
    words = ("learning_rate=0.001,0.002",)
    view = view_of(tmp_path, *words, seeds=3, metric=Metric("validation.loss", "minimize"))
    widths = [result["half_width"]["validation.loss"] for result in view.results]
    axes = SWEEP_PLOTS["learning_rate"](view).axes[0]
    bars = [bar for one in axes.containers for bar in one.lines[2][0].get_segments()]
    assert [(bar[1, 1] - bar[0, 1]) / 2 for bar in bars] == pytest.approx(widths)
    assert any("Means over 3 seeds" in text.get_text() for text in axes.get_figure().texts)
    assert view.unit == ""
    curves = SWEEP_PLOTS["all_learning_curves"](view).axes[0]
    assert len([line for line in curves.lines if line.get_label() == "best"]) == 3
    assert sum(len(one.get_segments()) for one in curves.collections) == 3
    accurate = view_of(tmp_path, *words, seeds=3)
    share = accurate.results[0]["half_width"]["validation.accuracy"]
    assert accurate.half_widths[0] == pytest.approx(100 * share)
    assert accurate.unit == " %"
