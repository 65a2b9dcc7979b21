"""`mnistlab report` trains what is missing, writes what is asked for, and nothing twice."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from mnistlab.errors import InputError
from mnistlab.report import assignment, place
from mnistlab.report.collect import collect
from mnistlab.runs import RunFolder
from mnistlab.runs.folder import SweepFolder, is_sweep
from mnistlab.runs.places import run_paths
from mnistlab.store.facts import read_facts
from tests.report.hostile import HOSTILE

CONFIGS = {
    "linear": "learning_rate: 0.01\n",
    "linear_overflow": "learning_rate: 0.1\nepochs: 6\n",
    "sigmoid": "model: sigmoid\nlearning_rate: 1.0\n",
    "sigmoid_sgd": "model: sigmoid\nlearning_rate: 0.1\n",
    "softmax": "loss: softmax_cross_entropy\nlearning_rate: 0.1\n",
    "best": "loss: softmax_cross_entropy\nlearning_rate: 0.05\ndata: {preprocess: [deskew]}\n",
}
SWEEP = "base: ../linear.yaml\nmethod: grid\nmetric: {name: validation.accuracy, goal: maximize}\n"
SWEEP += "parameters:\n  learning_rate: [0.005, 0.01]\n  epochs: [1, 2]\n"


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    """The assignment's configs on the small dataset, with few epochs."""
    folder = tmp_path_factory.mktemp("configs")
    (folder / "sweeps").mkdir()
    (folder / "sweeps" / "assignment.yaml").write_text(SWEEP)
    for name, text in CONFIGS.items():
        own, _, steps = text.partition("data:")
        data = "data:\n  dataset: mnist-mini\n  validation: 1000\n"
        data += "  preprocess: [deskew]\n" if steps else ""
        epochs = "" if "epochs" in own else "epochs: 2\n"
        (folder / f"{name}.yaml").write_text(own + epochs + data)
    return folder


@pytest.fixture
def small(shipped, monkeypatch):
    monkeypatch.setattr(assignment, "_shipped", lambda name: shipped / name)


@pytest.fixture(scope="module")
def reported(shipped, tmp_path_factory):
    """A runs folder with the assignment's report in all formats, and what was said."""
    runs = tmp_path_factory.mktemp("reported") / "runs"
    program = (
        "import sys; from pathlib import Path; from mnistlab.report import assignment\n"
        f"assignment._shipped = lambda name: Path({str(shipped)!r}) / name\n"
        "from mnistlab.__main__ import main; main()"
    )
    words = ["report", "--format", "html,pdf,md", "--author", "A. Student", "-q"]
    environment = {
        **os.environ,
        "MNISTLAB_RUNS_DIR": str(runs),
        "MNISTLAB_DATA_DIR": str(runs.parent / "data"),
    }
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return runs, done


def folders(runs_dir: Path) -> dict[str, RunFolder]:
    found = {}
    for path in run_paths(runs_dir):
        if is_sweep(path):
            sweep = SweepFolder(path)
            found[sweep.name] = sweep
            found |= {run.name: run for run in map(sweep.run, sweep.runs())}
        else:
            found[path.name] = RunFolder(path)
    return found


class Data(HTMLParser):
    """Collects the numbers that the page says are a run's."""

    def __init__(self):
        super().__init__()
        self.found, self._open = [], None

    def handle_starttag(self, tag, attributes):
        if tag == "data":
            self._open = dict(attributes)

    def handle_data(self, text):
        if self._open is not None:
            self.found.append((self._open, text))

    def handle_endtag(self, tag):
        if tag == "data":
            self._open = None


def numbers_on(page: str):
    parser = Data()
    parser.feed(page)
    return [(one["data-run"], one["data-key"], float(one["value"]), text)
            for one, text in parser.found if "data-run" in one]  # fmt: skip


def test_every_number_on_the_page_is_the_one_in_the_run_folder_that_it_names(reported):
    runs, _ = reported
    known = {name: read_facts(folder) for name, folder in folders(runs).items()}
    found = numbers_on((runs / "report" / "index.html").read_text())
    assert len(found) > 60
    assert {name for name, *_ in found} >= {
        path.name for path in run_paths(runs) if "overflow" not in path.name
    }
    for run, key, value, shown in found:
        assert value == known[run][key], (run, key)
        digits = re.sub(r"[^\d.eE+-]", "", shown.replace("\N{MINUS SIGN}", "-"))
        scale = 100 if "%" in shown else 1
        decimals = len(digits.partition(".")[2])
        assert float(digits) == pytest.approx(value * scale, abs=0.51 * 10**-decimals, rel=1e-3)


def test_all_formats_are_there_and_tell_of_every_run(reported):
    runs, done = reported
    files = {name: runs / "report" / name for name in ("index.html", "report.pdf", "report.md")}
    assert done.stdout.splitlines() == [
        f"{form}: {path}" for form, path in zip(("html", "pdf", "md"), files.values(), strict=True)
    ]
    assert files["report.pdf"].read_bytes().startswith(b"%PDF")
    page, text = files["index.html"].read_text(), files["report.md"].read_text()
    for path in run_paths(runs):
        assert path.name in page
        assert path.name.replace("_", "\\_") in text or path.name in text
    for heading in ("Question 1", "Question 2", "Compare", "Try it"):
        assert heading in page
    assert "A. Student" in page


