"""Files of strangers, many at once: each gets the right verdict, whatever the others do."""

import csv
import json

import pytest

from tests.gradcheck.homework import FORMS, write
from tests.gradcheck.odd_files import HEAD
from tests.gradcheck.students import GOOD, RIGHT, hand_in, verdict_of

ENDLESS = {
    "loops.py": "while True: pass\n",
    "waits_when_called.py": (
        "import time\ndef loss(a, y): time.sleep(60)\ndef gradient(a, y): pass\n"
    ),
}
NOTEBOOK = {
    "cells": [
        {"cell_type": "markdown", "source": ["# Softmax"]},
        {"cell_type": "code", "source": ["%matplotlib inline\n", "import numpy as np\n", "!ls"]},
        {"cell_type": "code", "source": "%%time\nnonsense("},
        {"cell_type": "code", "source": GOOD.splitlines(keepends=True)},
    ]
}
HOSTILE = {
    "asks.py": ("input('your name? ')\n", "EOFError"),
    "breaks_off.py": ("import os\nos._exit(0)\n", "SystemExit: 0"),
    "kills_itself.py": (
        "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n",
        "ended without an answer (exit code -9)",
    ),
    "exits.py": ("import sys\nsys.exit(3)\n", "SystemExit: 3"),
    "forks.py": ("import os\nos.fork()\n", "starts another process"),
    "calls_a_shell.py": ("import os\nos.system('true')\n", "starts another process"),
    "hoards.py": ("x = bytearray(8 << 30)\n", "MemoryError"),
    "empty.py": ("", "it has no functions"),
    "no_python.py": ("def f(:\n", "SyntaxError"),
    "takes_three.py": (
        "def loss(a, y, c): return 1.0\ndef gradient(a, y, c): return a\n",
        'loss takes (a, y, c); say what they are, such as --signature "W, X, y"',
    ),
    "only_the_loss.py": ("def loss(a, y): return float(a.sum())\n", "must return (loss, gradient)"),
    "no_notebook.ipynb": ("[]", "is no notebook"),
}
CLASS = ("one vector", "rows, mean", "columns, mean", "softmax by weights")
VARIED = ("crash", "no_minus", "right_both", "unshifted")


def verdicts_of(out):
    return {one["who"]: one for one in json.loads(out)["targets"]}


@pytest.fixture(scope="module")
def class_folder(tmp_path_factory):
    """A folder in which each student has a folder, with a file of the same name in it."""
    folder = tmp_path_factory.mktemp("class")
    for name in CLASS:
        place = folder / name.replace(" ", "_")
        place.mkdir()
        (place / "softmax.py").write_text(write(FORMS[name], "two functions"))
    return folder


def test_every_student_gets_the_right_verdict(run, tmp_path):
    """What each of the files is told, tests/gradcheck/test_target.py says."""
    files = hand_in(tmp_path, *VARIED)
    code, out, err = run("gradcheck", "--target", *files, "--json", "--points", 1)
    found = verdicts_of(out)
    assert (code, err) == (1, "")
    assert found.keys() == {f"{name}.py" for name in VARIED}
    for name in VARIED:
        one = found[f"{name}.py"]
        assert one["verdict"] == verdict_of(name), one
        assert (one["diagnosis"] == "") == (name in RIGHT)


@pytest.mark.parametrize("place", ["module", "function"])
def test_a_single_file_that_ends_the_process_cannot_be_judged(run, tmp_path, place):
    text = f"import os\nimport numpy as np\n{GOOD}"
    file = tmp_path / "one.py"
    at = "return" if place == "function" else "import numpy"
    file.write_text(text.replace(at, f"os._exit(0); {at}", 1))
    code, out, err = run("gradcheck", "--target", file)
    assert code == 2
    assert "SystemExit: 0" in out + err


def test_a_class_of_right_files_passes_each_under_its_own_name(run, class_folder, tmp_path):
    table = tmp_path / "grades.csv"
    code, out, _ = run("gradcheck", "--target", class_folder, "--csv", table, "--points", 1)
    assert code == 0
    assert out.endswith(f"{len(CLASS)} right, 0 wrong, 0 cannot be judged\n")
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert {row["who"] for row in rows} == {path.name for path in class_folder.iterdir()}
    assert {row["verdict"] for row in rows} == {"right"}


def test_no_file_is_left_out(run, tmp_path):
    """A glob after one --target is several files; so are several --target."""
    for name in ("one.py", "two.py", "three.py"):
        text = GOOD if name != "one.py" else GOOD.replace("return softmax(a) -", "return -")
        (tmp_path / name).write_text(HEAD + text)
    one, two, three = (tmp_path / f"{name}.py" for name in ("one", "two", "three"))
    for words in (("--target", one, two, three), ("--target", two, "--target", one, three)):
        code, out, _ = run("gradcheck", "-q", *words, "--points", 1)
        assert code == 1
        lines = out.splitlines()
        assert len(lines) == 3
        assert sum(line.startswith("one.py: wrong: loss is right") for line in lines) == 1
        assert sum(line.endswith(": right") for line in lines) == 2


def test_a_notebook_is_judged_by_its_code_cells(run, tmp_path):
    (tmp_path / "mine.ipynb").write_text(json.dumps(NOTEBOOK))
    (tmp_path / ".ipynb_checkpoints").mkdir()
    (tmp_path / ".ipynb_checkpoints" / "old.ipynb").write_text("{}")
    (tmp_path / "_mine.py").write_text(HEAD + GOOD)
    code, out, _ = run("gradcheck", "--target", tmp_path, "-q", "--points", 1)
    assert (code, out) == (0, "_mine.py: right\nmine.ipynb: right\n")


