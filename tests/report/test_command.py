"""`mnistlab report` trains what is missing, writes what is asked for, and harms nothing."""

import json
import re
import shutil
import sys
import time
from types import SimpleNamespace

import pytest

from mnistlab.report import assignment
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.places import run_paths
from tests.report.conftest import DPI
from tests.report.helpers import copy_run, pdf_text, read_facts_file, read_page, the_run
from tests.store.folders import make_run

NOBODY = "nobody is named"
"""What is said where it is not known who hands the assignment in."""


def test_page_pdf_and_facts_are_there_and_tell_of_every_run(reported):
    assert reported.said.out.splitlines() == [
        f"html: {reported.folder / 'index.html'}",
        f"pdf: {reported.folder / 'report.pdf'}",
    ]
    assert (reported.folder / "report.pdf").read_bytes().startswith(b"%PDF")
    for path in run_paths(reported.runs):
        assert path.name in reported.page.text
    assert reported.facts["author"] == "A. Student"
    programs = ["linear_regression.py", "softmax.py"]
    written = sorted(["index.html", "report.json", "report.pdf", *programs])
    assert reported.facts["files"] == written


@pytest.mark.usefixtures("small", "its_data")
def test_what_is_there_is_not_trained_again_and_the_second_report_is_fast(
    reported, run, tmp_path, monkeypatch
):
    today = SimpleNamespace(strftime=lambda _form: reported.facts["date"])  # midnight may pass
    monkeypatch.setattr("mnistlab.report.render.time", today)
    monkeypatch.setattr("mnistlab.plots.style.DPI", DPI)
    before = sorted(path.name for path in run_paths(reported.runs))
    start = time.process_time()
    words = ["--author", "A. Student", "--runs-dir", reported.runs, "--out", tmp_path]
    code, _, err = run("report", *words)
    assert (code, "training" in err, NOBODY in err) == (0, False, False)
    assert time.process_time() - start < 10  # some 2 s
    assert sorted(path.name for path in run_paths(reported.runs)) == before
    for name in ("index.html", "report.pdf"):
        assert (tmp_path / name).read_bytes() == (reported.folder / name).read_bytes()


@pytest.mark.usefixtures("small", "its_data", "drawn_here", "undrawn")
def test_a_damaged_run_is_trained_again_for_the_assignment(reported, run, tmp_path):
    runs = tmp_path / "runs"
    shutil.copytree(reported.runs, runs, symlinks=True)
    (the_run(runs, "linear") / "model.safetensors").unlink()
    code, _, err = run("report", "--format", "html", "--runs-dir", runs)
    assert (code, "training linear (1 epochs)" in err) == (0, True)
    assert not re.search("^training (the sweep|sigmoid|softmax|best)", err, re.MULTILINE)
    assert NOBODY in err
    assert len([path for path in run_paths(runs) if "-linear-" in path.name]) == 2


