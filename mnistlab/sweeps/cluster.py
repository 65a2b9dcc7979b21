"""Trains the stacks of a sweep on a Dask cluster; this process writes all of the folders.

A stack goes to a worker as a task of plain data, comes back in parts of some seconds, and is
written here by what writes the stacks that are trained here.
"""

import asyncio
import logging
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Event, Lock
from typing import Any

import mnistlab
from mnistlab.core.samples import available_cores
from mnistlab.core.trainer import Snapshot
from mnistlab.datasets.reading import read_raw
from mnistlab.errors import (
    ClusterError,
    DataError,
    InputError,
    StackFailedError,
    WorkersKilledError,
    describe_error,
    shown,
)
from mnistlab.experiment.prepare import Plan, data_key
from mnistlab.run_folders.provenance import kernels_of
from mnistlab.sweeps.plan import Stack
from mnistlab.sweeps.workers import (
    MOST_KILLED,
    TrainedEpoch,
    from_plain,
    greet,
    hand_over,
    train_part,
)

CONNECT_SECONDS = 10
"""How long a scheduler may take to answer, and then how long there may be no worker."""

DESERTED_SECONDS = 60
"""How long worker processes of this machine may all be gone; one takes some 2 s to start."""

PART_SECONDS = 10.0
"""How long a task trains before it hands over what it has. A worker that dies, or a sweep that is
interrupted, loses no more than that."""

_FEW_WORKERS = 8
"""Worker processes that may be started on a machine of any size."""

_POLL = 0.1  # seconds until a thread that waits for a worker hears that the sweep is to end
_LOCAL_SETTINGS: dict[str, Any] = {
    # nobody looks at the profile, for which Dask interrupts a worker every 10 ms
    "distributed.worker.profile.enabled": False,
    # in place of Dask's, which also has each array that is freed go back to the system at once
    "distributed.nanny.pre-spawn-environ": {"OMP_NUM_THREADS": 1},
}
_LOCAL = re.compile(r"local(?::([1-9][0-9]{0,3}))?")


