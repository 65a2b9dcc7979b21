"""Threads that work while the main thread listens."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from mnistlab.core.samples import available_cores
from mnistlab.sweeps.workers import RunEnded, StoppedError, Workers


def workers_of(count):
    return Workers(ThreadPoolExecutor(count))


def nothing(_event):
    pass


def test_answers_come_in_the_order_of_the_tasks():
    workers = workers_of(3)
    assert workers.run_all([lambda n=n: n * n for n in range(20)], nothing) == [
        n * n for n in range(20)
    ]
    assert workers.run_all([], nothing) == []


def test_what_workers_tell_is_heard_in_the_main_thread():
    workers, heard = workers_of(2), []

    def task(number):
        workers.report(RunEnded(number, "completed", None))

    workers.run_all(
        [lambda n=n: task(n) for n in range(5)],
        lambda event: heard.append((event.number, threading.current_thread())),
    )
    assert sorted(number for number, _ in heard) == list(range(5))
    assert {thread for _, thread in heard} == {threading.main_thread()}


def test_the_first_error_stops_the_others():
    workers = workers_of(2)
    begun = threading.Event()

    def fail():
        begun.wait(10)
        raise ZeroDivisionError

    def work():
        begun.set()
        while True:
            workers.check()

    with pytest.raises(ZeroDivisionError):
        workers.run_all([work, fail, work], nothing)


def test_workers_that_is_asked_to_stop_says_so():
    workers = workers_of(2)
    workers.stop()
    with pytest.raises(StoppedError):
        workers.run_all([lambda: None], nothing)


def test_an_interrupt_waits_for_the_workers():
    workers, ended = workers_of(2), []

    def work():
        workers.report(RunEnded(0, "completed", None))
        try:
            while True:
                workers.check()
        finally:
            ended.append(True)

    def interrupt(_event):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        workers.run_all([work, work], interrupt)
    assert len(ended) >= 1


def test_there_is_a_core():
    assert available_cores() >= 1
