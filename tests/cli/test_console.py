"""What a person sees on a terminal, and what a file gets instead."""

import io
import sys

import pytest

from mnistlab.console.progress import ConsoleReporter, fetch_progress
from mnistlab.console.tables import table, text_width
from tests.store.folders import make_run

ROW = {
    "epoch": 1,
    "train_loss": 0.5,
    "train_accuracy": 0.8,
    "validation_loss": 0.6,
    "validation_accuracy": 0.75,
}


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def pretend(monkeypatch):
    """Return a function that makes stderr a terminal (pytest puts its own back before a test)."""

    def pretend(term="xterm-256color"):
        stream = Terminal()
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setenv("TERM", term)
        monkeypatch.setenv("COLUMNS", "120")
        return stream

    return pretend


def test_a_terminal_sees_a_bar_with_the_epochs_numbers(pretend):
    terminal = pretend()
    reporter = ConsoleReporter()
    reporter.start(2)
    reporter.epoch(ROW, 2)
    reporter.warn("look out")
    reporter.epoch({**ROW, "epoch": 2}, 2)
    reporter.stop()
    reporter.stop()
    shown = terminal.getvalue()
    assert "epoch 2/2" in shown
    assert "validation loss 0.6000, accuracy 75.00%" in shown
    assert "\x1b[33mwarning:\x1b[0m look out" in shown
    assert "\x1b[?25h" in shown  # the cursor is visible again


def test_a_terminal_sees_a_download_move(pretend):
    terminal = pretend()
    with fetch_progress(quiet=False).bar("train-images", 1000) as advance:
        advance(400)
        advance(600)
    assert "train-images" in terminal.getvalue()


def test_off_a_terminal_there_are_plain_lines(capsys):
    reporter = ConsoleReporter()
    reporter.message("fetching")
    with reporter.bar("train-images", 2_000_000) as advance:
        advance(2_000_000)
    with reporter.bar("labels", None):
        pass
    reporter.start(1000)
    for epoch in range(1, 1001):
        reporter.epoch({**ROW, "epoch": epoch}, 1000)
    reporter.stop()
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert lines[:3] == ["fetching", "train-images (2.0 MB)", "labels"]
    assert len(lines) == 3 + 21  # the first epoch and every 50th
    assert "\x1b" not in err


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_dumb_terminal_gets_no_animation(pretend, term):
    terminal = pretend(term)
    reporter = ConsoleReporter()
    reporter.start(1)
    reporter.epoch(ROW, 1)
    assert terminal.getvalue() == (
        "epoch 1/1  training loss 0.5000, accuracy 80.00%  "
        "validation loss 0.6000, accuracy 75.00%\n"
    )


def test_quiet_is_quiet(pretend):
    terminal = pretend()
    reporter = ConsoleReporter(quiet=True)
    reporter.message("fetching")
    reporter.start(1)
    reporter.epoch(ROW, 1)
    reporter.warn("look out")
    assert terminal.getvalue() == ""


HEADINGS = ("run", "learning_rate", "train.loss", "validation.accuracy")
ROWS = [("a-long-name-of-a-run", "0.01", "0.3934", "86.72%"), ("b", "0.002", "0.41", "9.00%")]


def test_a_table_has_long_headings_on_two_lines_and_numbers_flush_right():
    assert table(HEADINGS, ROWS) == [
        "                      learning_              validation.",
        "run                        rate  train.loss     accuracy",
        "a-long-name-of-a-run       0.01      0.3934       86.72%",
        "b                         0.002        0.41        9.00%",
    ]
    assert table(("run", "A"), [("x", "1")]) == ["run  A", "x    1"]
    assert table(("run", "A"), [("x", "long")], left=("A",)) == ["run  A", "  x  long"]


def test_columns_of_a_table_give_way_only_until_the_rest_fits(monkeypatch):
    monkeypatch.setenv("COLUMNS", "45")
    droppable = ("train.loss", "learning_rate")
    lines = table(HEADINGS, ROWS, droppable=droppable)
    assert max(map(text_width, lines)) <= 45
    assert lines[1].split() == ["run", "rate", "accuracy"]
    monkeypatch.setenv("COLUMNS", "40")
    assert table(HEADINGS, ROWS, droppable=droppable)[1].split() == ["run", "accuracy"]


def test_a_split_table_goes_on_below_beside_its_first_column(monkeypatch):
    monkeypatch.setenv("COLUMNS", "43")
    lines = table(HEADINGS, ROWS, split=True)
    assert max(map(text_width, lines)) <= 43
    assert [line.split() for line in lines if line.startswith("b ")] == [
        ["b", "0.002", "0.41"],
        ["b", "9.00%"],
    ]
    assert lines.count("") == 1


def test_statuses_and_errors_have_colours_where_they_are_wanted(run, tmp_path, monkeypatch):
    make_run(tmp_path / "runs" / "good")
    make_run(tmp_path / "runs" / "completed", status="diverged")
    monkeypatch.setenv("FORCE_COLOR", "1")
    out = run("runs", "list")[1]
    assert "good \x1b[32mcompleted\x1b[0m" in " ".join(out.split())
    assert run("runs", "show", "nothing")[2].startswith("mnistlab: \x1b[31merror:\x1b[0m ")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in run("runs", "list")[1]
    monkeypatch.delenv("FORCE_COLOR")
    monkeypatch.delenv("NO_COLOR")
    assert "\x1b" not in run("runs", "list")[1]  # it is no terminal


def test_what_a_terminal_would_obey_is_escaped_in_messages(capsys):
    reporter = ConsoleReporter()
    reporter.message("what was reached is kept in runs/\x1b[31m\ud800\rred")
    reporter.warn("run \x9b31m")
    assert capsys.readouterr().err == (
        "what was reached is kept in runs/\\x1b[31m\\ud800\\rred\nwarning: run \\x9b31m\n"
    )