@dataclass
class Cluster:
    """A Dask cluster whose workers have this version of mnistlab.

    `threads` is how many stacks it trains at once. `warnings` says what is odd about it.
    """

    client: Any
    threads: int
    plugins: Sequence[tuple[str, str]]
    warnings: Sequence[str] = ()
    _token: str = field(default_factory=lambda: secrets.token_hex(8))
    _shared: dict[tuple[str, bool], Any] = field(default_factory=dict)
    _sharing: Lock = field(default_factory=Lock)
    _last_seen: float = field(default_factory=time.monotonic)

    def train_epochs(
        self,
        stack: Stack,
        plan: Plan,
        ends: Sequence[Sequence[int]],
        start: Snapshot | None,
        until: int | None,
        check: Callable[[], None],
    ) -> Iterator[TrainedEpoch]:
        """Train a stack on the cluster, as `train_epochs` does here; a few epochs come at once.

        Raises StackFailedError where the training fails on a worker, WorkersKilledError where it
        kills one after another, DataError, and ClusterError once the cluster is of no use.
        """
        task = {
            "version": mnistlab.__version__,
            "token": self._token,
            "stack": stack.name,
            "seconds": PART_SECONDS,
            "configs": [column.config.model_dump(exclude_none=True) for column in stack.columns],
            "ends": ends,
            "is_compact": stack.is_compact,
            "until": until,
        }
        has_arrays, is_over = False, False
        while not is_over:
            plain = None if start is None else asdict(start)
            shared = self._share(plan, has_arrays=has_arrays)
            answer = self._ask({**task, "start": plain}, shared, check)
            if "missing" in answer:
                has_arrays = True
                continue
            for one in answer["epochs"]:
                epoch = from_plain(one, answer["machine"])
                start = epoch.snapshot and epoch.snapshot.keep(epoch.staying)
                yield epoch
            if "data_error" in answer:
                raise DataError(answer["data_error"])
            if "error" in answer:
                raise StackFailedError(answer["error"])
            is_over = answer["is_over"]

    def _ask(self, task: Mapping[str, Any], shared: Any, check: Callable[[], None]) -> Any:
        """Return a worker's answer to a task."""
        import distributed  # noqa: PLC0415 - an extra

        for _ in range(MOST_KILLED):
            future = self.client.submit(train_part, task, shared, pure=False)
            try:
                _wait(future, check, self._check_workers)
                answer = future.result()
            except distributed.KilledWorker:
                continue  # it may only have waited on workers that others have killed
            except (distributed.CancelledError, OSError) as error:
                raise ClusterError(f"the Dask scheduler is gone ({_reason(error)})") from error
            except Exception as error:
                raise ClusterError(f"a Dask worker cannot be used: {_reason(error)}") from error
            finally:
                future.release()
            if "version" in answer:
                raise ClusterError(_other_version("a Dask worker", answer["version"]))
            if "killed" not in answer:
                return answer
            break
        raise WorkersKilledError(
            f"{MOST_KILLED} Dask workers in a row ended while they trained its stack; "
            "it may need more memory than they have"
        )

    def _check_workers(self) -> None:
        """Raise ClusterError where no process that was started here is left.

        Dask starts one again that dies, unless it dies while it starts. To another cluster workers
        may come back at any time.
        """
        if self.client.cluster is None or self.client.cluster.scheduler.workers:
            self._last_seen = time.monotonic()
        elif time.monotonic() - self._last_seen > DESERTED_SECONDS:
            raise ClusterError("all worker processes have ended, and none has started again")

    def _share(self, plan: Plan, *, has_arrays: bool) -> Any:
        """Return the future of what all stacks on the same data need.

        The raw images go along where a worker has said that it has not got them in its cache.
        """
        config, data = plan.configs[0], plan.dataset
        name, key = config.data.dataset, data_key(config)
        with self._sharing:
            if (key, has_arrays) not in self._shared:
                arrays = read_raw(name).arrays if has_arrays else None
                shared = {
                    "key": key,
                    "plugins": self.plugins,
                    "dataset": name,
                    "sha256": data.sha256,
                    "classes": data.classes,
                    "fitted": [
                        (one.name, dict(one.options), one.arrays, one.count)
                        for one in data.fitted_steps
                    ],
                    "arrays": arrays,
                }
                future = self.client.submit(hand_over, shared, pure=False)
                self._shared[key, has_arrays] = future
            return self._shared[key, has_arrays]


@contextmanager
def connect(address: str, plugins: Sequence[Path] = ()) -> Iterator[Cluster]:
    """Yield the cluster at the address of its scheduler; `local:4` starts one of 4 processes here.

    Raises InputError where nothing answers, where a worker has another version of mnistlab or
    cannot load a plugin, and where the package distributed is not installed.
    """
    distributed = _import_distributed()
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what matters is raised here
    where = f"--scheduler {shown(address)}"
    with ExitStack() as cleanup:
        if address == "local" or address.startswith("local:"):
            target = cleanup.enter_context(_start_workers(distributed, address))
        else:
            target = address
            _check_answer(distributed, address, where)
        client = distributed.Client(target, timeout=CONNECT_SECONDS, set_as_default=False)
        cleanup.callback(_close, client)
        plain = [(path.name, path.read_text(encoding="utf-8")) for path in plugins]
        machines = _greet_all(client, where, plain)
        threads = sum(client.nthreads().values())
        yield Cluster(client, max(1, threads), plain, _differences(machines))


def _check_answer(distributed: Any, address: str, where: str) -> None:
    """Raise InputError unless a Dask scheduler answers; a client waits for any other server."""

    async def ask() -> Any:
        security = distributed.Security().get_connection_args("client")
        async with distributed.rpc(address, connection_args=security) as scheduler:
            return await scheduler.identity()

    try:
        asyncio.run(asyncio.wait_for(ask(), CONNECT_SECONDS))
    except Exception as error:  # what listens there may be anything
        is_late = isinstance(error, TimeoutError)
        reason = f"nothing within {CONNECT_SECONDS} s" if is_late else _reason(error)
        raise InputError(
            f"{where}: no Dask scheduler answers there ({reason}); the address is the one "
            "that `dask scheduler` prints, such as tcp://HOST:8786"
        ) from error


