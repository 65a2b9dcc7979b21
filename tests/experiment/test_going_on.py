"""A run that goes on leaves behind what it had come to at one moment, or not at all.

Every state in which the disk is between two calls is what a process killed there leaves.
"""

import functools
import shutil
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mnistlab.config.load import load_config
from mnistlab.errors import RunFolderError
from mnistlab.experiment import prepare, train_run
from mnistlab.experiment.resume import plan_resumption
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.provenance import is_intact
from mnistlab.store.facts import read_facts
from tests.experiment.test_experiment import Recorder
from tests.experiment.test_resume import Interrupter, content
from tests.faults.command import invoke, write_config
from tests.faults.harness import Faults, watching
from tests.faults.promises import tree

ORIGIN = {"mnistlab": "0", "blas": [], "git": None}
DECISIVE = ("status", "config", "environment", "checkpoint")
RESULTS = ("summary", "model", "predictions", "divergence", "checkpoint")


@dataclass(frozen=True)
class Case:
    """A run that has ended or was cut short, and with how many epochs it is to go on."""

    words: tuple[str, ...]
    epochs: int
    after: int | None = None
    keeps: int = 0

    def make(self, place):
        """Make the run and return its folder."""
        reporter = Recorder() if self.after is None else Interrupter(self.after)
        plan = prepare([load_config(write_config(place), self.words)])
        try:
            train_run(plan, runs_dir=place / "runs", reporter=reporter)
        except KeyboardInterrupt:
            assert self.after is not None
        (path,) = (path for path in (place / "runs").iterdir() if not path.is_symlink())
        folder = RunFolder(path)
        folder.plots.mkdir()
        folder.plot("weights").write_bytes(b"old")
        return folder


