"""Hostile texts in every field of run folders stay text in the page, the PDF and the JSON."""

import hashlib
import json
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnistlab.report.records import LONGEST, clean, clean_all, show
from mnistlab.report.render import ReportRequest, write_report
from mnistlab.report.report_facts import gather
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.folder import SweepFolder
from mnistlab.run_folders.places import run_paths
from mnistlab.store.opening import of_folders
from tests.report.helpers import copy_run, pdf_text, read_facts_file, read_page, squeeze, the_run
from tests.report.hostile import HOSTILE
from tests.store.folders import make_run, make_sweep

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=60)


def plain(word):
    """Return a plain word in a text's place."""
    return f"w{hashlib.sha256(word.encode('utf-8', 'replace')).hexdigest()[:8]}"


def fill(folder, words, is_plain):
    """Write texts into every field of a folder that is told by words."""
    name, error, model, version, digest, kind = words if not is_plain else map(plain, words)
    config = {"name": name or "x", "model": model, "loss": kind, "learning_rate": 0.1}
    config |= {"data": {"dataset": digest, "validation": 10, "preprocess": [kind]}}
    folder.config.write_text(json.dumps(config))  # JSON is YAML
    environment = {"mnistlab": version, "data_sha256": digest, "python": error, "platform": name}
    environment |= {"git": {"commit": kind, "dirty": True}, "packages": {"numpy": model}}
    environment |= {"blas": [{"internal_api": version, "version": error}]}
    folder.environment.write_text(json.dumps(environment))
    folder.status.write_text(json.dumps({"status": "failed", "error": error}))


def fill_sweep(folder, words, is_plain):
    key, value, metric, goal, *_ = words if not is_plain else map(plain, words)
    trial = {"trial": 0, "runs": [0], "parameters": {key: value, "rate": 0.1}}
    document = {"trials": 1, "seeds": 1, "best": trial, "results": [trial], "ranking": [0]}
    document |= {"metric": {"name": metric, "goal": goal}, "indistinguishable": [value]}
    folder.summary.write_text(json.dumps(document))


def test_hostile_words_in_every_field_add_no_element_and_end_nothing(run, tmp_path):
    shapes = {}
    for kind in ("plain", "hostile"):
        runs = tmp_path / kind
        for at in range(45):
            words = [HOSTILE[(6 * at + each) % len(HOSTILE)] for each in range(6)]
            fill(make_run(runs / f"20260101-0000{at:02}-x-0000"), words, kind == "plain")
            if at % 3 == 0:
                fill_sweep(
                    make_sweep(runs / f"20260102-0000{at:02}-s-0000"), words, kind == "plain"
                )
        names = sorted(path.name for path in run_paths(runs))
        code, _, err = run(
            "report", *names, "--runs-dir", runs, "--title", HOSTILE[1], "--author", HOSTILE[2]
        )
        assert code == 0, err
        page = read_page(runs / "report")
        shapes[kind] = [one for one in page.shape if one != ("span", ["class"])]
        assert (runs / "report" / "report.pdf").read_bytes().startswith(b"%PDF")
        if kind == "hostile":
            document = read_facts_file(runs / "report")
            assert len(document["runs"]) == 45
            assert squeeze("<script>alert(1)</script>") in squeeze(page.text)
    assert shapes["plain"] == shapes["hostile"]


def test_typst_code_in_a_field_is_shown_and_not_run(run, tmp_path):
    code = '#panic("taken") #eval("1+1") $x$ *b* #import "lib.typ" @label <label> \\ `r`'
    folder = make_run(tmp_path / "runs" / "one")
    fill(folder, [code] * 6, is_plain=False)
    assert run("report", "one", "--runs-dir", tmp_path / "runs", "--author", code)[0] == 0
    shown = squeeze(clean(code))
    assert shown in pdf_text(tmp_path / "runs" / "report" / "report.pdf")
    assert shown in squeeze(read_page(tmp_path / "runs" / "report").text)


@pytest.mark.parametrize("letters", ["x" * 40_000, "word " * 8000, "\u202e" * 40_000])
def test_a_very_long_text_is_cut(run, tmp_path, letters):
    fill(make_run(tmp_path / "runs" / "one"), [letters] * 6, is_plain=False)
    words = ["--title", letters[:30_000], "--author", letters[:30_000]]
    assert run("report", "one", "--runs-dir", tmp_path / "runs", *words)[0] == 0
    folder = tmp_path / "runs" / "report"
    assert (folder / "report.json").stat().st_size < 60_000
    assert (folder / "index.html").stat().st_size < 150_000


