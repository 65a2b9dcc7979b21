"""The main path of a sweep: from a prepared one to a folder of runs, the best one named."""

import hashlib
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import threadpoolctl
from filelock import BaseFileLock

import mnistlab
from mnistlab import interrupts
from mnistlab.errors import RunFolderError, tell
from mnistlab.experiment.recorder import now, run_key
from mnistlab.interrupts import deferred
from mnistlab.plots.painter import Painter
from mnistlab.runs import create_run_folder
from mnistlab.runs.creation import cannot_keep
from mnistlab.runs.environment import describe_environment, uncommitted_changes
from mnistlab.runs.files import sync_folder, write_json, write_text
from mnistlab.runs.folder import SweepFolder
from mnistlab.runs.integrity import FINAL, is_intact
from mnistlab.sweep.conclusion import Conclusion, conclude
from mnistlab.sweep.contest import losers_at
from mnistlab.sweep.crew import Crew
from mnistlab.sweep.events import Event, RunEnded, StackEnded, SweepReporter
from mnistlab.sweep.halving import budgets
from mnistlab.sweep.preparation import Prepared
from mnistlab.sweep.results import describe_parameters, read_rows
from mnistlab.sweep.reuse import copy_finished
from mnistlab.sweep.stacks import Stack, from_plan, last_epoch, to_plan
from mnistlab.sweep.telling import sentences
from mnistlab.sweep.training import (
    Rung,
    StoppedError,
    StorageError,
    Work,
    end_runs,
    train_stack,
)


@dataclass(frozen=True)
class Wishes:
    """How a sweep is to be run, which changes none of its results.

    `needed` takes runs that are finished elsewhere in the runs folder from there, `fail_fast`
    ends the sweep with the first run that fails, `retry_failed` trains those again that have.
    `resume_options` are part of the command that is told to go on with.
    """

    needed: bool = False
    fail_fast: bool = False
    retry_failed: bool = False
    resume_options: str = ""


def run_sweep(
    prepared: Prepared,
    *,
    runs_dir: Path,
    reporter: SweepReporter,
    start_painter: Callable[[], Painter] | None = None,
    resumed: SweepFolder | None = None,
    wishes: Wishes = Wishes(),
) -> Conclusion:
    """Train all runs of a sweep that are not done yet, and name the best trial.

    With `resumed` the sweep in that folder goes on. However this ends, what was reached is
    kept and can be resumed. Raises what cut it short.
    """
    started = time.perf_counter()
    folder: SweepFolder | None = None
    with ExitStack() as cleanup:
        cleanup.callback(reporter.stop)
        cleanup.enter_context(threadpoolctl.threadpool_limits(1, "blas"))
        try:
            with deferred():
                folder, lock = _open(prepared, runs_dir, resumed)
                cleanup.callback(lock.release)
            environment = describe_environment()
            if resumed is None:
                _begin(folder, prepared, environment, runs_dir, wishes)
            done = finished_runs(folder, prepared, retry_failed=wishes.retry_failed)
            stacks = _planned(folder, prepared, done)
            if warning := prepared.warning():
                reporter.warn(warning)
                folder.write_log(f"warning: {warning}")
            course = _Course(prepared, folder, reporter, wishes)
            reporter.start(*_outlook(prepared, folder, done))
            try:
                course.train(stacks, set(done), environment)
            except StorageError as error:
                raise error.cause from None
            reporter.stop()
            # its imports would take a core from the training, which has use for all of them
            painter = cleanup.enter_context(start_painter()) if start_painter else None
            conclusion = conclude(prepared, folder, course.seconds, started)
            if painter is not None:
                conclusion = replace(conclusion, not_drawn=_paint(painter, conclusion))
            folder.write_log(*sentences(conclusion.document))
            folder.write_log(f"{conclusion.status} after {time.perf_counter() - started:.2f} s")
            folder.sync_runs()
            folder.write_status(
                conclusion.status,
                checksums=folder.compute_checksums(),
                ended=now(),
                error=conclusion.error,
            )
            folder.lock_file.unlink(missing_ok=True)
        except BaseException as error:
            reporter.stop()
            if folder is not None:
                with deferred():
                    _give_up(folder, error, wishes.resume_options, created=resumed is None)
            raise
    return conclusion


