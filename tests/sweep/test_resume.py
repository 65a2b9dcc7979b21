"""A sweep that is cut short anywhere goes on to the same bits."""

import errno
import functools
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from mnistlab.config.load import load_config
from mnistlab.errors import RunFolderError
from mnistlab.experiment import recorder
from mnistlab.experiment.recorder import RunRecorder
from mnistlab.run_folders import files
from mnistlab.run_folders.folder import SweepFolder
from mnistlab.sweeps import stack_training as training
from mnistlab.sweeps.workers import EpochEnded, RunEnded, Workers
from tests.sweep.helpers import SweepRecorder, content, resume, sweep, the_only, write_base

WORDS = ("learning_rate=0.005,100.0", "epochs=1,4", "batch_size=100,250")
HALVING = ("learning_rate=0.002,0.003,0.005,0.01,0.02,100.0", "halving.factor=2")
KINDS = {
    "grid": (WORDS, {}, "optimizer: momentum\nmomentum: 0.5\n"),
    "halving": (HALVING, {"method": "halving"}, "epochs: 6\nschedule: cosine\n"),
    "seeds": (("learning_rate=0.005,0.01",), {"seeds": 2}, "optimizer: adam\nepochs: 3\n"),
    "tpe": (
        ("learning_rate=log_uniform(0.003,0.03)", "halving.factor=2"),
        {"method": "tpe", "max_trials": 10, "batch": 5},
        "epochs: 6\n",
    ),
}


@pytest.fixture(scope="module")
def whole_of(tmp_path_factory):
    """Return a function that says what a kind of sweep comes to, which is found out once each."""

    @functools.cache
    def whole_of(name):
        words, options, text = KINDS[name]
        whole = sweep(tmp_path_factory.mktemp("whole"), *words, text=text, **options)
        return content(whole.folder)

    return whole_of


@pytest.fixture(params=KINDS)
def kind(request, whole_of):
    """Return the arguments of a sweep and what it comes to when nothing disturbs it."""
    if request.param == "tpe":
        pytest.importorskip("optuna")
    words, options, text = KINDS[request.param]
    return words, {**options, "text": text}, whole_of(request.param)


def waiting_after(event, at):
    """Return `Workers.report` that waits for the interrupt after so many events of a kind.

    Else a worker may have trained all by the time that the main thread hears of them.
    """
    report, told, lock = Workers.report, [], threading.Lock()

    def report_and_wait(workers, one):
        with lock:
            told.append(isinstance(one, event))
            is_over = sum(told) >= at
        report(workers, one)
        if is_over and threading.current_thread() is not threading.main_thread():
            workers._stopped.wait(60)

    return report_and_wait


def interrupted(tmp_path, kind, event, at):
    words, options, _ = kind
    told = SweepRecorder(kind=event, raise_at=at)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Workers, "report", waiting_after(event, at))
        with pytest.raises(KeyboardInterrupt) as caught:
            sweep(tmp_path, *words, reporter=told, **options)
    assert "mnistlab sweep --resume" in caught.value.__notes__[0]
    return the_only(tmp_path / "runs")


MOMENTS = [
    (EpochEnded, 1, False),
    (EpochEnded, 4, False),
    (EpochEnded, 4, True),
    (RunEnded, 1, True),
    (RunEnded, 3, False),
]


