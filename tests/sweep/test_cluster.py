"""Sweeps on a Dask cluster of two processes: the same folders, whatever happens to the workers."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import mnistlab
from mnistlab.config.load import load_config
from mnistlab.datasets import DATASETS, ArrayDataset, load
from mnistlab.datasets.reading import find_data, keep_received, read_raw
from mnistlab.errors import ClusterError, InputError
from mnistlab.experiment import recorder
from mnistlab.plugins import load_plugins
from mnistlab.sweeps import cluster as clusters
from mnistlab.sweeps import stack_training
from mnistlab.sweeps.plan import plan_stacks, prepare_sweep
from mnistlab.sweeps.run import run_sweep
from mnistlab.sweeps.trials import load_sweep
from mnistlab.sweeps.workers import EpochEnded, RunEnded
from tests.digits import write_digits
from tests.late import Late
from tests.sweep.helpers import SweepRecorder, content, resume, settled, sweep, the_only, write_base

distributed = Late("distributed")
pytestmark = [
    pytest.mark.skipif(find_spec("distributed") is None, reason="Dask is not installed"),
    pytest.mark.filterwarnings("default::ResourceWarning"),  # of sockets of dead workers
]

GRID = ("learning_rate=0.005,100.0", "epochs=1,4", "batch_size=100,250")


@contextmanager
def start(folder: Path, address: str = "local:2", plugins=()):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MNISTLAB_DATA_DIR", str(folder / "data of the workers"))
        with clusters.connect(address, plugins) as cluster:
            yield cluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with start(tmp_path_factory.mktemp("cluster")) as started:
        yield started


def sweep_on(cluster, tmp_path, *words, text="", reporter=None, resumed=None, **options):
    chosen = settled(tmp_path, *words, text=text, **options) if resumed is None else load_sweep(
        resumed.config
    )  # fmt: skip
    return run_sweep(
        prepare_sweep(chosen, workers=cluster.threads),
        runs_dir=tmp_path / "cluster",
        reporter=reporter or SweepRecorder(),
        resumed=resumed,
        cluster=cluster,
    )


def plan_of(folder):
    return json.loads(folder.plan.read_text())["stacks"]


SWEEPS = {
    "grid": (GRID, {}, "optimizer: momentum\nmomentum: 0.5\n"),
    "halving": (
        ("learning_rate=0.002,0.005,0.01,0.02,100.0", "halving.factor=2"),
        {"method": "halving"},
        "epochs: 5\nschedule: cosine\n",
    ),
    "early stopping": (
        ("learning_rate=1.0,2.0,4.0",),
        {"seeds": 2},
        "model: sigmoid\nearly_stopping: 1\nepochs: 9\n",
    ),
    "features": (
        ("learning_rate=0.005,0.01",),
        {},
        "features: [{pca: {components: 7}}, standardize]\nepochs: 3\n",
    ),
    "dark pixels": (("learning_rate=linspace(0.001,0.01,8)", "epochs=20"), {}, ""),
    "folds": (("learning_rate=0.005,0.01",), {"folds": 3}, "epochs: 2\noptimizer: adam\n"),
}


@pytest.mark.parametrize(
    ("name", "seconds"),
    [*((name, 0.0) for name in SWEEPS), *((name, 10.0) for name in ("grid", "halving"))],
)
def test_the_folders_are_those_of_threads(name, seconds, cluster, tmp_path, monkeypatch):
    """An epoch at a time, and all at once."""
    words, options, text = SWEEPS[name]
    if options.get("folds"):
        monkeypatch.setattr("tests.sweep.helpers.as_yaml", as_yaml_without_validation)
    monkeypatch.setattr(clusters, "PART_SECONDS", seconds)
    prepared = prepare_sweep(settled(tmp_path, *words, text=text, **options), workers=2)
    threads = run_sweep(prepared, runs_dir=tmp_path / "runs", reporter=SweepRecorder()).folder
    ours = sweep_on(cluster, tmp_path, *words, text=text, **options).folder
    assert content(ours) == content(threads)
    assert plan_of(ours) == plan_of(threads)
    for number in threads.runs():
        one, other = threads.run(number), ours.run(number)
        if one.features.exists():
            assert one.features.read_bytes() == other.features.read_bytes()
        names = {path.name for path in one.path.iterdir()}
        assert names == {path.name for path in other.path.iterdir()}
        made = other.read_environment()
        assert made.pop("host")
        assert made == one.read_environment()
    assert not ours.checkpoints.exists()


def as_yaml_without_validation():
    return f"data: {{dataset: {write_digits()}}}\n"


def test_a_task_and_its_answer_are_plain_data(cluster, tmp_path, monkeypatch):
    seen, submit = [], cluster.client.submit

    def submit_and_keep(function, *data, **options):
        future = submit(function, *data, **options)
        seen.extend(one for one in (*data, future.result()) if not hasattr(one, "client"))
        return future

    monkeypatch.setattr(cluster.client, "submit", submit_and_keep)
    monkeypatch.setattr(clusters, "PART_SECONDS", 0.0)
    sweep_on(cluster, tmp_path, *GRID)
    assert len(seen) > 4
    kinds = {kind for one in seen for kind in kinds_in(one)}
    assert kinds <= {str, int, float, bool, type(None), np.ndarray}


def kinds_in(data):
    if type(data) is dict:
        return {kind for pair in data.items() for one in pair for kind in kinds_in(one)}
    if type(data) in (list, tuple):
        return {kind for one in data for kind in kinds_in(one)}
    return {type(data)}


def test_workers_get_data_that_they_lack(cluster, tmp_path):
    arrays = np.load(write_digits(), allow_pickle=False)
    swapped = {key: arrays[key][::-1].copy() for key in arrays.files}
    DATASETS.add("mine", ArrayDataset(**swapped))  # in this process alone
    text = "epochs: 2\n"
    words = ("learning_rate=0.005,0.01", "data.dataset=mine")
    assert content(sweep_on(cluster, tmp_path, *words, text=text).folder) == content(
        sweep(tmp_path, *words, text=text).folder
    )
    found = cluster.client.run(find_data, "mine", read_raw("mine").sha256)
    assert any("received" in str(path) for path in found.values())


def test_received_data_are_checked_and_mended():
    raw = read_raw(str(write_digits()))
    arrays, sha256 = raw.arrays, raw.sha256
    assert find_data("/nowhere", sha256) is None
    path = Path(keep_received(arrays, sha256))
    assert find_data("/nowhere", sha256) == str(path)
    assert load(str(path), validation=0).sha256 == sha256
    assert load(str(write_digits()), validation=0).sha256 == sha256
    damaged = path / "train-labels-idx1-ubyte"
    labels = bytearray(damaged.read_bytes())
    labels[-1] = (labels[-1] + 1) % 10
    damaged.write_bytes(labels)
    assert find_data("/nowhere", sha256) is None
    assert find_data(str(write_digits()), sha256) == str(write_digits())
    keep_received(arrays, sha256)
    assert find_data("/nowhere", sha256) == str(path)
    assert [one.name for one in path.parent.iterdir()] == [sha256]


PLUGIN = """
import os
import numpy as np
from mnistlab.core.losses import LOSSES

