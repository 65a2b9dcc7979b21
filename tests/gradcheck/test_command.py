"""`mnistlab gradcheck` as its users meet it: tables, JSON, folders, exit codes."""

import json

import pytest

from mnistlab.core.objective import trainable_pairs
from mnistlab.gradcheck.mistakes import MISTAKES
from tests.cli.test_cli import config  # noqa: F401 - a fixture
from tests.gradcheck.students import hand_in

KEYS = {
    "what", "point", "method", "max_abs_error", "relative_error", "worst_index", "analytic",
    "numerical", "passed", "diagnosis",
}  # fmt: skip


def test_the_default_shows_three_points_side_by_side(run):
    code, out, err = run("gradcheck")
    assert (code, err) == (0, "")
    assert out.count("point 1 of 3: label") == 1
    assert out.count("passed: largest error") == 3
    assert "passed  softmax is right at pre-activations of ±1000" in out
    assert out.endswith("passed: 3 of 3 gradients right\n")
    assert max(map(len, out.splitlines())) <= 120


@pytest.mark.parametrize(
    ("classes", "scale", "method", "bound"),
    [(2, 1000, "central", 1e-9), (10, 30, "complex", 1e-13), (1000, 1, "central", 1e-9)],
)
def test_json_has_the_keys_and_meets_the_bounds(run, classes, scale, method, bound):
    words = ["--classes", classes, "--scale", scale, "--method", method, "--points", 1]
    code, out, _ = run("gradcheck", "--json", *words)
    report = json.loads(out)
    assert code == 0
    assert report["passed"] is True
    (check,) = report["checks"]
    assert check.keys() >= KEYS
    assert check["method"] == method
    assert check["relative_error"] <= bound
    assert len(check["point"]) == len(check["analytic"]) == len(check["numerical"]) == classes


@pytest.mark.parametrize("name", MISTAKES)
def test_every_break_is_caught_and_named(run, name):
    code, out, _ = run("gradcheck", "--break", name, "--json")
    report = json.loads(out)
    assert code == 1
    assert report["passed"] is False
    told = [found["diagnosis"] for found in (*report["checks"], *report["probes"])]
    assert MISTAKES[name].sentence in told
    code, out, _ = run("gradcheck", "--break", name)
    assert code == 1
    assert MISTAKES[name].sentence in " ".join(out.split())


def test_break_list_lists_them_all(run):
    code, out, _ = run("gradcheck", "--break", "list")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == list(MISTAKES)


def test_all_covers_every_pair(run):
    code, out, _ = run("gradcheck", "--all", "--points", 1)
    assert code == 0
    for model, loss in trainable_pairs():
        for coordinates in ("pre-activations", "weights", "biases"):
            for over in ("one sample", "batch mean", "batch sum"):
                assert f"{model}, {loss} by {coordinates}, {over}" in out
    for question in ("1 (a)", "1 (b)", "1 (e)", "2 (a)"):
        assert f"passed  question {question}" in out


def test_a_plugins_loss_appears_in_all(run, tmp_path):
    plugin = tmp_path / "mine.py"
    plugin.write_text(
        "from mnistlab.core.losses import LOSSES\n"
        "class Cube:\n"
        "    curvature = None\n"
        "    def value(self, outputs, targets):\n"
        "        return ((outputs - targets) ** 3).sum(axis=-1)\n"
        "    def gradient(self, outputs, targets):\n"
        "        return 3.1 * (outputs - targets) ** 2\n"
        "LOSSES.add('cube', Cube())\n"
    )
    code, out, _ = run("gradcheck", "--all", "--plugin", plugin, "--points", 1)
    assert code == 1
    assert "linear, cube by weights, batch mean" in out
    assert "every coordinate is 1.03333 times what it should be" in out
    assert f"FAILED: 18 of {9 * len(trainable_pairs())} gradients wrong" in out


def test_config_checks_what_it_would_train(run, config):  # noqa: F811
    with config.open("a") as file:
        file.write("model: sigmoid\nweight_decay: 0.1\nreduction: sum\n")
    code, out, _ = run("gradcheck", "--config", config, "--points", 1)
    assert code == 0
    assert "float32 is lifted to float64" in out
    assert "sigmoid, squared_error by weights, batch sum, weight decay 0.1" in out
    code, out, _ = run("gradcheck", "--config", config, "--points", 1, "--break", "penalty_missing")
    assert code == 1
    assert MISTAKES["penalty_missing"].sentence in " ".join(out.split())


def test_save_leaves_a_folder_with_table_and_picture(run, tmp_path):
    code, out, _ = run("gradcheck", "--break", "sign", "--save", "--runs-dir", tmp_path / "here")
    assert code == 1
    (folder,) = (tmp_path / "here").iterdir()
    assert f"gradcheck folder: {folder}" in out
    assert not (folder / "status.json").exists()
    code, out, err = run("runs", "list", "--runs-dir", tmp_path / "here")
    assert (code, out) == (0, "")
    assert f"no run, and not listed: {folder.name}" in err
    assert json.loads((folder / "gradcheck.json").read_text())["passed"] is False
    assert MISTAKES["sign"].sentence in " ".join((folder / "table.txt").read_text().split())
    assert (folder / "plots" / "gradcheck.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "environment.json").exists()


def test_a_students_file_from_the_command_line(run, tmp_path):
    right, off, crash, whole = hand_in(
        tmp_path, "right_single", "off_by_one", "crash", "whole_batch"
    )
    code, out, _ = run("gradcheck", "--target", right, "-q")
    assert (code, out) == (0, "right_single.py: right\n")
    names = ["--loss", "loss", "--gradient", "gradient"]
    code, out, _ = run("gradcheck", "--target", off, *names)
    assert code == 1
    assert "count the classes from where" in out
    code, out, _ = run("gradcheck", "--target", crash, "--json")
    assert (code, json.loads(out)["verdict"]) == (2, "cannot be judged")
    (check,) = json.loads(out)["checks"]
    assert check.keys() >= KEYS
    assert check["analytic"] is None
    code, out, _ = run("gradcheck", "--target", whole, "--save")
    assert code == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--method", "magic"], "unknown method 'magic' (valid: central, complex)"),
        (["--break", "sing"], "unknown mistake 'sing'; did you mean 'sign'?"),
        (["--all", "--target", "x.py"], "--all and --target exclude each other"),
        (["--loss", "f"], "go with --target, which is missing"),
        (["--target", "x.py", "--break", "sign"], "not on those of --target"),
        (["--target", "none.py"], "none.py: there is no such file"),
        (["--scale", "inf"], "invalid value for '--scale'"),
        (["--all", "--points", "1", "--break", "penalty_missing"], "cannot be made in what was"),
        (["--points", "0"], "invalid value for '--points'"),
        (["--classes", "1"], "invalid value for '--classes'"),
        (["--config", "none.yaml"], "none.yaml: there is no such file"),
        (["one.py"], "go with --target, which is missing"),
        (["--csv", "a.csv"], "go with --target, which is missing"),
        (["--signature", "y, a"], "go with --target, which is missing"),
        (["--target", "none.py", "x.py"], "none.py: there is no such file"),
        (["--target", "."], "there is no .py or .ipynb file in it"),
        (["--target", ".", "--save"], "--save keeps the check of one file"),
        (["--target", "x.py", "-q", "--signature", "y, q"], "--signature 'y, q' must name y"),
    ],
)
def test_wrong_use_is_one_line_and_exit_2(run, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    code, _, err = run("gradcheck", *words)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1