def _open(
    prepared: Prepared, runs_dir: Path, resumed: SweepFolder | None
) -> tuple[SweepFolder, BaseFileLock]:
    """Return the sweep's folder, new or found, and its lock, which this process now holds."""
    if resumed is None:
        folder = SweepFolder(create_run_folder(runs_dir, prepared.sweep.name).path)
        try:
            lock = folder.lock()
            folder.write_status("running", started=now())
        except OSError as error:
            folder.remove()
            raise cannot_keep(runs_dir, error) from None
        return folder, lock
    lock = resumed.lock()
    known = resumed.read_environment()
    ours = {"mnistlab": mnistlab.__version__, "data_sha256": prepared.data.sha256}
    for what, value in ours.items():
        if known.get(what) != value:
            lock.release()
            raise RunFolderError(
                f"{resumed.name}: was begun with {what} {known.get(what)}, now it is {value}; "
                "begin a new sweep, which may take finished runs over with --needed"
            )
    try:
        _planned(resumed, prepared, set())
    except RunFolderError:
        lock.release()
        raise
    resumed.write_status("running", resumed=now(), error=None)
    return resumed, lock


def _begin(
    folder: SweepFolder,
    prepared: Prepared,
    environment: Mapping[str, Any],
    runs_dir: Path,
    wishes: Wishes,
) -> None:
    """Write what a new sweep is and how it will be trained, and take over what is there."""
    sha256 = prepared.data.sha256
    found: set[int] = set()
    if wishes.needed:
        keys = {run_key(config, sha256): run for run, config in prepared.configs.items()}
        found = copy_finished(folder, runs_dir, keys)
    stacks = prepared.stacks([run for run in prepared.configs if run not in found])
    width = max((len(stack.columns) for stack in stacks), default=0)
    facts = {"data_sha256": sha256, **environment, "stack_width": width}
    write_json(folder.environment, {**facts, "workers": prepared.workers})
    if patch := uncommitted_changes(environment):
        write_text(folder.uncommitted_patch, patch)
    write_text(folder.config, prepared.sweep.to_yaml())
    # from here on the sweep is one that can be resumed
    plan = {"stacks": to_plan(stacks), "taken_over": sorted(found)}
    write_json(folder.plan, {**plan, "config_sha256": _config_hash(folder)})
    sync_folder(folder.path)


def _config_hash(folder: SweepFolder) -> str:
    return hashlib.sha256(folder.config.read_bytes()).hexdigest()


def _planned(folder: SweepFolder, prepared: Prepared, done: set[int]) -> list[Stack]:
    """Return the stacks of plan.json, and one of runs that were taken over and are not `done`.

    Raises RunFolderError where the plan is not that of this sweep.
    """
    plan = folder.read_plan()
    if plan.get("config_sha256") != _config_hash(folder):
        raise RunFolderError(
            f"{folder.config}: was changed since the sweep began; begin a new one with --config, "
            "which takes finished runs over with --needed"
        )
    try:
        taken_over = [int(run) for run in plan["taken_over"]]
        stacks = from_plan(plan["stacks"], prepared.configs)
        runs = [run for stack in stacks for run in stack.runs] + taken_over
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        runs, stacks, taken_over = [], [], []
    if sorted(runs) != sorted(prepared.configs):
        raise RunFolderError(f"{folder.plan}: is not the plan of this sweep")
    lost = prepared.stacks([run for run in taken_over if run not in done])
    return stacks + [replace(stack, name=f"taken-over-{stack.name}") for stack in lost]


def is_complete(folder: SweepFolder, prepared: Prepared, *, retry_failed: bool = False) -> bool:
    """Return whether a sweep has come to its end with all of its runs, and all files are whole."""
    if folder.read_status()["status"] != "completed":
        return False
    if not folder.checksums() or folder.damaged_files():
        return False
    done = finished_runs(folder, prepared, retry_failed=retry_failed)
    return done == set(prepared.configs)


def finished_runs(
    folder: SweepFolder, prepared: Prepared, *, retry_failed: bool = False
) -> set[int]:
    """Return the numbers of the runs whose folder is whole and made with the same config."""
    ends = FINAL if retry_failed else FINAL | {"failed"}
    sha256 = prepared.data.sha256
    done = set()
    for number in folder.runs():
        run = folder.run(number)
        if number not in prepared.configs or not is_intact(run, ends):
            continue
        config = prepared.configs[number]
        stopped = config.model_copy(update={"stop_after": len(run.read_metrics()["epoch"])})
        keys = (run_key(config, sha256), run_key(stopped, sha256))
        if run.read_environment().get("key") in keys:
            done.add(number)
    return done


