"""Whatever the terminal is like, a command does its work and its exit code is true."""

import json
import os
import subprocess
import sys

import pytest

from mnistlab.__main__ import expand_home
from mnistlab.run_folders.folder import open_folder
from tests.faults.command import invoke, write_config

ENCODINGS = ("ascii", "cp437", "cp1252")  # the other tests speak UTF-8

COMMANDS = {
    "list": ("runs", "list"),
    "list as JSON": ("runs", "list", "--json"),
    "show": ("runs", "show", "latest"),
    "diff": ("runs", "diff", "latest/0", "latest/1"),
    "compare": ("runs", "compare", "latest"),
    "predict": ("runs", "predict", "latest/0", "3"),
    "verify": ("runs", "verify", "latest/0"),
    "data": ("data", "list"),
    "config": ("config", "show", "data.dataset=mnist-mini"),
    "gradcheck": ("gradcheck", "--points", "1"),
    "dry run": ("sweep", "-c", "digits.yaml", "--seeds", "2", "--dry-run"),
    **{
        f"help of {' '.join(words)}": (*words, "--help")
        for words in [(), ("train",), ("sweep",), ("report",), ("gradcheck",), ("runs", "list")]
    },
    "an error": ("train", "-c", "数.yaml"),
    "another error": ("config", "show", "learning_rate=é"),
}


