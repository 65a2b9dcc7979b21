"""A signal is held back where it would hurt, once; the second one is not."""

import os
import signal
import sys

import pytest

from mnistlab import errors
from mnistlab.__main__ import main
from mnistlab.errors import Interrupted, check_interrupted, deferred

pytestmark = pytest.mark.usefixtures("caught_signals")


def send(number=signal.SIGINT):
    os.kill(os.getpid(), number)


def test_a_signal_is_raised_at_once_where_nothing_holds_it_back():
    with pytest.raises(Interrupted) as caught:
        send(signal.SIGTERM)
    assert caught.value.exit_code == 143


def test_a_signal_is_held_back_to_the_end_of_the_outermost_block():
    done = []
    with pytest.raises(Interrupted) as caught, deferred():  # noqa: PT012 - what comes after is the point
        with deferred():
            send(signal.SIGHUP)
            done.append("inner")
        done.append("outer")
    assert done == ["inner", "outer"]
    assert caught.value.exit_code == 129


def test_a_check_hears_what_is_held_back_and_it_is_raised_only_once():
    with pytest.raises(Interrupted) as caught, deferred():  # noqa: PT012
        send()
        check_interrupted()
    assert caught.value.__context__ is None


def test_the_second_signal_leaves_at_once():
    done = []
    with pytest.raises(Interrupted) as caught, deferred():  # noqa: PT012
        send()
        done.append("held back")
        send(signal.SIGTERM)
        done.append("never")
    assert done == ["held back"]
    assert caught.value.exit_code == 143


def test_saving_after_a_signal_can_be_cut_short_by_another():
    saved = []
    with pytest.raises(Interrupted):  # noqa: PT012
        try:
            send()
        except Interrupted:
            with deferred():
                saved.append("begun")
                send()
                saved.append("never")
    assert saved == ["begun"]


class Dropping:
    """Whose end raises, which Python only tells of."""

    def __init__(self, end):
        self.end = end

    def __del__(self):
        self.end()


def test_a_signal_that_python_drops_is_heard_later_and_nothing_is_printed(monkeypatch):
    told = []
    monkeypatch.setattr(errors._State, "report_dropped", told.append)
    monkeypatch.setattr(sys, "unraisablehook", errors._report_dropped)
    Dropping(send)
    assert told == []
    with pytest.raises(Interrupted):
        check_interrupted()


def test_whatever_else_python_drops_is_told_as_ever(monkeypatch):
    told = []
    monkeypatch.setattr(sys, "unraisablehook", lambda dropped: told.append(dropped.exc_value))
    errors.catch_signals()
    errors.catch_signals()  # as one command after another in one process does
    Dropping(lambda: 1 / 0)
    assert [type(error) for error in told] == [ZeroDivisionError]


def test_a_signal_that_comes_while_the_first_is_told_changes_nothing(monkeypatch, capsys):
    def interrupted_again(_words):
        monkeypatch.setattr(sys, "stderr", Telling(sys.stderr))
        send()

    class Telling:
        """A stream that a second signal reaches as it is written to."""

        def __init__(self, stream):
            self.stream = stream

        def write(self, text):
            send(signal.SIGTERM)
            return self.stream.write(text)

        def flush(self):
            self.stream.flush()

    monkeypatch.setattr("mnistlab.cli.run", interrupted_again)
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 130
    assert capsys.readouterr().err == "mnistlab: interrupted\n"
