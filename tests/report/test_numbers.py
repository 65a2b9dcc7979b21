"""Every number of a report is the one that stands in the run folder that it names."""

import json
import re

import pytest

from mnistlab.run_folders.places import run_paths
from mnistlab.store.facts import read_facts
from tests.report.helpers import as_number, folders, pdf_text, squeeze


def numbers_in(document):
    """Yield every number of report.json that says whose it is."""
    if isinstance(document, dict):
        if {"run", "key", "value", "shown"} <= document.keys():
            yield document
        else:
            for value in document.values():
                yield from numbers_in(value)
    elif isinstance(document, list):
        for value in document:
            yield from numbers_in(value)


@pytest.fixture(scope="module")
def known(reported):
    return {name: read_facts(folder) for name, folder in folders(reported.runs).items()}


def test_every_number_on_the_page_is_that_of_the_run_it_names(reported, known):
    found = reported.page.numbers()
    assert len(found) > 100
    whole = {path.name for path in run_paths(reported.runs) if "overflow" not in path.name}
    assert {run for run, *_ in found} >= whole
    for run, key, value, shown in found:
        # typst may read a number as its neighbour in the last bit
        assert value == pytest.approx(known[run][key], rel=1e-15), (run, key)
        number, unit = as_number(shown)
        assert number == pytest.approx(value, abs=unit, rel=1e-3)


def test_every_number_says_where_it_is_from(reported):
    for one in reported.page.all("data"):
        a = one.attributes
        if "data-run" in a:
            assert a["title"] == f"{a['data-run']}: {a['data-key']} = {a['value']}"


def test_every_number_in_report_json_is_that_of_the_run_it_names(reported, known):
    found = list(numbers_in(reported.facts))
    assert len(found) > 90
    for one in found:
        assert one["value"] == known[one["run"]][one["key"]], one
        number, unit = as_number(one["shown"])
        assert number == pytest.approx(one["value"], abs=unit, rel=1e-3)


def test_the_pdf_shows_the_numbers_of_report_json(reported):
    text = pdf_text(reported.folder / "report.pdf")
    entries = {one["name"]: one for part in ("runs", "best_runs") for one in reported.facts[part]}
    names = reported.facts["answers"]["runs"]
    linear = entries[names["linear"]]["numbers"]
    for split in ("training", "validation", "test"):
        key = split.replace("training", "train")
        loss, accuracy = (linear[f"{key}.{part}"]["shown"] for part in ("loss", "accuracy"))
        assert f"{split}{loss}{accuracy}" in text
    sweep, _ = reported.facts["sweeps"]
    best = entries[sweep["best"]]["numbers"]
    assert f"itstestaccuracyis{best['test.accuracy']['shown']}" in text
    error = f"{1 - best['test.accuracy']['value']:.2%}"
    assert squeeze(f"{best['test.loss']['shown']} as a loss and {error} as an error rate") in text
    for trial in sweep["trials"]:
        cells = [trial["rank"], *trial["values"], trial["numbers"]["train.loss"]["shown"]]
        assert "".join(map(str, cells)) in text


def test_results_of_the_sweep_are_those_of_its_results_csv(reported, known):
    sweep, _ = reported.facts["sweeps"]
    ranked = [one["numbers"]["validation.accuracy"]["value"] for one in sweep["trials"]]
    assert ranked == sorted(ranked, reverse=True)
    assert sweep["count"] == len(ranked) == 4
    tried = {one["key"]: one["values"] for one in sweep["tried"]}
    assert tried == {"learning rate": ["0.005", "0.01"], "epochs": ["1", "2"]}
    document = json.loads(folders(reported.runs)[sweep["name"]].summary.read_text())
    assert sweep["best"] == f"{sweep['name']}/{document['best']['runs'][0]}"
    assert sweep["ties"] == len(document["indistinguishable"])
    assert known[sweep["best"]]["validation.accuracy"] == ranked[0]


def test_the_page_compares_and_classifies_with_the_same_facts(reported):
    for model in reported.page.data["models"]:
        entries = reported.facts["runs"] + reported.facts["best_runs"]
        (entry,) = (one for one in entries if one["name"] == model["run"])
        assert model["numbers"] == entry["numbers"]
        assert model["config"] == entry["config"]


def test_the_report_says_what_its_runs_were_made_with(reported):
    (origin,) = reported.facts["origins"]
    assert re.search(r"mnistlab \S+, .*Python [\d.]+, NumPy [\d.]+", origin["software"])
    assert re.fullmatch(r"mnist-mini, SHA-256 [0-9a-f]{12}", origin["data"])
    assert len(origin["runs"]) + origin["more"] == 8
    assert squeeze(f"{origin['software']}; data: {origin['data']}") in squeeze(reported.page.text)