@pytest.mark.parametrize(
    ("kind", "event", "at", "often"),
    [  # three moments for each kind of sweep, and each moment for two kinds at least
        (kind, *MOMENTS[(3 * number + step) % len(MOMENTS)])
        for number, kind in enumerate(KINDS)
        for step in range(3)
    ],
    indirect=["kind"],
)
def test_an_interrupted_sweep_goes_on_to_the_same_bits(
    tmp_path, kind, event, at, often, monkeypatch
):
    if often:  # there is a checkpoint of every epoch
        monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0.0)
        monkeypatch.setattr(recorder, "CHECKPOINT_SHARE", math.inf)
    cut = interrupted(tmp_path, kind, event, at)
    assert cut.read_status()["status"] == "interrupted"
    before = content(cut)
    stamps = {run: cut.run(int(run)).model.stat().st_mtime_ns for run in before
              if cut.run(int(run)).model.exists()}  # fmt: skip
    finished = resume(cut)
    assert finished.status == "completed"
    assert content(cut) == kind[2]
    assert all(cut.run(int(run)).model.stat().st_mtime_ns == at for run, at in stamps.items()
               if int(run) not in finished.best.runs)  # fmt: skip
    assert not cut.checkpoints.exists()


def test_without_the_generators_state_the_bits_differ(tmp_path, kind, monkeypatch):
    """Else the tests above would prove nothing of the order of the data."""
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(recorder, "CHECKPOINT_SHARE", math.inf)
    cut = interrupted(tmp_path, kind, EpochEnded, 4)
    load = training.load_checkpoint

    def forgetful(path, check):
        snapshot, notes = load(path, check)
        bits = snapshot.generator["state"]
        return training.replace(
            snapshot, generator={**snapshot.generator, "state": {**bits, "state": 1}}
        ), notes

    assert list(cut.checkpoints.iterdir())
    monkeypatch.setattr(training, "load_checkpoint", forgetful)
    resume(cut)
    assert content(cut) != kind[2]