def test_hostile_names_of_folders(run, tmp_path):
    names = ["<b>bold<", "#panic()", "a\x1b[31m", "a\nb", '"quoted"', "'x'", "\u202egnp.exe", "$x$"]
    for name in names:
        make_run(tmp_path / "class" / name)
    code, _, err = run("report", f"{tmp_path}/class", "--out", tmp_path / "out")
    assert code == 0, err
    document = read_facts_file(tmp_path / "out")
    assert {one["name"] for one in document["runs"]} == set(map(clean, names))
    page = read_page(tmp_path / "out")
    assert not page.all("b") or all(one.text in ("", "try") for one in page.all("b"))
    for name in names:
        assert squeeze(clean(name)) in squeeze(page.text)


@pytest.mark.usefixtures("its_data")
def test_a_hostile_title_and_class_names_reach_the_scripts_as_text(reported, run, tmp_path):
    evil = "</script><script>alert(1)</script><!--"
    folder = copy_run(the_run(reported.runs, "softmax"), tmp_path / "runs" / "one")
    text = folder.config.read_text()
    folder.config.write_text(text.replace("name: softmax", f"name: {json.dumps(evil)}"))
    shutil.rmtree(folder.plots)
    assert run("report", "one", "--runs-dir", tmp_path / "runs")[0] == 0
    page = read_page(tmp_path / "runs" / "report")
    assert page.data["models"][0]["title"] in (evil, "one")
    assert len(page.all("script")) == 2


@settings(max_examples=8)
@given(text=ANY_TEXT)
def test_any_text_compiles_in_both_forms(tmp_path_factory, text):
    place = tmp_path_factory.mktemp("any")
    run_folder, sweep = make_run(place / "runs" / "a"), make_sweep(place / "runs" / "s")
    encoded = [text.encode("utf-8", "replace").decode() for _ in range(6)]
    fill(run_folder, encoded, is_plain=False)
    fill_sweep(sweep, encoded, is_plain=False)
    folders = [RunFolder(run_folder.path), SweepFolder(sweep.path)]
    (place / "out").mkdir()
    request = ReportRequest(of_folders(folders), ["html", "pdf"], text, text)
    write_report(request, place / "out", lambda _: None, lambda _: None)
    title = read_page(place / "out").all("title")[0].text
    assert squeeze(title) == squeeze(clean(text) or "Report")


# What is shown of a text and of a number.


def test_what_steers_is_written_out():
    assert clean("a\x1b[31mb\u202ec\ud800d\x85e\x00") == r"a\x1b[31mb\u202ec\ud800d e\x00"
    assert clean(" a\t\n b\u2003c\u00a0d ") == "a b c d"


@given(text=ANY_TEXT)
def test_nothing_that_steers_is_left(text):
    assert clean(text).isprintable()
    assert len(clean(text)) <= LONGEST
    assert clean(clean(text)) == clean(text)


def test_all_texts_of_a_document_are_cleaned_and_cut():
    dirty = {"a\x00": ["b\x1b", {"c": "x" * 1000}], "n": 1.5, "none": None}
    cleaned = clean_all(dirty)
    assert cleaned == {
        "a\\x00": ["b\\x1b", {"c": "x" * (LONGEST - 1) + "…"}],
        "n": 1.5,
        "none": None,
    }


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("test.accuracy", 0.85815, "85.81%"), ("test.loss", 0.38877, "0.3888"),
        ("train.loss", 1e30, "1e+30"), ("epochs", 10, "10"), ("learning_rate", 0.003, "0.003"),
        ("gap", -0.5, "\N{MINUS SIGN}0.5"), ("loss", None, "\N{EN DASH}"),
        ("x", float("nan"), "\N{EN DASH}"), ("x", 10**400, "\N{EN DASH}"), ("x", [], "none"),
        ("x", ["a", "b"], "a, b"), ("loss", "squared_error", "squared error"), ("x", True, "True"),
    ],
)  # fmt: skip
def test_values_are_shown_as_everywhere(key, value, shown):
    assert show(key, value) == shown


def test_a_report_without_runs_whose_config_can_be_read_is_one(tmp_path):
    folder = make_run(tmp_path / "run")
    for path in (folder.config, folder.summary, folder.environment, folder.status):
        path.write_text("\x00")
    document = gather(
        of_folders([folder]), None, {"title": "T", "author": "", "date": "2026-01-01"}
    ).document
    assert document["runs"][0]["status"] == "damaged"