def run_process(words, folder, **environment):
    return subprocess.run(
        [sys.executable, "-m", "mnistlab", *words],
        cwd=folder,
        env={**os.environ, "PYTHONUTF8": "0", **environment},
        capture_output=True,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with a config, and a sweep of two runs in its runs folder."""
    folder = tmp_path_factory.mktemp("terminal")
    write_config(folder).rename(folder / "digits.yaml")
    words = ("sweep", "-c", "digits.yaml", "learning_rate=0.01,0.02", "epochs=1", "-q")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        done = invoke(*words, "--no-plots", "--runs-dir", folder / "runs")
    assert done.code == 0, done.err
    return folder


PROGRAM = """
import json, sys
from mnistlab.__main__ import main

codes = {}
for name, words in json.loads(sys.argv[1]).items():
    sys.argv = ["mnistlab", *words]
    print(f"# {name}")
    print(f"# {name}", file=sys.stderr)
    try:
        main()
    except SystemExit as stop:
        codes[name] = stop.code
open("codes.json", "w").write(json.dumps(codes))
"""


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_encoding_gets_what_it_can_show(encoding, folder):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(COMMANDS)],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONIOENCODING": encoding,
            "MNISTLAB_RUNS_DIR": str(folder / "runs"),
        },
        capture_output=True,
        check=True,
    )
    out, err = (stream.decode(encoding) for stream in (done.stdout, done.stderr))
    assert "fault of mnistlab" not in err
    assert "Traceback" not in err
    codes = json.loads((folder / "codes.json").read_text())
    assert codes == {name: 2 if "error" in name else 0 for name in COMMANDS}
    listed = out.partition("# list as JSON")[2].partition("# show")[0]
    assert len(json.loads(listed)) == 1
    if encoding == "ascii":
        assert "#" * 10 in out.partition("# predict")[2], "bars keep their length"
        assert "there is no such file" in err
        assert "\\u6570.yaml" in err


@pytest.mark.parametrize("columns", ["0", "-3", "x", "", "1", "12", "99999999999"])
def test_any_width_will_do(columns, folder, monkeypatch, run):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", columns)
    words = ("train", "-c", "digits.yaml", "--no-plots", "epochs=1")
    code, out, _ = run(*words, "--runs-dir", folder / "others")
    assert (code, "Test accuracy" in " ".join(out.split())) == (0, True)
    for words in (("runs", "list"), ("train", "--help"), ("runs", "compare", "latest")):
        code, out, _ = run(*words, *(["--runs-dir", folder / "runs"] if "runs" in words else []))
        assert (code, bool(out)) == (0, True)
    if columns in ("0", "-3", "x"):
        assert os.environ["COLUMNS"] == "80"


@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        ("config", "schema"),
        ("runs", "list", "--json"),
        ("runs", "show", "latest"),
        ("train", "-c", "digits.yaml", "--no-plots", "--runs-dir", "others", "--json"),
        ("sweep", "-c", "digits.yaml", "--seeds", "2", "--no-plots", "--runs-dir", "others"),
    ],
)
def test_a_reader_that_goes_away_is_no_fault(words, folder):
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "mnistlab", *words],
        cwd=folder,
        env={**os.environ, "MNISTLAB_RUNS_DIR": str(folder / "runs")},
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert done.returncode in (0, 141)
    assert b"error" not in done.stderr
    if "others" in words:
        newest = open_folder((folder / "others" / "latest").resolve())
        assert newest.read_status()["status"] == "completed"
        assert not newest.damaged_files()


def test_a_tilde_is_the_home_wherever_a_path_is_typed(tmp_path, monkeypatch, run):
    monkeypatch.setenv("HOME", str(tmp_path))
    config = write_config(tmp_path)
    monkeypatch.chdir(tmp_path)
    train = ("train", f"--config=~/{config.name}", "--no-plots", "epochs=1", "-q")
    assert run(*train, "--runs-dir=~/one") == (0, "", "")
    monkeypatch.setenv("MNISTLAB_RUNS_DIR", "~/two")
    assert run(*train, "data.dataset=~/tiny.npz") == (0, "", "")
    assert (tmp_path / "one" / "latest").exists()
    assert (tmp_path / "two" / "latest").exists()
    assert run("runs", "export", "--all", "--to=~/runs.csv")[0] == 0
    assert run("runs", "predict", "latest", "1", "--save=~/seen.png", "--json")[0] == 0
    assert run("gradcheck", "--save", "--runs-dir=~/three", "-q")[0] == 0
    (tmp_path / "trials.csv").write_text("learning_rate\n0.01\n0.02\n")
    assert run("sweep", f"-c~/{config.name}", "@~/trials.csv", "--dry-run")[0] == 0
    for made in ("runs.csv", "seen.png", "three"):
        assert (tmp_path / made).exists(), made
    assert not (tmp_path / "~").exists()


@pytest.mark.parametrize(
    ("word", "expanded"),
    [
        ("--runs-dir=~/r", "--runs-dir=HOME/r"),
        ("-c~/a.yaml", "-cHOME/a.yaml"),
        ("@~/t.csv", "@HOME/t.csv"),
        ("~", "HOME"),
        ("~/r/1", "HOME/r/1"),
        ("--author=a~b", "--author=a~b"),
        ("a~/b", "a~/b"),
        ("--out=~nobody-of-this-name/x", "--out=~nobody-of-this-name/x"),
        ("data.dataset=~/x", "data.dataset=~/x"),  # the dataset's own reader expands it
        ("", ""),
    ],
)
def test_which_words_are_expanded(word, expanded, monkeypatch):
    monkeypatch.setenv("HOME", "HOME")
    assert expand_home(word) == expanded


def test_a_notebooks_backend_is_no_concern_of_ours(folder, tmp_path):
    """Jupyter and Colab leave MPLBACKEND to what they start, where their module is not there."""
    (sweep,) = (folder / "runs").glob("2*")
    trained = (str(sweep / "runs" / "0"), str(sweep / "runs" / "1"))
    backend = {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    for command in (
        ("train", "-c", "digits.yaml", "epochs=1", "-q"),
        ("gradcheck", "--points", "1", "--save", "-q"),
        ("runs", "predict", "latest", "3", "--save", str(tmp_path / "seen.png")),
        ("report", "latest", "--format", "html", "--out", str(tmp_path / "report")),
        ("runs", "compare", *trained, "--to", str(tmp_path / "both.png")),
    ):
        done = run_process(command, folder, MNISTLAB_RUNS_DIR=str(tmp_path), **backend)
        assert done.returncode == 0, (command, done.stderr)
    assert len(list(tmp_path.glob("*-digits-*/plots/mistakes.png"))) == 1
    assert list(tmp_path.glob("*gradcheck*/plots/*.png"))