@pytest.mark.usefixtures("small")
def test_what_is_there_is_not_trained_again(reported, run):
    runs, _ = reported
    before = sorted(path.name for path in run_paths(runs))
    page = (runs / "report" / "index.html").read_bytes()
    words = ["--format", "html,pdf,md", "--author", "A. Student", "--runs-dir", runs]
    code, _, err = run("report", *words)
    assert (code, "nothing has changed" in err) == (0, True)
    assert sorted(path.name for path in run_paths(runs)) == before
    assert (runs / "report" / "index.html").read_bytes() == page
    code, _, err = run("report", *words, "--anew")
    assert (code, "nothing has changed" in err) == (0, False)
    assert (runs / "report" / "index.html").read_bytes() == page


@pytest.mark.usefixtures("small")
def test_a_damaged_run_is_trained_again_for_the_assignment(reported, run, tmp_path):
    runs = tmp_path / "runs"
    shutil.copytree(reported[0], runs, symlinks=True)
    (linear,) = (path for path in run_paths(runs) if "-linear-" in path.name)
    (linear / "model.safetensors").unlink()
    code, _, err = run("report", "--format", "md", "--runs-dir", runs)
    assert (code, "training linear (2 epochs)" in err) == (0, True)
    assert not re.search("^training (the sweep|sigmoid|softmax|best)", err, re.MULTILINE)
    assert len([path for path in run_paths(runs) if "-linear-" in path.name]) == 2


def test_any_runs_can_be_reported(reported, run, tmp_path):
    runs, _ = reported
    (sweep,) = (path.name for path in run_paths(runs) if is_sweep(path))
    out = tmp_path / "shown"
    code, printed, _ = run(
        "report", "latest", f"{sweep}/0", f"{sweep}/1", "--out", out, "--format", "html",
        "--title", "Two runs", "--runs-dir", runs, "--json",
    )  # fmt: skip
    assert (code, json.loads(printed)) == (0, {"html": str(out / "index.html")})
    page = (out / "index.html").read_text()
    assert "<title>Two runs" in page
    assert "Question 1" not in page
    assert f"{sweep}/1" in page


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nothing"], "there is no run 'nothing'"),
        (["--format", "docx"], "unknown format 'docx'"),
        (["latest", "--out", "FILE"], "no report can be written here"),
    ],
)
def test_wrong_words_are_told_in_a_sentence(reported, run, tmp_path, words, told):
    (tmp_path / "file").write_text("")
    words = [str(tmp_path / "file") if word == "FILE" else word for word in words]
    code, out, err = run("report", *words, "--runs-dir", reported[0])
    assert (code, out) == (2, "")
    assert told in err
    assert err.count("\n") == 1


def test_a_report_without_its_pdf_library_still_has_its_page(reported, run, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "typst", None)
    words = ["report", "latest", "--runs-dir", reported[0], "--out", tmp_path / "r"]
    code, out, err = run(*words)
    assert (code, "mnistlab[pdf]" in err) == (0, True)
    assert out.startswith("html: ")
    code, _, err = run(*words, "--format", "pdf")
    assert (code, "mnistlab[pdf]" in err) == (1, True)


HARM = {
    "interrupted": lambda folder: folder.write_status("running"),
    "failed": lambda folder: folder.write_status("failed", error="<b>why</b>"),
    "no status": lambda folder: folder.status.write_text("{"),
    "no config": lambda folder: folder.config.write_text("a: ["),
    "no metrics": lambda folder: folder.metrics.unlink(),
    "no summary": lambda folder: folder.summary.write_text("[]"),
    "other weights": lambda folder: folder.model.write_bytes(b"PK"),
    "no predictions": lambda folder: folder.predictions.write_bytes(b"x"),
    "no environment": lambda folder: folder.environment.unlink(),
}


@pytest.mark.parametrize("name", HARM)
def test_a_run_that_is_not_whole_is_listed_with_what_it_lacks(reported, run, tmp_path, name):
    (source,) = (path for path in run_paths(reported[0]) if "-softmax-" in path.name)
    runs = tmp_path / "runs"
    shutil.copytree(source, runs / "20260101-000000-hurt-0000")
    shutil.copytree(source, runs / source.name)
    HARM[name](RunFolder(runs / "20260101-000000-hurt-0000"))
    code, _, err = run(
        "report", "20260101", source.name, "--format", "html,pdf,md", "--runs-dir", runs
    )
    assert code == 0, err
    text = (runs / "report" / "report.md").read_text()
    assert re.search(r"hurt-0000.*\|", text)
    lacking = text[text.index("| remarks |") :].splitlines()[2]
    assert "hurt-0000" in lacking
    assert "hurt-0000" in (runs / "report" / "index.html").read_text()


