"""What sweep.json says in sentences: those for the terminal's table stay with that table."""

import copy

import pytest

from mnistlab.sweeps.trial_results import SHOWN, findings, sentences


def document(trials=12, seeds=1, ties=(2, 3), **more):
    results = [
        {"trial": at, "parameters": {"epochs": at}, "status": "completed", "epochs": at,
         "stopped": False, "runs": list(range(at * seeds, (at + 1) * seeds))}
        for at in range(trials)
    ]  # fmt: skip
    test = {"accuracy": 0.9, "loss": 0.3, "images": 1000, "interval": [0.88, 0.92]}
    return {
        "metric": {"name": "validation.accuracy", "goal": "maximize"},
        "seeds": seeds,
        "ranking": list(range(trials)),
        "indistinguishable": list(ties),
        "results": results,
        "best": {**copy.deepcopy(results[0]), "test": test},
        "seconds": {"total": 1.0, "train": 0.5, "evaluate": 0.3, "write": 0.1},
        **more,
    }


@pytest.mark.parametrize("seeds", [1, 3])
def test_findings_speak_of_no_table_and_no_option(seeds):
    told = " ".join(findings(document(seeds=seeds)))
    assert "Best of 12 trials, by the highest validation accuracy: trial 0, epochs=0." in told
    assert "2 trials (2, 3) cannot be told from it" in told
    for word in ("table", "results.csv", "--", "~"):
        assert word not in told


def test_the_terminal_adds_how_its_table_is_to_be_read():
    given = document()
    notes = [one for one in sentences(given) if one not in findings(given)]
    assert notes == [
        f"The table shows the first {SHOWN} trials, results.csv has all.",
        "~ marks what cannot be told from the best; --seeds 3 would show the chance of the seed.",
    ]
    assert sentences(given) == [*notes, *findings(given)]


def test_what_needs_no_explanation_gets_none():
    few = document(trials=3, ties=())
    assert sentences(few) == findings(few)
    several = [one for one in sentences(document(seeds=3)) if one.startswith("~")]
    assert several == ["~ marks what cannot be told from the best."]


def test_intervals_over_folds_are_said_to_be_approximate():
    told = " ".join(sentences(document(folds=5)))
    assert "neither these images nor the folds tell them apart" in told
    assert "Numbers are means over 5 folds, ± the 95 % interval of the mean." in told
    assert "intervals over folds are approximate" in told
    assert "--seeds" not in told
    assert "approximate" not in " ".join(sentences(document(seeds=5)))