def _outlook(
    prepared: Prepared, folder: SweepFolder, done: set[int]
) -> tuple[list[str], dict[int, dict[str, Any]], dict[int, int]]:
    """Return each run's label, what is known of those that are done, the others' epochs."""
    sweep = prepared.sweep
    labels = []
    for trial in sweep.trials:
        for repeat in range(sweep.seeds):
            seed = {"seed": trial.config.seed + repeat} if sweep.seeds > 1 else {}
            labels.append(describe_parameters({**trial.parameters, **seed}))
    rows = enumerate(read_rows(folder, sweep))
    known = {run: {**row, "epoch": row["epochs_run"]} for run, row in rows if run in done}
    epochs = {run: last_epoch(one) for run, one in prepared.configs.items() if run not in done}
    return labels, known, epochs


@dataclass
class _Course:
    """A sweep's training, rung by rung, and the seconds of its workers."""

    prepared: Prepared
    folder: SweepFolder
    reporter: SweepReporter
    wishes: Wishes

    def __post_init__(self) -> None:
        self.crew = Crew(self.prepared.workers)
        self.seconds = dict.fromkeys(("train", "evaluate", "write"), 0.0)

    def train(self, stacks: list[Stack], done: set[int], environment: Mapping[str, Any]) -> None:
        """Train all stacks; with halving, decide after each budget who goes on."""
        work = Work(
            self.folder, self.prepared.configs, self.prepared.data_of, environment, done,
            self.crew.tell, self.crew.before_step,
        )  # fmt: skip
        sweep = self.prepared.sweep
        rungs = budgets(sweep.halving, last_epoch(sweep.base)) if sweep.halving else []
        rung = Rung(until=rungs[0] if rungs else None)
        with suppress(StoppedError):  # a run failed, and that was to end it
            for following in [*rungs[1:], None] if rungs else []:
                stacks = self._climb(stacks, work, rung)
                losers = losers_at(rung.until or 0, stacks, self.folder, sweep, work.done)
                for stack in stacks:
                    end_runs(stack, work, losers, rung.until or 0)
                rung = Rung(following, rung.until or 0, losers)
            self._climb(stacks, work, rung)
            with suppress(OSError):
                self.folder.checkpoints.rmdir()

    def _climb(self, stacks: list[Stack], work: Work, rung: Rung) -> list[Stack]:
        tasks = [partial(train_stack, stack, work, rung) for stack in stacks]
        trained = self.crew.work_through(tasks, self._listen)
        return [stack for part in trained for stack in part]

    def _listen(self, event: Event) -> None:
        self.reporter.tell(event)
        if isinstance(event, StackEnded):
            for kind, seconds in event.seconds.items():
                self.seconds[kind] += seconds / self.crew.workers
        elif isinstance(event, RunEnded):
            if event.error:
                self.folder.write_log(f"run {event.number} {event.status}: {event.error}")
            if event.status == "failed" and self.wishes.fail_fast:
                self.crew.stop()


def _paint(painter: Painter, conclusion: Conclusion) -> str | None:
    """Draw the sweep's plots and the winner's; return why not, as a sweep is whole without them."""
    try:
        painter.draw(conclusion.folder.path)
        if conclusion.best is not None:
            painter.draw(conclusion.folder.run(conclusion.best.runs[0]).path)
    except RuntimeError as error:
        conclusion.folder.write_log(f"warning: the plots could not be drawn: {error}")
        return str(error)
    return None


def _give_up(
    folder: SweepFolder, error: BaseException, resume_options: str, *, created: bool
) -> None:
    """Mark the sweep as interrupted or failed, and note on the error how to go on."""
    interrupted = isinstance(error, KeyboardInterrupt)
    told = tell(error)
    if created and not folder.plan.exists():  # nothing has begun yet
        folder.remove()
        return
    with suppress(OSError):  # what went wrong first is what is reported
        folder.write_status("interrupted" if interrupted else "failed", ended=now(), error=told)
        folder.write_log(told)
    done = len(folder.runs())
    resume = f"mnistlab sweep --resume {folder.name}{resume_options}"
    runs = "run is" if done == 1 else "runs are"
    interrupts.advise(error, f"{done} {runs} done; to go on: {resume}")
