"""Threads that work while the main thread listens."""

import threading

import pytest

from mnistlab.sweep.crew import Crew, available_cores
from mnistlab.sweep.events import RunEnded
from mnistlab.sweep.training import StoppedError


def nothing(_event):
    pass


def test_answers_come_in_the_order_of_the_tasks():
    crew = Crew(3)
    assert crew.work_through([lambda n=n: n * n for n in range(20)], nothing) == [
        n * n for n in range(20)
    ]
    assert crew.work_through([], nothing) == []


def test_what_workers_tell_is_heard_in_the_main_thread():
    crew, heard = Crew(2), []

    def task(number):
        crew.tell(RunEnded(number, "completed", None))

    crew.work_through(
        [lambda n=n: task(n) for n in range(5)],
        lambda event: heard.append((event.number, threading.current_thread())),
    )
    assert sorted(number for number, _ in heard) == list(range(5))
    assert {thread for _, thread in heard} == {threading.main_thread()}


def test_the_first_error_stops_the_others():
    crew = Crew(2)
    begun = threading.Event()

    def fail():
        begun.wait(10)
        raise ZeroDivisionError

    def work():
        begun.set()
        while True:
            crew.before_step()

    with pytest.raises(ZeroDivisionError):
        crew.work_through([work, fail, work], nothing)


def test_a_crew_that_is_asked_to_stop_says_so():
    crew = Crew(2)
    crew.stop()
    with pytest.raises(StoppedError):
        crew.work_through([lambda: None], nothing)


def test_an_interrupt_waits_for_the_workers():
    crew, ended = Crew(2), []

    def work():
        crew.tell(RunEnded(0, "completed", None))
        try:
            while True:
                crew.before_step()
        finally:
            ended.append(True)

    def interrupt(_event):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        crew.work_through([work, work], interrupt)
    assert len(ended) >= 1


def test_there_is_a_core():
    assert available_cores() >= 1