CASES = {
    "completed": Case(("epochs=2",), 5),
    "completed, then diverging": Case(("epochs=1", "learning_rate=40"), 60),
    "cut short": Case(("epochs=4", "checkpoint_every=1"), 5, after=2, keeps=2),
    "cut short, another schedule": Case(
        ("epochs=4", "checkpoint_every=1", "schedule=cosine"), 5, after=2
    ),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a function that makes the run of a case and what it must come to, once each."""

    @functools.cache
    def made(name):
        case = CASES[name]
        place = tmp_path_factory.mktemp("case")
        folder = case.make(place)
        kept = shutil.copytree(folder.path, place / "kept")
        words = [word for word in case.words if not word.startswith("epochs=")]
        plan = prepare([load_config(place / "tiny.yaml", [*words, f"epochs={case.epochs}"])])
        whole = train_run(plan, runs_dir=place / "whole", reporter=Recorder())
        return case, folder, kept, outcome_of(whole.folder)

    return made


@pytest.fixture(params=CASES)
def case(request, made):
    """Return a case, its run as it is to begin with, and what it must come to."""
    return made(request.param)


@pytest.fixture
def folder(case):
    """Return the run as it was before it goes on."""
    _, folder, kept, _ = case
    return restore(folder, kept)


def restore(folder, kept):
    shutil.rmtree(folder.path)
    shutil.copytree(kept, folder.path)
    return folder


def outcome_of(folder):
    status = folder.read_status()["status"]
    if status == "completed":
        return content(folder)
    metrics = folder.read_metrics()
    del metrics["seconds"]
    return status, repr(metrics), folder.read_divergence(), folder.model.exists()


def resumption_of(folder, epochs):
    known = load_config(folder.config)
    config = load_config(folder.config, [f"epochs={epochs}"])
    return plan_resumption(folder, known, config, prepare([config]))


def go_on(folder, epochs):
    """Make the run go on as far as its folder is concerned."""
    resumption = resumption_of(folder, epochs)
    sha256 = folder.read_environment()["data_sha256"]
    with ExitStack() as cleanup:
        environment = {**ORIGIN, "mnistlab": folder.read_environment()["mnistlab"]}
        resumption.open(cleanup, environment, sha256)


@dataclass
class Camera:
    """A watcher that keeps every state in which a killed process could leave a folder."""

    folder: Path
    states: list = field(default_factory=list)
    is_looking: bool = False

    def before(self, call):
        # what only looks leaves no state of its own, and neither does this when it looks
        if call.kind in ("read", "fsync") or self.is_looking:
            return
        self.is_looking = True
        state = tree(self.folder)
        if not self.states or self.states[-1] != state:
            self.states.append(state)
        self.is_looking = False

    def after(self, call):
        """Look no more: what a call has left is there before the next one, too."""


def untrue(folder, case):
    """Return what a run says that is not of its present state."""
    status, epochs = folder.read_status()["status"], load_config(folder.config).epochs
    if status in ("completed", "diverged"):
        return [] if is_intact(folder) and epochs != case.epochs else ["is not whole"]
    if epochs != case.epochs:
        return []
    files = [getattr(folder, name) for name in RESULTS[: 4 if case.keeps else 5]]
    found = [f"{path.name} is still there" for path in files if path.exists()]
    if list(folder.plots.glob("*.png")):
        found.append("a picture is still there")
    if read_facts(folder).get("trained_epochs", case.keeps) != case.keeps:
        found.append(f"claims {read_facts(folder)['trained_epochs']} epochs")
    return found


def test_whenever_it_is_killed_the_run_is_of_one_piece_and_goes_on(case, folder):
    case, _, _, expected = case
    camera = Camera(folder.path)
    with watching(folder.path, camera):
        go_on(folder, case.epochs)
    states = [*camera.states, tree(folder.path)]
    assert len(states) > 20
    beginnings = []
    for state in states:
        write(folder, state)
        assert untrue(folder, case) == []
        # what the next attempt depends on
        beginning = [state.get(getattr(folder, name).name) for name in DECISIVE]
        if beginning not in beginnings:
            beginnings.append(beginning)
            plan = prepare([load_config(folder.config, [f"epochs={case.epochs}"])])
            resumption = resumption_of(folder, case.epochs)
            train_run(plan, runs_dir=folder.path, reporter=Recorder(), resumption=resumption)
            assert outcome_of(folder) == expected
    assert len(beginnings) > 3


def write(folder, state):
    """Let a folder be what `tree` returned."""
    shutil.rmtree(folder.path)
    folder.path.mkdir()
    for name, what in sorted(state.items()):
        path = folder.path / name
        if what == b"folder":
            path.mkdir()
        else:
            path.write_bytes(what)


def visible(folder):
    return {name: what for name, what in tree(folder).items() if name != "run.lock"}


@pytest.mark.parametrize("kind", ["open", "write", "fsync", "replace", "unlink"])
def test_a_disk_that_fails_leaves_the_run_as_it_was(case, folder, kind):
    case, _, kept, _ = case
    before, at, hits = visible(folder.path), 0, 1
    while hits:
        at += 1
        restore(folder, kept)
        faults = Faults(kind, at)
        try:
            with watching(folder.path, faults):
                go_on(folder, case.epochs)
        except OSError:
            after = visible(folder.path)
            left = {name for name in after if name.rpartition("/")[2].startswith(".")}
            assert {name: what for name, what in after.items() if name not in left} == before
            assert kind == "unlink" or not left
            with folder.locked():  # nobody has it any more
                pass
        hits = len(faults.hits)
    assert at > 3


@pytest.mark.parametrize(
    ("case", "kind"),
    [
        *(("completed", "open"), ("completed", "write"), ("completed, then diverging", "fsync")),
        *(("completed, then diverging", "unlink"), ("cut short", "open"), ("cut short", "fsync")),
        ("cut short, another schedule", "write"),
        ("cut short, another schedule", "unlink"),
    ],
    indirect=["case"],
)
def test_a_disk_that_fails_for_good_leaves_the_run_as_it_was(case, folder, kind):
    """Each run with two kinds of calls; each call by make stress."""
    case, _, kept, _ = case
    before, at, hits = visible(folder.path), 0, 1
    while hits:
        at += 1
        restore(folder, kept)
        faults = Faults(kind, at, for_good=True)
        try:
            with watching(folder.path, faults):
                go_on(folder, case.epochs)
        except OSError:
            after = visible(folder.path)
            shown = {name: what for name, what in after.items() if "/." not in f"/{name}"}
            assert shown == before
        hits = len(faults.hits)


def test_a_run_that_goes_on_shows_nothing_of_what_it_was(case, folder):
    """The same by commands, as a person would see it."""
    case, _, _, _ = case
    runs = folder.path.parent
    go_on(folder, case.epochs)
    told = invoke("runs", "show", folder.name, "--runs-dir", runs).out
    assert "interrupted" in told
    refused = invoke("runs", "predict", folder.name, "0", "--runs-dir", runs)
    assert refused.code == 2
    assert "has no weights" in refused.err


@pytest.mark.parametrize("begun_from", ["completed", "cut short"])
def test_a_run_that_another_process_went_on_with_meanwhile_is_left_alone(tmp_path, begun_from):
    case = CASES[begun_from]
    folder = case.make(tmp_path)
    known = load_config(folder.config)
    longer = known.model_copy(update={"epochs": case.epochs})
    plan = prepare([longer])
    first, second = (plan_resumption(folder, known, longer, plan) for _ in range(2))
    train_run(plan, runs_dir=tmp_path / "runs", reporter=Recorder(), resumption=first)
    before = tree(folder.path)
    with pytest.raises(RunFolderError, match="another process has worked on it meanwhile"):
        train_run(plan, runs_dir=tmp_path / "runs", reporter=Recorder(), resumption=second)
    assert tree(folder.path) == before