class Elements(HTMLParser):
    def __init__(self):
        super().__init__()
        self.count = {}

    def handle_starttag(self, tag, attributes):
        for name in (tag, *(f"{tag} {name}" for name, _ in attributes if name.startswith("on"))):
            self.count[name] = self.count.get(name, 0) + 1


def elements(page):
    parser = Elements()
    parser.feed(page)
    return parser.count


def same(word):
    """Return a plain word that begins as no other's, as far as a report repeats words."""
    return word and f"w{hashlib.sha256(word[:12].encode('utf-8', 'replace')).hexdigest()[:8]}"


def as_good(folder):
    """Return a plain name that makes a config as good or bad as this one's."""
    (run,), _ = collect([folder])
    if run.checked_config is not None:
        return "a"
    return "a b" if run.config is not None else "\ud800"


def test_hostile_words_in_every_field_add_no_element_and_end_nothing(reported, run, tmp_path):
    (source,) = (path for path in run_paths(reported[0]) if "-softmax-" in path.name)
    pages = {}
    for kind in ("plain", "hostile"):
        runs = tmp_path / kind
        for index in range(40):
            path = runs / f"20260101-0000{index:02}-x-0000"
            shutil.copytree(source, path, ignore=shutil.ignore_patterns("plots"))
            folder = RunFolder(path)
            words = [HOSTILE[(5 * index + at) % len(HOSTILE)] for at in range(5)]
            first, _, rest = folder.config.read_text().partition("\n")
            assert first.startswith("name: ")
            name, error, model, version, title = words
            if kind == "plain":
                error, model, version, title = map(same, words[1:])
            folder.config.write_text(f"name: {json.dumps(name)}\n{rest}")
            folder.environment.write_text(json.dumps({"mnistlab": version, "data_sha256": model}))
            folder.status.write_text(json.dumps({"status": "failed", "error": error}))
            if kind == "plain":
                folder.config.write_text(f"name: {json.dumps(as_good(folder))}\n{rest}")
        code, _, err = run(
            "report", *(path.name for path in run_paths(runs)), "--runs-dir", runs,
            "--title", title if kind == "hostile" else "t", "--format", "html,pdf,md",
        )  # fmt: skip
        assert code == 0, err
        pages[kind] = (runs / "report" / "index.html").read_text()
    assert elements(pages["plain"]) == elements(pages["hostile"])


@pytest.mark.usefixtures("small")
def test_where_it_is_to_be_written_is_looked_at_before_anything_is_trained(run, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "index.html").write_text("mine")
    words = ["report", "--runs-dir", tmp_path / "runs", "--out", tmp_path / "out"]
    code, _, err = run(*words)
    assert (code, "--force" in err, "training" in err) == (2, True, False)
    assert (tmp_path / "out" / "index.html").read_text() == "mine"


@pytest.mark.usefixtures("small")
def test_who_hands_it_in_is_asked_for(reported, run, tmp_path):
    words = ["report", "--runs-dir", reported[0], "--out", tmp_path, "--format", "md"]
    assert "nobody is named" in run(*words)[2]
    assert "nobody is named" not in run(*words, "--author", "A")[2]
    assert "nobody is named" not in run(*words, "latest")[2]


def test_a_report_that_lacked_its_data_is_written_anew_once_they_are_back(
    reported, run, monkeypatch, tmp_path
):
    (source,) = (path for path in run_paths(reported[0]) if "-linear-" in path.name)
    shutil.copytree(source, tmp_path / "runs" / source.name)
    words = ["report", source.name, "--runs-dir", tmp_path / "runs", "--format", "html"]

    def away(*_args, **_kwargs):
        raise InputError("no data")

    with monkeypatch.context() as patch:
        patch.setattr("mnistlab.report.shelf.load", away)
        assert run(*words)[0] == 0
    code, _, err = run(*words)
    assert (code, "nothing has changed" in err) == (0, False)
    code, _, err = run(*words)
    assert (code, "nothing has changed" in err) == (0, True)


def test_each_number_on_the_page_says_where_it_is_from(reported):
    parser = Data()
    parser.feed((reported[0] / "report" / "index.html").read_text())
    numbers = [one for one, _ in parser.found if "data-run" in one]
    assert all(
        one["title"] == f"{one['data-run']}: {one['data-key']} = {one['value']}" for one in numbers
    )


def test_the_report_says_where_its_numbers_come_from(reported):
    text = (reported[0] / "report" / "report.md").read_text()
    origin = text[text.index("## Where the numbers come from") :]
    for word in ("commit", "Python", "NumPy".lower(), "SHA-256"):
        assert word in origin
    assert "Where the numbers come from" in (reported[0] / "report" / "index.html").read_text()


def test_the_code_that_writes_is_part_of_what_a_report_is_made_from(monkeypatch):
    first = place.code_sha256()
    assert first == place.code_sha256()
    monkeypatch.setattr(place.mnistlab, "__version__", "0.0.0")
    assert place.code_sha256() != first
