"""The benchmarks' own arithmetic and pages; how fast anything is, is never asserted here."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import run
from harness.claims import CLAIMS, Claim, best_setting, judge
from harness.contestants import contestants, read_mnistlab, read_products, read_sklearn, read_torch
from harness.measure import BenchmarkError, Finished, Spread, ratios, run_process, spread
from harness.memory import TreeMemory, is_available
from harness.results import claims_table, medians_table, render

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
FASTER = Claim("whole process", ("ours", "process"), ("peer", "process"), bound=2.0, faster=True)
ROUNDS = {
    "ours": {"process": [1.0, 2.0, 4.0], "largest process": [2e8, 3e8, 1e8]},
    "peer, 1 thread": {"process": [3.0, 4.0, 20.0]},
    "peer, default threads": {"process": [2.0, 5.0, 20.0]},
}


def run_rival(name: str, *arguments: str, environment: dict[str, str] | None = None) -> str:
    command = [sys.executable, str(BENCHMARKS / "rivals" / f"{name}.py"), *arguments]
    return run_process(command, {**os.environ, **(environment or {})}).output


def test_spread_by_hand():
    assert spread([4.0, 1.0, 2.0]) == Spread(2.0, 1.0, 4.0)


def test_ratios_are_taken_round_by_round():
    assert ratios([2.0, 9.0], [1.0, 3.0]) == [2.0, 3.0]
    with pytest.raises(ValueError, match="longer"):
        ratios([1.0], [1.0, 2.0])


def test_the_median_of_ratios_decides_and_not_the_ratio_of_medians():
    outcome = judge(FASTER, ROUNDS)
    assert outcome is not None
    assert outcome.measured == Spread(3.0, 2.0, 5.0)  # 3/1, 4/2, 20/4; of medians: 4/2
    assert outcome.holds is True


def test_a_rival_is_taken_at_its_fastest_setting():
    assert best_setting("peer", "process", ROUNDS) == "peer, 1 thread"
    assert best_setting("pee", "process", ROUNDS) is None


@pytest.mark.parametrize(
    ("bound", "faster", "holds"),
    [(3.0, True, True), (3.1, True, False), (1 / 3, False, True), (0.3, False, False)],
)
def test_a_bound_is_a_floor_for_faster_and_a_ceiling_otherwise(bound, faster, holds):
    claim = Claim("", ("ours", "process"), ("peer", "process"), bound=bound, faster=faster)
    outcome = judge(claim, ROUNDS)
    assert outcome is not None
    assert outcome.holds is holds


def test_a_value_of_our_own_is_held_against_its_bound_in_its_unit():
    claim = Claim("memory", ("ours", "largest process"), None, bound=199, unit=1e6)
    outcome = judge(claim, ROUNDS)
    assert outcome is not None
    assert outcome.measured == Spread(200.0, 100.0, 300.0)
    assert outcome.holds is False


def test_a_claim_without_both_sides_is_not_judged():
    assert judge(FASTER, {"ours": {"process": [1.0]}}) is None
    assert judge(FASTER, {"peer": {"process": [1.0]}}) is None


def test_every_claim_names_contestants_that_run():
    names = {one.name for one in contestants()}
    for claim in CLAIMS:
        assert claim.theirs is None or {claim.ours[0], claim.theirs[0]} <= names


def test_the_page_shows_claims_medians_and_what_was_skipped():
    held, broken = judge(FASTER, ROUNDS), judge(Claim("small", FASTER.ours, None, 1.5), ROUNDS)
    assert held is not None
    assert broken is not None
    page = render("2026-01-02", {"python": "3.12"}, ROUNDS, [held, broken], ["peer: not there"])
    assert "Measured on 2026-01-02 in 3 rounds." in page
    assert "- python: 3.12\n- skipped: peer: not there\n" in page
    assert "| whole process | peer, 1 thread | at least 2 | 3.00 (2.00-5.00) | yes |" in page
    assert "| small | - | at most 1.5 | 2.00 (1.00-4.00) | **no** |" in page
    assert "| ours | 2.000 (1.000-4.000) | 200 (100-300) |" in page
    assert "| peer, 1 thread | 4.000 (3.000-20.000) | - |" in page


def test_tables_are_whole_markdown_tables():
    table = medians_table(ROUNDS)
    assert len({line.count("|") for line in table.splitlines()}) == 1
    outcome = judge(Claim("unbounded", FASTER.ours, FASTER.theirs, None), ROUNDS)
    assert outcome is not None
    assert claims_table([outcome]).splitlines()[2].endswith("| none | 0.33 (0.20-0.50) | - |")


def test_a_failing_process_is_reported_with_what_it_said():
    command = [sys.executable, "-c", "import sys; sys.exit('out of luck')"]
    with pytest.raises(BenchmarkError, match="exit code 1: out of luck"):
        run_process(command, os.environ)


def test_a_process_is_timed_and_its_output_kept():
    finished = run_process([sys.executable, "-c", "print('ok')"], os.environ)
    assert finished.output == "ok\n"
    assert finished.seconds > 0
    assert finished.peak_bytes > 1e6


@pytest.mark.skipif(not is_available(), reason="this system does not tell proportional memory")
def test_memory_of_a_child_counts_too():
    child = "x = bytearray(60_000_000); import time; time.sleep(0.3)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    tree = TreeMemory()
    run_process([sys.executable, "-c", parent], os.environ, tree)
    assert 60e6 < tree.peak_bytes < 120e6


@pytest.mark.parametrize("read", [read_torch, read_mnistlab])
def test_a_rival_that_did_other_work_is_refused(read):
    split = {"loss": 0.1, "accuracy": 0.99}
    report = {"train": split, "validation": split, "test": split, "seconds": {}}
    with pytest.raises(BenchmarkError, match=r"training loss 0\.1"):
        read(Finished(1.0, 1, json.dumps(report)))


def test_a_fit_of_too_few_epochs_is_refused():
    report = {"epochs": 3, "validation": {"accuracy": 0.9}, "seconds": {}}
    with pytest.raises(BenchmarkError, match="3 epochs"):
        read_sklearn(Finished(1.0, 1, json.dumps(report)))


def test_bare_products_runs():
    measures = read_products(Finished(1.0, 1, run_rival("bare_products", "--steps", "5")))
    assert measures["plain"] > 0
    assert measures["transposed"] > 0


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


@pytest.fixture
def tiny_mnist(tmp_path):
    """A folder with the four files, of 10,200 and 50 random images."""
    generator = np.random.default_rng(0)
    for prefix, count in (("train", 10_200), ("t10k", 50)):
        images = generator.integers(0, 256, (count, 784), np.uint8)
        labels = generator.integers(0, 10, count, np.uint8)
        (tmp_path / f"{prefix}-images-idx3-ubyte").write_bytes(bytes(16) + images.tobytes())
        (tmp_path / f"{prefix}-labels-idx1-ubyte").write_bytes(bytes(8) + labels.tobytes())
    return tmp_path


def test_the_command_line_refuses_wrong_options():
    result = subprocess.run(
        [sys.executable, str(BENCHMARKS / "run.py"), "--rounds", "0"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert "--rounds must be 1 or more" in result.stderr


@pytest.mark.parametrize(
    ("ours", "options", "code", "written"),
    [
        (1.0, [], 0, True),
        (9.0, [], 1, True),
        (1.0, ["--rounds", "2"], 0, False),
        (1.0, ["--only", "torch_memory"], 0, False),
    ],
)
def test_the_page_is_written_and_the_exit_code_says_whether_all_holds(
    ours, options, code, written, monkeypatch, tmp_path, capsys
):
    rounds = {"mnistlab_train": {"process": [ours]}, "torch_memory, 1 thread": {"process": [9.0]}}
    monkeypatch.setattr(run, "RESULTS", tmp_path / "RESULTS.md")
    monkeypatch.setattr(run, "_measure", lambda *_, **__: rounds)
    monkeypatch.setattr(sys, "argv", ["run.py", *options])
    assert run.main() == code
    printed = capsys.readouterr().out
    assert f"at least 2.5 | {9 / ours:.2f}" in printed
    assert run.RESULTS.exists() is written
    if written:
        assert run.RESULTS.read_text() + "\n" == printed


def test_a_rival_that_is_not_installed_is_named(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(run, "RESULTS", tmp_path / "RESULTS.md")
    monkeypatch.setattr(run, "_measure", lambda *_, **__: {})
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(sys, "argv", ["run.py"])
    assert run.main() == 0
    printed = capsys.readouterr()
    assert "skipped: torch_memory: torch is not installed" in printed.err
    assert "- skipped: sklearn_mlp: sklearn is not installed" in printed.out