class Mine:
    curvature = 1.0
    def value(self, outputs, targets):
        return ((outputs - targets) ** 2).sum(-1) / 2
    def gradient(self, outputs, targets):
        if outputs.shape[0] == BAD:
            END
        return outputs - targets

LOSSES.add("mine", Mine())
"""


def write_plugin(tmp_path, end, bad=50):
    path = tmp_path / "mine.py"
    path.write_text(PLUGIN.replace("BAD", str(bad)).replace("END", end))
    return path


def test_a_plugin_travels_and_fails_as_it_does_here(cluster, tmp_path):
    path = write_plugin(tmp_path, "raise ArithmeticError('no more')")
    load_plugins([path])
    words, text = ("learning_rate=0.005,0.01", "batch_size=50,100"), "loss: mine\nepochs: 2\n"
    with clusters.connect(cluster.client.scheduler.address, [path]) as one:
        done = sweep_on(one, tmp_path, *words, text=text)
    here = sweep(tmp_path, *words, text=text)
    assert done.status == here.status == "failed"
    assert content(done.folder) == content(here.folder)
    errors = [done.folder.run(run).read_status()["error"] for run in done.folder.runs()]
    assert errors == [here.folder.run(run).read_status()["error"] for run in here.folder.runs()]
    assert sum(error is not None for error in errors) == 2


def test_a_plugin_that_no_worker_can_load_is_named(cluster, tmp_path):
    path = tmp_path / "broken.py"
    path.write_text("import os\nif not os.path.exists('/proc/self'): 1\n1 / 0\n")
    with pytest.raises(InputError, match=r"broken\.py, line 3: ZeroDivisionError"):  # noqa: SIM117
        with clusters.connect(cluster.client.scheduler.address, [path]):
            pass


def test_a_stack_that_kills_three_workers_fails_and_the_sweep_goes_on(tmp_path):
    tally = tmp_path / "killed"
    end = f"open({str(tally)!r}, 'a').write('x'); os._exit(1)"
    path = write_plugin(tmp_path, end)
    load_plugins([path])
    words = ("learning_rate=0.005,0.01", "batch_size=50,100")
    with start(tmp_path, "local:1", [path]) as one:
        done = sweep_on(one, tmp_path, *words, text="loss: mine\nepochs: 2\n")
    assert tally.read_text() == "xxx"
    folder = done.folder
    statuses = {}
    for run in folder.runs():
        status = folder.run(run).read_status()
        batch = load_config(folder.run(run).config).batch_size
        statuses.setdefault(batch, set()).add(status["status"])
        assert (status["error"] or "").startswith("3 Dask workers in a row") == (batch == 50)
    assert statuses == {50: {"failed"}, 100: {"completed"}}
    assert done.status == "failed"


def test_a_worker_that_is_killed_loses_nothing(tmp_path):
    whole = sweep(tmp_path, *GRID)
    with start(tmp_path, "local:1") as one:  # make stress kills one of several, again and again
        pids = list(one.client.run(os.getpid).values())

        class Killer(SweepRecorder):
            def event(self, event):
                super().event(event)
                if isinstance(event, EpochEnded) and pids:
                    os.kill(pids.pop(), 9)

        done = sweep_on(one, tmp_path, *GRID, reporter=Killer())
    assert not pids
    assert done.status == "completed"
    assert content(done.folder) == content(whole.folder)


def test_workers_that_do_not_come_back_end_the_sweep(tmp_path, monkeypatch):
    monkeypatch.setattr(clusters, "DESERTED_SECONDS", 0.5)
    with start(tmp_path, "local:1") as one:

        class Ender(SweepRecorder):
            def start(self, labels, done, epochs):
                super().start(labels, done, epochs)
                one.client.cluster.scale(0)

        with pytest.raises(ClusterError, match="all worker processes have ended"):
            sweep_on(one, tmp_path, "learning_rate=0.005,0.01", "epochs=20000", reporter=Ender())
    assert the_only(tmp_path / "cluster").read_status()["status"] == "interrupted"


def interrupt(cluster, tmp_path, monkeypatch, end):
    """Start a sweep that does not end by itself, and call `end` once a run is done."""
    monkeypatch.setattr(clusters, "PART_SECONDS", 0.0)
    monkeypatch.setattr(stack_training, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(recorder, "CHECKPOINT_SHARE", np.inf)

    class Ender(SweepRecorder):
        def event(self, event):
            super().event(event)
            if isinstance(event, RunEnded) and len(self.events) < 1000:
                self.events += [None] * 1000
                end()

    sweep_on(cluster, tmp_path, *GRID[:1], "epochs=1,60", GRID[2], reporter=Ender())


def check_resumes(tmp_path, **options):
    whole = sweep(tmp_path, *GRID[:1], "epochs=1,60", GRID[2], runs="whole")
    cut = the_only(tmp_path / "cluster")
    assert cut.read_status()["status"] == "interrupted"
    assert list(cut.checkpoints.iterdir())
    if options:
        sweep_on(options["cluster"], tmp_path, resumed=cut)
    else:
        resume(cut)
    assert content(cut) == content(whole.folder)


def test_ctrl_c_cancels_and_the_sweep_goes_on_later(cluster, tmp_path, monkeypatch):
    def press():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt(cluster, tmp_path, monkeypatch, press)
    deadline = time.monotonic() + 60
    while any(cluster.client.processing().values()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(cluster.client.processing().values())
    check_resumes(tmp_path, cluster=cluster)


def tasks_of(dask_worker):
    """Return how many tasks a worker is at, cancelled ones that have not ended included."""
    return sum(task.state != "memory" for task in dask_worker.state.tasks.values())


@pytest.mark.usefixtures("caught_signals")
def test_ctrl_c_ends_a_part_that_would_take_for_ever(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(clusters, "PART_SECONDS", 600.0)

    class Presser(SweepRecorder):
        def start(self, labels, done, epochs):
            super().start(labels, done, epochs)
            threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()

    with pytest.raises(KeyboardInterrupt):
        sweep_on(cluster, tmp_path, "learning_rate=0.005,0.01", "epochs=100000", reporter=Presser())
    deadline = time.monotonic() + 60
    while any(cluster.client.run(tasks_of).values()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(cluster.client.run(tasks_of).values())


def test_a_scheduler_that_is_gone_interrupts_the_sweep(tmp_path, monkeypatch):
    with start(tmp_path, "local:1") as one:
        with pytest.raises(ClusterError, match="the Dask scheduler is gone") as caught:
            interrupt(one, tmp_path, monkeypatch, one.client.cluster.close)
        assert "mnistlab sweep --resume" in caught.value.__notes__[0]
    check_resumes(tmp_path)


def test_an_address_where_nothing_answers_leaves_no_folder(run, tmp_path, monkeypatch):
    monkeypatch.setattr(clusters, "CONNECT_SECONDS", 0.5)
    base = write_base(tmp_path)
    words = ("learning_rate=0.005,0.01", "--scheduler")
    code, out, err = run("sweep", "-c", base, *words, "tcp://127.0.0.1:9")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "--scheduler tcp://127.0.0.1:9: no Dask scheduler answers there" in err
    code, _, err = run("sweep", "-c", base, *words, "local:0")
    assert code == 2
    assert "write local, or local:4" in err
    code, _, err = run("sweep", "-c", base, *words, "local:999")
    assert code == 2
    assert "worker processes, as this machine has" in err
    assert not (tmp_path / "runs").exists()


def test_another_version_is_named_before_anything_is_trained(cluster, monkeypatch):
    address, ours = cluster.client.scheduler.address, mnistlab.__version__
    monkeypatch.setattr(mnistlab, "__version__", "9.8.7")
    with pytest.raises(InputError, match=rf"has mnistlab {ours} and this is mnistlab 9\.8\.7"):  # noqa: SIM117
        with clusters.connect(address):
            pass


def test_a_worker_without_mnistlab_is_named(cluster, monkeypatch):
    versions = cluster.client.get_versions(packages=["mnistlab"])
    for known in versions["workers"].values():
        known["packages"]["mnistlab"] = None
    monkeypatch.setattr(distributed.Client, "get_versions", lambda *_, **__: versions)
    with pytest.raises(InputError, match=r"the worker tcp://\S+ has no mnistlab and this is"):  # noqa: SIM117
        with clusters.connect(cluster.client.scheduler.address):
            pass


def test_a_worker_that_cannot_import_mnistlab_is_named(cluster, monkeypatch):
    def run(_client, _function, *_words, **_options):
        return {"tcp://10.0.0.7:1234": ModuleNotFoundError("No module named 'mnistlab'")}

    monkeypatch.setattr(distributed.Client, "run", run)
    expected = r"the worker tcp://10\.0\.0\.7:1234 cannot run mnistlab: ModuleNotFoundError"
    with pytest.raises(InputError, match=expected):  # noqa: SIM117
        with clusters.connect(cluster.client.scheduler.address):
            pass


def test_the_command_trains_on_a_cluster_that_is_there(cluster, run, tmp_path):
    words = (
        "learning_rate=0.005,0.01",
        "epochs=2",
        "--scheduler",
        cluster.client.scheduler.address,
    )
    code, out, err = run("sweep", "-c", write_base(tmp_path), *words, "--no-plots", "--json")
    assert code == 0, err
    assert json.loads(out)["completed"] == 2


def test_dask_is_imported_only_where_it_is_asked_for():
    code = (
        "import sys, mnistlab.cli.sweep, mnistlab.sweeps.run; print('distributed' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_there_are_enough_stacks_for_all_workers():
    configs = [
        load_config(None, [f"learning_rate={rate}"]) for rate in np.linspace(0.001, 0.02, 640)
    ]
    stacks = plan_stacks(dict(enumerate(configs)), workers=40, images=50_000)
    assert len(stacks) == 40
    assert {len(stack.columns) for stack in stacks} == {16}
