"""Which runs share a column and which columns a stack, and the threads that train stacks."""

import threading
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnistlab.config.load import load_config
from mnistlab.core.samples import available_cores
from mnistlab.experiment.prepare import stack_key
from mnistlab.sweeps.plan import from_plan, last_epoch, plan_stacks, to_plan
from mnistlab.sweeps.workers import RunEnded, StoppedError, Workers
from tests.sweep.helpers import settled


def config(**values):
    return load_config(None, [f"{key}={value}" for key, value in values.items()])


CONFIGS = st.lists(
    st.builds(
        config,
        learning_rate=st.sampled_from([0.1, 0.2, 0.3]),
        epochs=st.integers(1, 4),
        batch_size=st.sampled_from([50, 100]),
        schedule=st.sampled_from(["constant", "cosine"]),
        evaluate_every=st.integers(1, 2),
        seed=st.integers(0, 1),
    ),
    min_size=1,
    max_size=20,
)


@settings(max_examples=40)
@given(configs=CONFIGS, workers=st.integers(1, 4), most=st.integers(1, 8))
def test_every_run_is_trained_once_among_its_like(configs, workers, most):
    runs = dict(enumerate(configs))
    with mock.patch("mnistlab.sweeps.plan.MOST_COLUMNS", most):
        stacks = plan_stacks(runs, workers=workers, images=1000)
    assert sorted(run for stack in stacks for run in stack.runs) == list(runs)
    for stack in stacks:
        assert 1 <= len(stack.columns) <= most
        assert len({stack_key(column.config) for column in stack.columns}) == 1
        for column in stack.columns:
            lasts = [last_epoch(runs[run]) for run in column.runs]
            assert lasts == sorted(lasts)
            assert column.config == runs[column.runs[-1]]
    assert from_plan(to_plan(stacks), runs) == stacks


def columns_of(*configs):
    stacks = plan_stacks(dict(enumerate(configs)), workers=1, images=1000)
    return sorted(column.runs for stack in stacks for column in stack.columns)


def test_a_shorter_run_is_taken_on_the_way_of_a_longer_one():
    assert columns_of(config(epochs=9), config(epochs=3), config(epochs=5)) == [(1, 2, 0)]


def test_a_cosine_of_other_length_is_another_training():
    long, short = config(epochs=9, schedule="cosine"), config(epochs=3, schedule="cosine")
    assert columns_of(long, short) == [(0,), (1,)]


def test_a_step_schedule_does_not_count_epochs():
    steps = {"schedule": "step", "step_epochs": 2}
    assert columns_of(config(epochs=9, **steps), config(epochs=3, **steps)) == [(1, 0)]


def test_evaluations_now_and_then_are_each_runs_own():
    assert columns_of(config(epochs=9, evaluate_every=2), config(evaluate_every=2)) == [(0,), (1,)]


def test_what_differs_within_a_stack_and_what_splits_it():
    base = config()
    for free in ("learning_rate=0.02", "weight_decay=0.1", "epochs=3", "init=normal"):
        assert stack_key(load_config(None, [free])) == stack_key(base), free
    for shared in ("batch_size=50", "seed=1", "dtype=float64", "optimizer=adam", "model=sigmoid",
                   "loss=softmax_cross_entropy", "schedule=cosine", "reduction=sum",
                   "evaluate_every=2", "data.preprocess=[deskew]"):  # fmt: skip
        assert stack_key(load_config(None, [shared])) != stack_key(base), shared


def test_two_workers_get_equal_halves(tmp_path):
    chosen = settled(tmp_path, "learning_rate=linspace(0.001,0.01,64)")
    configs = {trial.number: trial.config for trial in chosen.trials}
    widths = [len(stack.columns) for stack in plan_stacks(configs, workers=2, images=5000)]
    assert widths == [32, 32]
    three = [len(stack.columns) for stack in plan_stacks(configs, workers=3, images=5000)]
    assert sum(three) == 64
    assert max(three) <= 24


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
