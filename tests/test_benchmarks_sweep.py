"""What the sweep's contestants have to do, how their outputs are read, and its claims judged."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from harness.claims import SWEEP_CLAIMS, judge
from harness.measure import BenchmarkError, Finished
from harness.results import medians_table
from harness.sweep import ALL, BOTH, EACH, GFLOPS, read_one, read_peak, read_rival, read_sweep
from harness.work import LIT, LOSSES, RATES, SAMPLED, check_losses, operations, scaled


def test_operations_by_hand():
    # an image of a step: 785 x 10 weights, each twice, a product and a sum each time: 31,400;
    # an image evaluated: half of that; 10 epochs of 50,000 and 60,000 images
    assert operations(1) == 10 * (31_400 * 50_000 + 15_700 * 60_000) == 25.12e9
    assert operations(64) == 64 * operations(1)
    assert operations(1, LIT) == operations(1) * 718 / 785


def test_only_the_work_is_scaled():
    # 3 s to begin with; 4 rates in 8 s make 64 in 128 s
    assert scaled(11.0, 8.0, trained=4) == 131.0
    assert scaled(11.0, 11.0, trained=1) == 704.0
    assert scaled(11.0, 8.0, trained=64) == 11.0


def test_the_rates_are_those_of_the_shipped_sweep():
    assert (len(RATES), RATES[0]) == (64, 0.001)
    assert pytest.approx(np.geomspace(0.001, 0.01, 64)) == RATES
    assert (RATES[0], RATES[21], RATES[42], RATES[63]) == SAMPLED


def losses_at(rates) -> dict[float, float]:
    """The losses that are expected of these rates."""
    known = [loss for loss, _ in LOSSES]
    return {rate: float(np.interp(np.log(rate), np.log(SAMPLED), known)) for rate in rates}


def test_losses_of_the_right_work_pass():
    check_losses("", losses_at(RATES), RATES)
    check_losses("", losses_at(SAMPLED), SAMPLED)
    check_losses("", losses_at([RATES[42]]), [RATES[42]])


@pytest.mark.parametrize("position", range(4))
@pytest.mark.parametrize("sign", [-1, 1])
def test_a_loss_beyond_its_tolerance_is_refused(position, sign):
    loss, tolerance = LOSSES[position]
    rate = SAMPLED[position]
    check_losses("", losses_at(RATES) | {rate: loss + 0.99 * sign * tolerance}, RATES)
    with pytest.raises(BenchmarkError, match=f"peer: training loss .* learning rate {rate:g}"):
        check_losses("peer", losses_at(RATES) | {rate: loss + 1.01 * sign * tolerance}, RATES)


@pytest.mark.parametrize("loss", [0.39, 0.42, float("nan")])
def test_a_loss_between_the_sampled_rates_is_held_against_both(loss):
    with pytest.raises(BenchmarkError, match=r"expected 0\.4011 to 0\.4142"):
        check_losses("", losses_at(RATES) | {RATES[10]: loss}, RATES)


@pytest.mark.parametrize("rates", [RATES[:-1], [*RATES, 0.02], [*RATES[:-1], 0.02]])
def test_other_learning_rates_are_refused(rates):
    with pytest.raises(BenchmarkError, match="other learning rates"):
        check_losses("", losses_at(RATES), rates)


def rival_report(rates, accuracy=0.87, **seconds: float) -> Finished:
    """A rival's output after 20 s, with the losses expected."""
    runs = [
        {"learning_rate": rate, "train": {"loss": loss}, "validation": {"accuracy": accuracy}}
        for rate, loss in losses_at(rates).items()
    ]
    return Finished(20.0, 1, json.dumps({"runs": runs, "seconds": seconds}))


def test_a_rival_that_trains_some_is_scaled():
    measures = read_rival(rival_report(SAMPLED, work=8.0), "peer", SAMPLED)
    assert measures[ALL] == 12 + 128
    assert measures[EACH] == 140 / 64
    assert BOTH not in measures  # it would not be comparable


def test_a_rival_that_trains_all_is_not_scaled():
    parts = {"import": 1.0, "load": 1.0, "compile": 1.0, "steps": 11.0, "evaluate": 5.0}
    measures = read_rival(rival_report(RATES, **parts), "peer", RATES)
    assert measures[ALL] == measures["process"] == 20.0
    assert measures[BOTH] == 16.0
    assert measures[GFLOPS] == pytest.approx(64 * 25.12 / 16)


def test_a_rival_that_cannot_tell_the_digits_is_refused():
    with pytest.raises(BenchmarkError, match="validation accuracy is too low"):
        read_rival(rival_report(SAMPLED, accuracy=0.5, work=8.0), "peer", SAMPLED)


@pytest.fixture
def swept(tmp_path):
    """Return a function that makes the output and the folder of a sweep."""

    def make(*, status: str = "completed", trials: int = 64, plots: bool = True) -> Finished:
        lines = ["trial,learning_rate,train_loss,validation_accuracy,status"]
        for trial, (rate, loss) in enumerate(losses_at(RATES[:trials]).items()):
            lines.append(f"{trial},{rate},{loss},0.87,{status}")
        (tmp_path / "results.csv").write_text("\n".join(lines))
        if plots:
            (tmp_path / "plots").mkdir()
            (tmp_path / "plots" / "sweep.png").touch()
        seconds = {"total": 12.0, "train": 7.0, "evaluate": 3.0, "write": 0.6}
        report = {"status": "completed", "trials": trials, "seconds": seconds}
        return Finished(12.5, 1, json.dumps({**report, "path": str(tmp_path)}))

    return make