@pytest.mark.usefixtures("small", "its_data", "drawn_here", "undrawn")
def test_a_sweep_that_was_cut_short_goes_on(reported, run, tmp_path, monkeypatch):
    shutil.copytree(reported.runs, tmp_path / "runs", symlinks=True)
    shutil.rmtree(the_run(tmp_path / "runs", "assignment"))

    def stop(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("mnistlab.sweeps.run.finish_sweep", stop)
        assert run("report", "--runs-dir", tmp_path / "runs", "-q")[0] == 130
    begun = the_run(tmp_path / "runs", "assignment")
    code, _, err = run("report", "--runs-dir", tmp_path / "runs")
    assert code == 0
    assert "going on with the sweep" in err
    assert the_run(tmp_path / "runs", "assignment") == begun


@pytest.mark.usefixtures("small", "its_data", "drawn_here", "undrawn")
def test_runs_over_seeds_that_were_not_all_tested_are_tested_the_next_time(
    reported, run, tmp_path, monkeypatch
):
    shutil.copytree(reported.runs, tmp_path / "runs", symlinks=True)
    shutil.rmtree(the_run(tmp_path / "runs", "seeds"))
    words = ["report", "--runs-dir", tmp_path / "runs", "--format", "html"]

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(assignment, "evaluate_test", stop)
        assert run(*words, "-q")[0] == 130
    code, _, err = run(*words)
    assert (code, "training" in err) == (0, False)
    told = read_facts_file(tmp_path / "runs" / "report")["answers"]["seeds"]
    assert told == reported.facts["answers"]["seeds"]


@pytest.mark.usefixtures("its_data")
def test_any_runs_can_be_reported(reported, run, tmp_path):
    sweep = the_run(reported.runs, "assignment").name
    out = tmp_path / "shown"
    code, printed, err = run(
        "report", "latest", f"{sweep}/0", f"{sweep}/1", "--out", out, "--format", "html",
        "--title", "Two runs", "--runs-dir", reported.runs, "--json",
    )  # fmt: skip
    assert (code, json.loads(printed)) == (0, {"html": str(out / "index.html")})
    assert NOBODY not in err  # only the assignment is handed in
    page = read_page(out)
    assert page.all("title")[0].text == "Two runs"
    assert "Question 1" not in page.text
    assert f"{sweep}/1" in page.text
    assert not (out / "report.pdf").exists()


def test_the_folder_that_a_report_will_be_in_is_none_without_runs(run, tmp_path):
    make_run(tmp_path / "runs" / "one")
    for _ in range(2):
        code, _, err = run("report", "--runs-dir", tmp_path / "runs", tmp_path / "runs")
        assert (code, "refused" in err) == (0, False)
    assert run("report", "nobody", "--runs-dir", tmp_path, "--out", tmp_path / "out")[0] == 2
    assert not (tmp_path / "out").exists()


def test_reporting_on_named_runs_never_trains(run, tmp_path, monkeypatch):
    make_run(tmp_path / "runs" / "one")
    monkeypatch.setattr(assignment, "train_run", lambda *_, **__: pytest.fail("it trained"))
    assert run("report", "one", "--runs-dir", tmp_path / "runs")[0] == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nothing"], "there is no run 'nothing'"),
        (["--format", "docx"], "unknown format 'docx'"),
        (["--format", "md"], "unknown format 'md'"),
        (["latest", "--out", "FILE"], "no report can be written here"),
    ],
)
def test_wrong_words_are_told_in_a_sentence(reported, run, tmp_path, words, told):
    (tmp_path / "file").write_text("")
    words = [str(tmp_path / "file") if word == "FILE" else word for word in words]
    code, out, err = run("report", *words, "--runs-dir", reported.runs)
    assert (code, out) == (2, "")
    assert told in err
    assert err.count("\n") == 1


@pytest.mark.usefixtures("small")
def test_missing_typst_is_told_before_anything_is_trained(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "typst", None)
    code, out, err = run("report", "--runs-dir", tmp_path / "runs", "--out", tmp_path / "r")
    assert (code, out) == (1, "")
    assert "pip install 'mnistlab[report]'" in err
    assert "training" not in err
    assert not (tmp_path / "runs").exists()


HARM = {
    "interrupted": (lambda folder: folder.write_status("running"), "interrupted"),
    "failed": (lambda folder: folder.write_status("failed", error="<b>why</b>"), "<b>why</b>"),
    "no status": (lambda folder: folder.status.write_text("{"), "status.json"),
    "no config": (lambda folder: folder.config.write_text("a: ["), "config.yaml"),
    "no metrics": (lambda folder: folder.metrics.unlink(), "metrics.csv"),
    "no summary": (lambda folder: folder.summary.write_text("[]"), "summary.json"),
    "other weights": (lambda folder: folder.model.write_bytes(b"PK"), "model.safetensors"),
    "no predictions": (lambda folder: folder.predictions.write_bytes(b"x"), "predictions.npy"),
    "no environment": (lambda folder: folder.environment.unlink(), "environment.json"),
}


@pytest.mark.parametrize("name", HARM)
@pytest.mark.usefixtures("undrawn")
def test_a_run_that_is_not_whole_is_listed_with_what_is_wrong(reported, run, tmp_path, name):
    source = the_run(reported.runs, "softmax")
    hurt = copy_run(source, tmp_path / "runs" / "20260101-000000-hurt-0000")
    copy_run(source, tmp_path / "runs" / source.name)
    harm, told = HARM[name]
    harm(hurt)
    code, _, err = run("report", "20260101", source.name, "--runs-dir", tmp_path / "runs")
    assert code == 0, err
    document = read_facts_file(tmp_path / "runs" / "report")
    (entry,) = (one for one in document["runs"] if "hurt" in one["name"])
    assert told in "; ".join(entry["remarks"])
    assert re.search("hurt-0000 .*" + re.escape(told), read_page(tmp_path / "runs/report").text)
    assert told in pdf_text(tmp_path / "runs" / "report" / "report.pdf")