TOLD = {
    "": "which function is the gradient? ",
    "nonsense(": "line 1: SyntaxError: ",
    "import os\nos.mkdir(__file__)": "line 2: FileExistsError: ",
    "import os\ndef loss(a, y): os.mkdir(__file__)\ndef gradient(a, y): return a\n":
        "loss fails in line 2: FileExistsError: ",
}  # fmt: skip


@pytest.mark.parametrize("code", TOLD)
def test_no_message_of_a_notebook_names_the_file_that_its_code_is_run_from(run, tmp_path, code):
    path = tmp_path / "mine.ipynb"
    path.write_text(json.dumps({"cells": [{"cell_type": "code", "source": code}]}))
    _, out, _ = run("gradcheck", "--target", path, "--json", "--points", 1)
    told = verdicts_of(out)["mine.ipynb"]["diagnosis"]
    assert told.startswith(TOLD[code])
    assert ("mine.ipynb'" in told) == ("mkdir" in code)
    assert "mine.py" not in told


def test_a_hostile_file_holds_up_nobody(run, tmp_path):
    for name, (text, _) in HOSTILE.items():
        (tmp_path / name).write_text(text)
    waiting = "import threading, time\nthreading.Thread(target=lambda: time.sleep(99)).start()\n"
    (tmp_path / "good.py").write_text(f"print('x' * 10**6)\nimport numpy as np\n{waiting}{GOOD}")
    code, out, _ = run(
        "gradcheck", "--target", tmp_path, "--timeout", "90", "--json", "--points", 1
    )
    found = verdicts_of(out)
    assert code == 2
    assert found.pop("good.py")["verdict"] == "right"
    assert found.keys() == HOSTILE.keys()
    for name, (_, reason) in HOSTILE.items():
        assert found[name]["verdict"] == "cannot be judged", found[name]
        assert reason in found[name]["diagnosis"], found[name]


def test_a_file_that_does_not_end_is_given_up(run, tmp_path):
    for name, text in ENDLESS.items():
        (tmp_path / name).write_text(text)
    code, out, _ = run("gradcheck", "--target", tmp_path, "--timeout", "1", "--json")
    found = verdicts_of(out)
    assert code == 2
    assert found.keys() == ENDLESS.keys()
    for one in found.values():
        assert one["verdict"] == "cannot be judged"
        assert "did not end within 1 seconds; --timeout gives it more" in one["diagnosis"]


@pytest.mark.parametrize("place", [".", "no/such/folder/grades.csv", "mine.py/grades.csv"])
def test_a_table_that_cannot_be_written_is_refused_before_anything_is_judged(
    run, tmp_path, monkeypatch, place
):
    monkeypatch.chdir(tmp_path)
    seen = tmp_path / "it_was_run"
    (tmp_path / "mine.py").write_text(f"open({str(seen)!r}, 'w')\nimport numpy as np\n{GOOD}")
    code, out, err = run("gradcheck", "--target", "mine.py", "--csv", place)
    assert (code, out) == (2, "")
    assert f"--csv {place}: cannot be written: " in err
    assert not seen.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]


def test_names_and_a_signature_hold_for_all_files(run, tmp_path):
    text = HEAD + GOOD.replace("def loss(a, y)", "def f(u, v)")
    text = (
        text.replace("def gradient(a, y)", "def g(u, v)").replace("a)", "u)").replace("[y]", "[v]")
    )
    for name in ("one.py", "two.py"):
        (tmp_path / name).write_text(text.replace("softmax(u):", "softmax(a):"))
    words = ("--loss", "f", "--gradient", "g", "--signature", "(a, y)")
    words = ("--points", 1, *words)
    code, out, _ = run("gradcheck", "-q", "--target", tmp_path, *words)
    assert (code, out) == (0, "one.py: right\ntwo.py: right\n")
    code, out, _ = run("gradcheck", "-q", "--target", tmp_path, *words[:-1], "y, a")
    assert code == 2


def test_a_single_file_that_cannot_be_judged_is_not_called_wrong(run, tmp_path):
    text = HOSTILE["takes_three.py"][0]
    (tmp_path / "mine.py").write_text(text)
    code, out, _ = run("gradcheck", "--target", tmp_path / "mine.py")
    assert code == 2
    assert "cannot be judged" in out
    assert "wrong" not in out.replace("a wrong form", "")


def test_who_has_handed_in_nothing_is_in_the_table(run, tmp_path):
    (tmp_path / "class" / "ann").mkdir(parents=True)
    (tmp_path / "class" / "bob").mkdir()
    (tmp_path / "class" / "bob" / "notes.txt").write_text("I had no time")
    (tmp_path / "class" / "ann" / "own.py").write_text(HEAD + GOOD)
    code, out, _ = run("gradcheck", "--json", "--target", tmp_path / "class")
    ann, bob = verdicts_of(out).values()
    assert code == 2
    assert (ann["verdict"], bob["verdict"], bob["who"]) == ("right", "cannot be judged", "bob")
    assert "there is no .py or .ipynb file in it" in bob["diagnosis"]
    code, _, err = run("gradcheck", "--target", tmp_path / "class" / "bob")
    assert code == 2
    assert "there is no .py or .ipynb file in it" in err