def test_a_sweep_is_read(swept):
    measures = read_sweep(swept())
    assert (measures[ALL], measures[BOTH], measures["write"]) == (12.5, 10.0, 0.6)
    assert measures[GFLOPS] == pytest.approx(64 * 25.12 * 718 / 785 / 10)


def test_the_table_has_a_column_for_every_part(swept):
    parts = {"import": 1.0, "load": 1.0, "compile": 1.0, "steps": 11.0, "evaluate": 5.0}
    everyone = {
        "ours": read_sweep(swept()),
        "peer": read_rival(rival_report(RATES, **parts), "peer", RATES),
        "peak": read_peak(Finished(1.0, 1, json.dumps({"gflops": 177.4}))),
    }
    rounds = {
        name: {part: [value] for part, value in one.items()} for name, one in everyone.items()
    }
    head, _, *rows = medians_table(rounds).splitlines()
    assert head.count("|") == 2 + len(set().union(*everyone.values()))
    cells = dict(zip(head.split(" | "), rows[2].split(" | "), strict=True))
    assert cells["GFLOP/s"] == "177 (177-177)"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"status": "diverged"}, "diverged"),
        ({"trials": 63}, "63 trials"),
        ({"plots": False}, "no plots"),
    ],
)
def test_a_sweep_that_did_other_work_is_refused(wrong, message, swept):
    with pytest.raises(BenchmarkError, match=message):
        read_sweep(swept(**wrong))


@pytest.mark.parametrize(("epochs", "loss"), [(10, 0.4137), (9, 0.4137), (10, 0.3951)])
def test_a_single_run_is_read_at_its_learning_rate(epochs, loss, tmp_path):
    (tmp_path / "metrics.csv").write_text("epoch,learning_rate\n9,0.001\n10,0.001\n")
    report = {"status": "completed", "epochs": epochs, "path": str(tmp_path)}
    report |= {"train": {"loss": loss}, "validation": {"accuracy": 0.87}}
    finished = Finished(1.5, 1, json.dumps(report))
    if (epochs, loss) == (10, 0.4137):
        assert read_one(finished)[ALL] == 96.0
    else:
        with pytest.raises(BenchmarkError, match=r"9 epochs|training loss 0\.3951"):
            read_one(finished)


def test_the_peak_is_told_as_the_sweeps_seconds_at_that_rate():
    measures = read_peak(Finished(1.0, 1, json.dumps({"gflops": 200.0})))
    assert measures[BOTH] == pytest.approx(64 * 25.12 * 718 / 785 / 200)


@pytest.mark.parametrize(
    ("ours", "broken"),
    [
        ({}, set()),
        ({ALL: [15.5] * 3}, {"JAX with vmap"}),
        ({ALL: [16.1] * 3}, {"JAX with vmap", "PyTorch one after another"}),
        ({ALL: [25.1] * 3}, {"JAX with vmap", "PyTorch one after another", "of its own"}),
        ({BOTH: [12.0] * 3}, {"matrix products"}),
        ({"write": [1.3] * 3}, {"sweep's time"}),
        ({"all processes": [601e6] * 3}, {"together"}),
    ],
)
def test_the_sweeps_claims_are_judged(ours, broken):
    sweep = {ALL: [10.0] * 3, BOTH: [10.0] * 3, "write": [1.0] * 3, "total": [12.0] * 3} | ours
    rounds = {
        "mnistlab_sweep": sweep,
        "sweep_memory": {"all processes": ours.get("all processes", [599e6] * 3)},
        "peak_products": {BOTH: [8.0] * 3},
        "jax_sweep, fused": {ALL: [15.0] * 3},
        "jax_sweep, vmap": {ALL: [20.0] * 3},
        "mnistlab_train_each": {ALL: [100.0] * 3},
        "mnistlab_two_processes": {ALL: [9.0] * 3},
        "torch_sweep, default threads": {ALL: [160.0] * 3},
        "torch_sweep, 1 thread": {ALL: [170.0] * 3},
    }
    outcomes = [outcome for claim in SWEEP_CLAIMS if (outcome := judge(claim, rounds))]
    failed = [outcome.claim.text for outcome in outcomes if outcome.holds is False]
    assert len(failed) == len(broken)
    assert all(any(text.endswith(end) for text in failed) for end in broken)
    assert sum(outcome.holds is None for outcome in outcomes) == 2  # of the four without a bound


def test_the_share_of_the_peak_is_peak_seconds_over_ours():
    share = next(claim for claim in SWEEP_CLAIMS if "share of the peak" in claim.text)
    rounds = {"mnistlab_sweep": {BOTH: [10.0]}, "peak_products": {BOTH: [8.0]}}
    outcome = judge(share, rounds)
    assert outcome is not None
    assert outcome.measured.median == 0.8
