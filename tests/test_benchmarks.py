"""The benchmarks' own arithmetic and pages; how fast anything is, is never asserted here."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import run
from harness.claims import Claim, best_setting, judge
from harness.contestants import Contestant, read_mnistlab, read_sklearn, read_torch
from harness.gradients import ACCEPTED
from harness.large import PRIVATE
from harness.many import OPENING
from harness.measure import BenchmarkError, Finished, Spread, ratios, run_process, spread
from harness.memory import TreeMemory, is_available
from harness.results import claims_table, join_parts, medians_table, render
from harness.suites import SUITES
from harness.sweep import ALL
from harness.tpe import BETTER

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
FASTER = Claim("whole process", ("ours", "process"), ("peer", "process"), bound=2.0, faster=True)
ROUNDS = {
    "ours": {"process": [1.0, 2.0, 4.0], "largest process": [2e8, 3e8, 1e8]},
    "peer, 1 thread": {"process": [3.0, 4.0, 20.0]},
    "peer, default threads": {"process": [2.0, 5.0, 20.0]},
}


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


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_every_claim_names_contestants_that_run(suite):
    labels = {one.label for one in suite.contestants()}
    names = {*suite.names, *labels}
    for claim in suite.claims:
        assert {claim.ours[0], (claim.theirs or claim.ours)[0]} <= names


def test_no_label_is_in_two_suites():
    names = [name for suite in SUITES for name in suite.names]
    assert len({*names}) == len(names)


def test_the_page_shows_claims_medians_and_what_was_skipped():
    held, broken = judge(FASTER, ROUNDS), judge(Claim("small", FASTER.ours, None, 1.5), ROUNDS)
    assert held is not None
    assert broken is not None
    facts = {"python": "3.12"}
    page = render("A suite", "2026-01-02", facts, ROUNDS, [held, broken], ["peer: not there"], "so")
    assert page.startswith("## A suite\n\nMeasured")
    assert page.endswith("### How it is measured\n\nso")
    assert "Measured on 2026-01-02 in 3 rounds." in page
    assert "- python: 3.12\n- skipped: peer: not there\n" in page
    assert "| whole process | peer, 1 thread | at least 2 | 3.00 (2.00-5.00) | yes |" in page
    assert "| small | - | at most 1.5 | 2.00 (1.00-4.00) | **no** |" in page
    assert "| ours | 2.000 (1.000-4.000) | 200 (100-300) |" in page
    assert "| peer, 1 thread | 4.000 (3.000-20.000) | - |" in page


def test_a_part_measured_alone_leaves_the_other_as_it_was():
    page = join_parts(["one", "two"], {"one": "## one\n\nold\n", "two": "## two\n\n### old\n"})
    assert page.endswith("`.\n\n## one\n\nold\n\n## two\n\n### old\n")
    changed = join_parts(["one", "two"], {"one": "## one\n\nnew\n"}, page)
    assert changed == page.replace("\nold", "\nnew")
    only = join_parts(["one", "two"], {"two": "## two\n"}, "# Page\n\n## Claims\n\nold\n")
    assert only == "# Benchmark results\n\nTo reproduce: `make bench`.\n\n## two\n"


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


def test_a_round_runs_every_variant_and_takes_the_mean():
    def read(finished: Finished) -> dict[str, float]:
        return {"said": float(finished.output)}

    one = Contestant("", ("-c", "import sys; print(sys.argv[1])"), read, variants=(("1",), ("4",)))
    assert one.run_round(os.environ) == {"said": 2.5}


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
    monkeypatch.setattr(
        run, "_measure", lambda suite, *_, **__: rounds if suite.name == "train" else {}
    )
    monkeypatch.setattr(sys, "argv", ["run.py", *options])
    assert run.main() == code
    printed = capsys.readouterr().out
    assert f"at least 2.5 | {9 / ours:.2f}" in printed
    assert run.RESULTS.exists() is written
    if written:
        assert run.RESULTS.read_text() + "\n" == printed


@pytest.mark.parametrize(
    ("options", "measured"),
    [
        ([], ["train", "sweep", "search", "many", "large", "gradients", "tpe", "tpe-speed"]),
        (["--suite", "train"], ["train"]),
        (["--suite", "sweep"], ["sweep"]),
        (["--suite", "many"], ["many"]),
        (["--only", "fused_search"], ["search"]),
        (["--only", "jax_sweep"], ["sweep"]),
        (["--only", "sweep_memory"], ["sweep"]),
    ],
)
def test_one_suite_can_be_measured_alone(options, measured, monkeypatch, tmp_path, capsys):
    called = []
    monkeypatch.setattr(run, "RESULTS", tmp_path / "RESULTS.md")
    monkeypatch.setattr(run, "_measure", lambda suite, *_, **__: called.append(suite.name) or {})
    monkeypatch.setattr(sys, "argv", ["run.py", *options])
    assert run.main() == 0
    assert called == measured
    parts = [line for line in capsys.readouterr().out.splitlines() if line.startswith("## ")]
    assert parts == [f"## {suite.title}" for suite in SUITES if suite.name in measured]


def test_a_contestant_of_the_other_suite_is_refused(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["run.py", "--suite", "train", "--only", "jax_sweep"])
    with pytest.raises(SystemExit):
        run.main()
    assert "jax_sweep is not in the suite train" in capsys.readouterr().err


def test_the_json_holds_all_suites(monkeypatch, capsys):
    rounds = {
        "train": {"mnistlab_train": {"process": [1.0]}, "torch_memory": {"process": [2.0]}},
        "sweep": {"mnistlab_sweep": {ALL: [12.0]}, "jax_sweep, vmap": {ALL: [24.0]}},
        "search": {"fused_search": {ALL: [10.0]}, "grid_search_of_ours": {ALL: [40.0]}},
        "many": {"open_page": {OPENING: [3.5]}},
        "large": {"train_of_8000000": {PRIVATE: [2e8]}},
        "gradients": {"gradients_mnistlab": {ACCEPTED: [0.5]}},
        "tpe": {"search_of_48": {BETTER: [2.5]}},
        "tpe-speed": {"sweep_tpe": {"process": [1.5]}, "sweep_random": {"process": [1.0]}},
    }
    monkeypatch.setattr(run, "_measure", lambda suite, *_, **__: rounds[suite.name])
    monkeypatch.setattr(sys, "argv", ["run.py", "--json", "--rounds", "1"])
    assert run.main() == 1
    found = json.loads(capsys.readouterr().out)
    assert found["rounds"] == {who: parts for one in rounds.values() for who, parts in one.items()}
    medians = [claim["measured"]["median"] for claim in found["claims"]]
    assert medians == [2.0, 2.0, 4.0, 3.5, 200.0, 0.5, 2.5, 1.5]


def test_a_rival_that_is_not_installed_is_named(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(run, "RESULTS", tmp_path / "RESULTS.md")
    monkeypatch.setattr(run, "_measure", lambda *_, **__: {})
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(sys, "argv", ["run.py"])
    assert run.main() == 0
    printed = capsys.readouterr()
    assert "skipped: torch_memory: torch is not installed" in printed.err
    assert "- skipped: sklearn_mlp: sklearn is not installed" in printed.out
    assert "- skipped: jax_sweep: jax is not installed" in printed.out