def _import_distributed() -> Any:
    try:
        import dask  # noqa: PLC0415 - an extra
        import distributed  # noqa: PLC0415
    except ImportError:
        raise InputError(
            "--scheduler needs distributed, which is not installed: pip install 'mnistlab[dask]'"
        ) from None
    # images go to the workers in a task, which can be computed again where a worker dies
    dask.config.set({"distributed.admin.large-graph-warning-threshold": "10GB"})
    return distributed


@contextmanager
def _start_workers(distributed: Any, address: str) -> Iterator[Any]:
    """Start worker processes on this machine, by default one for each core."""
    match = _LOCAL.fullmatch(address)
    if match is None:
        raise InputError(
            f"--scheduler {shown(address)}: write local, or local:4 for 4 worker processes"
        )
    cores = available_cores()
    count, most = int(match[1] or cores), max(_FEW_WORKERS, 4 * cores)
    if count > most:
        raise InputError(
            f"--scheduler {address}: at most {most} worker processes, as this machine has {cores} "
            "cores"
        )
    import dask  # noqa: PLC0415 - an extra

    dask.config.set(_LOCAL_SETTINGS)
    with distributed.LocalCluster(
        n_workers=count,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",  # the default listens to other machines, too
        worker_dashboard_address="127.0.0.1:0",
        memory_limit=0,  # a sweep on threads has no limit, either
        silence_logs=logging.CRITICAL,
        preload="mnistlab.sweeps.workers",  # for its dask_setup
    ) as started:
        yield started


def _greet_all(client: Any, where: str, plugins: Sequence[tuple[str, str]]) -> list[Any]:
    """Return what each worker says of its machine; raise InputError if one cannot be used."""
    with suppress(TimeoutError):
        client.wait_for_workers(1, timeout=CONNECT_SECONDS)
    versions = client.get_versions(packages=["mnistlab"])
    if not versions["workers"]:
        raise InputError(f"{where}: the scheduler has no workers; start some with `dask worker`")
    found = {"the scheduler": versions["scheduler"], **versions["workers"]}
    for one, known in found.items():
        version = known["packages"]["mnistlab"]
        if version != mnistlab.__version__:
            who = one if one == "the scheduler" else f"the worker {one}"
            raise InputError(f"{where}: {_other_version(who, version)}")
    who = "the scheduler"
    try:
        client.run_on_scheduler(hand_over, {})  # it reads each task before a worker does
        greetings = client.run(greet, plugins, on_error="return")
        for who, greeting in greetings.items():  # noqa: B007 - named in the error
            if isinstance(greeting, Exception):
                raise greeting
    except Exception as error:
        whose = who if who == "the scheduler" else f"the worker {who}"
        raise InputError(f"{where}: {whose} cannot run mnistlab: {_reason(error)}") from error
    for one, greeting in greetings.items():
        if greeting["error"] is not None:
            raise InputError(
                f"{where}: the worker {one} cannot load a plugin: {greeting['error']}; a worker "
                "that has run an older text of it must be started again"
            )
    return [greeting["machine"] for greeting in greetings.values()]


def _other_version(who: str, version: str | None) -> str:
    theirs = "has no mnistlab" if version is None else f"has mnistlab {version}"
    return f"{who} {theirs} and this is mnistlab {mnistlab.__version__}; install the same there"


def _differences(machines: Sequence[Any]) -> list[str]:
    """Return a warning if the workers differ in linear algebra: so may the last bits."""
    kernels = {kernel for machine in machines for kernel in kernels_of(machine)}
    if len(kernels) < 2:
        return []
    known = ", ".join(sorted(kernels))
    return [f"the workers differ in linear algebra ({known}), and so may the last bits of runs"]


def _wait(future: Any, *checks: Callable[[], None]) -> None:
    """Wait until a future has ended; cancel it if one of the checks raises."""
    ended = Event()
    future.add_done_callback(lambda _future: ended.set())
    try:
        while True:  # at least once, as answers may come faster than they are waited for
            for check in checks:
                check()
            if ended.wait(_POLL):
                return
    except BaseException:
        with suppress(Exception):
            future.cancel()
        raise


def _close(client: Any) -> None:
    with suppress(Exception):  # a scheduler that is gone has nothing to be told
        client.close(timeout=2)


def _reason(error: BaseException) -> str:
    return shown(describe_error(error))