def test_a_damaged_checkpoint_costs_time_and_nothing_else(tmp_path, kind, monkeypatch):
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(recorder, "CHECKPOINT_SHARE", math.inf)
    cut = interrupted(tmp_path, kind, EpochEnded, 4)
    for path in cut.checkpoints.iterdir():
        damaged = bytearray(path.read_bytes())
        damaged[len(damaged) // 2] ^= 1
        path.write_bytes(damaged)
    resume(cut)
    assert content(cut) == kind[2]
    assert "SHA-256" in cut.log.read_text()


@pytest.mark.parametrize(
    ("kind", "at"),
    [
        *(("grid", 3), ("grid", 24), ("halving", 12), ("halving", 24)),
        *(("seeds", 12), ("tpe", 3), ("tpe", 24)),
    ],
    indirect=["kind"],
)
def test_a_full_disk_is_told_and_the_sweep_goes_on_when_there_is_room(
    tmp_path, kind, at, monkeypatch
):
    words, options, expected = kind
    write = files.write_bytes
    count = 0

    def full(path, content):
        nonlocal count
        count += 1
        if count >= at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        write(path, content)

    monkeypatch.setattr(files, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        sweep(tmp_path, *words, **options)
    monkeypatch.setattr(files, "write_bytes", write)
    cut = [path for path in (tmp_path / "runs").iterdir() if not path.is_symlink()]
    if not cut:  # nothing was begun, so nothing is left
        assert at == 3
        return
    assert resume(SweepFolder(cut[0])).status == "completed"
    assert content(SweepFolder(cut[0])) == expected


def test_a_completed_sweep_has_nothing_left_to_do(tmp_path):
    done = sweep(tmp_path, "learning_rate=0.005,0.01", text="epochs: 1\n")
    told = SweepRecorder()
    again = resume(done.folder, reporter=told)
    assert not told.events
    assert again.document["best"]["trial"] == done.document["best"]["trial"]


def test_a_missing_plan_is_named(tmp_path):
    done = sweep(tmp_path, "learning_rate=0.005,0.01", text="epochs: 1\n").folder
    done.plan.write_text("{")
    with pytest.raises(RunFolderError, match=r"plan\.json"):
        resume(done)


def start(tmp_path: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "mnistlab", "sweep", *words, "--no-plots"]
    environment = {**os.environ, "MNISTLAB_RUNS_DIR": str(tmp_path / "runs")}
    return subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


LONG = ("learning_rate=linspace(0.001,0.02,12)", "epochs=20000")


def test_a_signal_saves_and_ends_with_its_code(tmp_path):
    """One of the three that tests/cli/test_cli.py sends to a run; make stress sends all of them."""
    signum, code = signal.SIGTERM, 143
    process = start(tmp_path, "--config", str(write_base(tmp_path)), *LONG)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("runs/2*/plan.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.7)
    process.send_signal(signum)
    _, told = process.communicate(timeout=60)
    assert process.returncode == code
    cut = the_only(tmp_path / "runs")
    assert f"mnistlab sweep --resume {cut.name}" in told
    assert cut.read_status()["status"] == "interrupted"
    assert json.loads(cut.plan.read_text())["stacks"]
    assert list(cut.checkpoints.glob("*.safetensors"))


class DiedError(BaseException):
    """Stands for the end of a process in the midst of a run's folder."""


@pytest.mark.parametrize(
    ("kind", "at"),
    [("grid", 1), ("grid", 4), ("halving", 4), ("seeds", 1), ("tpe", 4)],
    indirect=["kind"],
)
def test_a_death_within_any_runs_folder_changes_nothing(tmp_path, kind, at, monkeypatch):
    words, options, expected = kind
    close, lock, count = RunRecorder.close, threading.Lock(), []

    def die(run):
        with lock:
            count.append(run)
            if len(count) >= at:
                raise DiedError
        close(run)

    monkeypatch.setattr(RunRecorder, "close", die)
    with suppress(DiedError):
        sweep(tmp_path, *words, **options)
    monkeypatch.setattr(RunRecorder, "close", close)
    cut = the_only(tmp_path / "runs")
    assert resume(cut).status == "completed"
    assert content(cut) == expected


def test_halving_lets_what_failed_take_part_again(tmp_path, monkeypatch):
    """It competes with those that took its place; an empty folder of its must not count."""
    words, options, text = KINDS["halving"]
    whole = sweep(tmp_path, *words, text=text, runs="whole", **options)
    best = load_config(whole.folder.run(whole.best.runs[0]).config).learning_rate
    add_epoch = RunRecorder.add_epoch

    def failing(run, record, position):
        if run.config.learning_rate == best:
            raise ArithmeticError
        return add_epoch(run, record, position)

    monkeypatch.setattr(RunRecorder, "add_epoch", failing)
    failed = sweep(tmp_path, *words, text=text, **options)
    assert failed.status == "failed"
    monkeypatch.setattr(RunRecorder, "add_epoch", add_epoch)
    mended = resume(failed.folder, retry_failed=True)
    assert mended.status == "completed"
    assert mended.best.epochs == 6
    assert mended.results[whole.best.trial.number].epochs > 1


DAMAGE = {
    "no weights": lambda run: run.model.unlink(),
    "half the weights": lambda run: run.model.write_bytes(run.model.read_bytes()[:1000]),
    "no metrics": lambda run: run.metrics.unlink(),
    "no numbers": lambda run: run.metrics.write_bytes(b"\xff\x00nothing"),
    "no summary": lambda run: run.summary.unlink(),
    "a list": lambda run: run.summary.write_text('{"validation": [], "epochs": 4}'),
    "no status": lambda run: run.status.write_text("{}"),
    "no environment": lambda run: run.environment.unlink(),
    "no config": lambda run: run.config.unlink(),
    "a file": lambda run: (shutil.rmtree(run.path), run.path.write_text("")),
    "a broken link": lambda run: (shutil.rmtree(run.path), run.path.symlink_to("nowhere")),
}


THREE = "learning_rate=0.005,0.01,0.02"


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """Return a sweep of three runs and what it came to."""
    done = sweep(tmp_path_factory.mktemp("three"), THREE, text="epochs: 2\n").folder
    return done, content(done)


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_run_is_not_taken_over_and_trained_again(tmp_path, three, name):
    done, expected = three
    folder = SweepFolder(tmp_path / "runs" / done.path.name)
    shutil.copytree(done.path, folder.path)
    DAMAGE[name](folder.run(1))
    told = SweepRecorder()
    again = sweep(tmp_path, THREE, text="epochs: 2\n", needed=True, reporter=told)
    assert again.status == "completed"
    assert set(told.started[1]) == {0, 2}
    mine = content(again.folder)
    assert [mine[run] for run in "02"] == [expected[run] for run in "02"]
    assert resume(folder).status == "completed"
    assert content(folder) == expected


@pytest.mark.parametrize(
    "plan", ["{}", '{"stacks": null}', '{"stacks": [[["x"]]]}', '{"stacks": [[[0], [0], [1]]]}']
)
def test_a_plan_of_another_sweep_is_refused(tmp_path, plan):
    done = sweep(tmp_path, "learning_rate=0.005,0.01", text="epochs: 1\n").folder
    done.run(0).model.unlink()
    known = json.loads(done.plan.read_text())
    done.plan.write_text(json.dumps({**known, "stacks": None} | json.loads(plan)))
    with pytest.raises(RunFolderError, match=r"plan\.json: is not the plan"):
        resume(done)
    assert done.run(1).model.exists()


def test_an_edited_config_is_refused(tmp_path):
    done = sweep(tmp_path, "learning_rate=0.005,0.01", text="epochs: 1\n").folder
    done.config.write_text(done.config.read_text().replace("0.005", "0.006"))
    with pytest.raises(RunFolderError, match=r"was changed since the sweep began"):
        resume(done)


def test_a_resumed_sweep_is_never_removed(tmp_path, monkeypatch):
    done = sweep(tmp_path, "learning_rate=0.005,0.01", text="epochs: 1\n").folder
    done.run(0).model.unlink()

    def vanish(*_):
        done.plan.unlink()
        raise KeyboardInterrupt

    monkeypatch.setattr("mnistlab.sweeps.storage.planned_stacks", vanish)
    with pytest.raises(KeyboardInterrupt):
        resume(done)
    assert done.run(1).model.exists()


@pytest.mark.parametrize("error", [FileNotFoundError(2, "no table"), SystemExit(3)])
def test_whatever_a_trial_raises_it_stops_no_other(tmp_path, error, monkeypatch):
    add_epoch = RunRecorder.add_epoch

    def failing(run, record, position):
        if run.config.learning_rate == 0.01:
            raise error
        return add_epoch(run, record, position)

    monkeypatch.setattr(RunRecorder, "add_epoch", failing)
    conclusion = sweep(tmp_path, "learning_rate=0.005,0.01,0.02", text="epochs: 1\n")
    assert [one.status for one in conclusion.results] == ["completed", "failed", "completed"]


@pytest.mark.parametrize("name", ["plan", "config"])
def test_a_refused_resume_leaves_a_sweep_as_it_was(tmp_path, name):
    done = sweep(tmp_path, "learning_rate=0.005,0.01", text="epochs: 1\n").folder
    path = getattr(done, name)
    path.write_text(path.read_text().replace("0.005", "0.006").replace('"stacks"', '"piles"'))
    before = done.status.read_bytes()
    with pytest.raises(RunFolderError) as caught:
        resume(done)
    assert done.status.read_bytes() == before
    assert not getattr(caught.value, "__notes__", [])


def test_a_run_that_was_taken_over_and_damaged_is_trained(tmp_path):
    sweep(tmp_path, "learning_rate=0.005,0.01", text="epochs: 1\n")
    larger = sweep(tmp_path, "learning_rate=0.005,0.01,0.02", text="epochs: 1\n", needed=True)
    larger.folder.run(0).model.unlink()
    told = SweepRecorder()
    assert resume(larger.folder, reporter=told).status == "completed"
    assert [one.number for one in told.events if isinstance(one, RunEnded)] == [0]
    assert larger.folder.run(0).model.exists()
