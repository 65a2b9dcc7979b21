"""Kills workers of a Dask cluster at random moments of a sweep, which must not lose a run by it."""

import os
import random
import threading
import time
from pathlib import Path

from mnistlab.sweeps.cluster import Cluster, connect
from mnistlab.sweeps.plan import prepare_sweep
from mnistlab.sweeps.run import run_sweep
from mnistlab.sweeps.trials import load_sweep
from tests.faults import promises
from tests.stress.figures import Figure
from tests.stress.tally import Tally
from tests.sweep.helpers import SweepRecorder

_KILLS = 20
_WORDS = ("learning_rate=linspace(0.001,0.02,6)", "epochs=5,40", "batch_size=50,100")
_CONFIG = "optimizer: momentum\ndata: {dataset: mnist-mini, validation: 1000}\n"


def measure(scale: float, scratch: Path) -> list[Figure]:
    """Return the figure of workers that are killed, each in a sweep of its own."""
    moments = random.Random(20191122)  # noqa: S311 - moments, no secrets
    config = scratch / "many.yaml"
    config.write_text(_CONFIG)
    tally = Tally("SIGKILL to a worker of a Dask cluster during `sweep`")
    with connect("local:2") as cluster:
        _train(config, scratch / "first", cluster)  # so that the workers know the data
        began = time.monotonic()
        expected = promises.content(_train(config, scratch / "undisturbed", cluster))
        seconds = time.monotonic() - began
        kills = max(1, round(_KILLS * scale))
        for index in range(4 * kills):  # some sweeps have ended by their moment
            if tally.tries == kills:
                break
            moment = moments.uniform(0.0, seconds)
            runs = scratch / str(index)
            tally.add(_kill(config, runs, cluster, moment, moments.randrange(2), expected))
    return [tally.figure(f"{len(expected)} runs in a sweep")]


def _kill(
    config: Path,
    runs: Path,
    cluster: Cluster,
    moment: float,
    which: int,
    expected: dict[str, object],
) -> list[str] | None:
    """Kill a worker in the midst of a sweep; return what is wrong, None if it was over by then."""
    pid = _started(cluster)[which]
    killed = threading.Event()

    def kill() -> None:
        os.kill(pid, 9)
        killed.set()

    timer = threading.Timer(moment, kill)
    timer.start()
    folder = _train(config, runs, cluster)
    timer.cancel()
    if not killed.is_set():
        return None
    problems = promises.differing(folder, expected) + promises.untrue(runs)
    problems += promises.half_files(runs) + promises.litter(runs)
    return [f"worker {which} killed after {moment:.2f} s: {problem}" for problem in problems]


def _started(cluster: Cluster) -> list[int]:
    """Return the processes of both workers once they run: Dask restarts none that dies earlier."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        cluster.client.cluster.scale(2)  # Dask gives up a worker that dies at a bad moment
        processes = [nanny.process for nanny in cluster.client.cluster.workers.values()]
        if len(processes) == 2 and all(
            one is not None and one.status.name == "running" for one in processes
        ):
            return [one.pid for one in processes]
        time.sleep(0.05)
    raise AssertionError("a worker was not started again")


def _train(config: Path, runs: Path, cluster: Cluster) -> Path:
    prepared = prepare_sweep(load_sweep(config, _WORDS), workers=2)
    done = run_sweep(prepared, runs_dir=runs, reporter=SweepRecorder(), cluster=cluster)
    return done.folder.path