@pytest.mark.usefixtures("small")
def test_where_it_is_to_be_written_is_looked_at_before_anything_is_trained(run, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "index.html").write_text("mine")
    words = ["report", "--runs-dir", tmp_path / "runs", "--out", tmp_path / "out"]
    code, _, err = run(*words)
    assert (code, "--force" in err, "training" in err) == (2, True, False)
    assert (tmp_path / "out" / "index.html").read_text() == "mine"


def test_force_overwrites_and_a_report_of_ours_needs_none(run, tmp_path):
    make_run(tmp_path / "runs" / "one")
    words = ["report", "one", "--runs-dir", tmp_path / "runs", "--out", tmp_path / "out"]
    (tmp_path / "out").mkdir()
    for name in ("index.html", "report.json"):
        (tmp_path / "out" / name).write_text("mine")
        assert run(*words)[0] == 2
        assert run(*words, "--force")[0] == 0
        assert run(*words)[0] == 0
        shutil.rmtree(tmp_path / "out")
        (tmp_path / "out").mkdir()


@pytest.mark.parametrize("content", ["{", "[]", '{"files": 3}', "[" * 100_000, "\x00"])
def test_a_damaged_record_says_nothing(run, tmp_path, content):
    make_run(tmp_path / "runs" / "one")
    (tmp_path / "report.json").write_text(content)
    words = ["report", "one", "--runs-dir", tmp_path / "runs", "--out", tmp_path]
    assert run(*words)[0] == 2
    assert (tmp_path / "report.json").read_text() == content


def test_nothing_is_written_into_a_run_folder_or_below_one(run, tmp_path):
    folder = make_run(tmp_path / "runs" / "one")
    for out in (folder.path, folder.path / "report"):
        code, _, err = run("report", "one", "--runs-dir", tmp_path / "runs", "--out", out)
        assert (code, "into a run folder" in err) == (2, True)
    assert not (folder.path / "report.json").exists()


def test_a_report_only_reads(reported, run, tmp_path):
    folder = copy_run(the_run(reported.runs, "linear"), tmp_path / "runs" / "one")
    before = {path: path.stat().st_mtime_ns for path in folder.path.rglob("*")}
    words = [f"{folder.path}/", "--runs-dir", tmp_path / "none", "--out", tmp_path / "out"]
    assert run("report", *words)[0] == 0
    assert {path: path.stat().st_mtime_ns for path in folder.path.rglob("*")} == before


@pytest.mark.usefixtures("its_data")
def test_data_that_is_away_today_may_be_back_tomorrow(reported, run, monkeypatch, tmp_path):
    from mnistlab.errors import InputError  # noqa: PLC0415

    copy_run(the_run(reported.runs, "linear"), tmp_path / "runs" / "one")
    words = ["report", "one", "--runs-dir", tmp_path / "runs", "--format", "html"]

    def away(*_args, **_kwargs):
        raise InputError("no data")

    with monkeypatch.context() as patch:
        patch.setattr("mnistlab.report.records.open_images", away)
        assert run(*words)[0] == 0
    assert read_facts_file(tmp_path / "runs" / "report")["runs"][0]["gap"] is None
    assert run(*words)[0] == 0
    assert read_facts_file(tmp_path / "runs" / "report")["runs"][0]["gap"] is not None


def test_hundreds_of_runs_take_seconds(run, tmp_path):
    first = make_run(tmp_path / "runs" / "run-000")
    for at in range(1, 300):
        folder = RunFolder(tmp_path / "runs" / f"run-{at:03}")
        folder.path.mkdir()
        for path in first.path.iterdir():
            (folder.path / path.name).hardlink_to(path)
    start = time.process_time()
    code, _, err = run("report", f"{tmp_path}/runs", "--out", tmp_path / "out", "-q")
    assert code == 0, err
    assert time.process_time() - start < 10  # some 2 s
    assert len(read_facts_file(tmp_path / "out")["runs"]) == 300
