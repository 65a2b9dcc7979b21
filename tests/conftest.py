"""What every test may rely on: no test writes to the user's cache or run folders."""

import functools
import gc
import itertools
import os
import signal
import sys

# Before numpy is imported: on matrices this small a second thread only waits for the first, and
# spends half of the processor's time on that where the tests already take all cores.
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")


def _accepted(file):
    """Stand for os.fsync, which waits for a disk that no test can cut off from its power."""
    os.fstat(file if isinstance(file, int) else file.fileno())


os.fsync = _accepted

import pytest  # noqa: E402
import typer.main  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402

import mnistlab  # noqa: E402
from mnistlab import errors, plugins  # noqa: E402
from mnistlab.__main__ import main  # noqa: E402
from mnistlab.datasets import DATASETS, PREPROCESSING, sources  # noqa: E402
from mnistlab.run_folders import provenance  # noqa: E402

# how long an example takes, says more of the machine than of the code
# what random input finds is for make stress: here the same examples are tried each time
settings.register_profile(
    "mnistlab",
    deadline=None,
    derandomize=True,
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("mnistlab")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Give each process whole files, and one of them all reports: they share what they train."""
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 - not every run has it

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            path = nodeid.partition("::")[0]
            return "tests/report" if path.startswith("tests/report/") else path

    config.option.loadscopereorder = False  # the files with the most tests are not the slowest
    return ByFile(config, log)


_LONG = (
    *("tests/report/", "tests/sweep/test_cluster", "tests/sklearn/"),
    *("tests/cli/", "tests/plots/test_sweep_grids", "tests/gradcheck/"),
)


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Keep the tests' bytecode: compiling what their assertions say takes longer than all else."""
    known, sys.dont_write_bytecode = sys.dont_write_bytecode, False
    try:
        return (yield)
    finally:
        sys.dont_write_bytecode = known


def pytest_collection_finish():
    """Let the collector of cycles pass over the modules: those of all tests stay to the end."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items):
    """Begin with the files that take longest, so that none is left to one process at the end."""
    items.sort(key=lambda item: not item.nodeid.startswith(_LONG))


@pytest.fixture(autouse=True, scope="session")
def _signals_are_heard():
    """Undo what a shell in the background or `nohup` has the tests' processes ignore."""
    for number, handler in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGTERM, signal.SIG_DFL),
        (signal.SIGHUP, signal.SIG_DFL),
    ):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


@pytest.fixture
def caught_signals():
    """Hear signals as a command does: one whose exception Python drops is not lost."""
    known = {number: signal.getsignal(number) for number in errors._SIGNALS}
    hook = sys.unraisablehook
    errors.catch_signals()
    yield
    sys.unraisablehook = hook
    for number, handler in known.items():
        signal.signal(number, handler)
    errors._State.received = errors._State.pending = None
    assert errors._State.depth == 0


@pytest.fixture(autouse=True, scope="session")
def _commands_are_parsed_alike():
    """Build the parser of the commands once: the tests call thousands of them in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.main, "get_command", functools.cache(typer.main.get_command))
        yield


@pytest.fixture(autouse=True, scope="session")
def _digits_are_unpacked_once():
    """Remember what the packaged digits unpack to: hundreds of tests load them."""
    unpack = sources.unpack
    packaged = dict.fromkeys(
        path.read_bytes() for path in DATASETS["mnist-mini"].packaged.glob("*.gz")
    )

    def remembered(stored, label):
        if not isinstance(stored, bytes) or stored not in packaged:
            return unpack(stored, label)
        if packaged[stored] is None:
            packaged[stored] = unpack(stored, label)
        return packaged[stored]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "unpack", remembered)
        yield


_CHECKOUT, _ask_git = mnistlab.__file__, provenance._git
_git_of_the_checkout = functools.cache(provenance._git)


@pytest.fixture(autouse=True)
def _git_is_asked_once(monkeypatch):
    """Remember the state of the checkout: each run asks, and somebody may commit meanwhile."""

    def git(*words):
        ask = _git_of_the_checkout if mnistlab.__file__ == _CHECKOUT else _ask_git
        return ask(*words)

    monkeypatch.setattr(provenance, "_git", git)


_numbers = itertools.count()


@pytest.fixture(autouse=True)
def _own_folders(request, tmp_path_factory, monkeypatch):
    """Give each test folders of its own; of those that ask for none only the names are made."""
    if "tmp_path" in request.fixturenames:
        place = request.getfixturevalue("tmp_path")
    else:
        place = tmp_path_factory.getbasetemp() / f"unasked-{next(_numbers)}"
    monkeypatch.setenv("MNISTLAB_DATA_DIR", str(place / "data"))
    monkeypatch.setenv("MNISTLAB_RUNS_DIR", str(place / "runs"))


@pytest.fixture(autouse=True)
def _a_plain_terminal(monkeypatch):
    """Let no test depend on how wide the terminal is, nor on colours that somebody has set."""
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "PY_COLORS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _a_process_of_its_own(monkeypatch):
    """Forget the signals and the plugins of earlier tests in this process."""
    monkeypatch.setattr(errors._State, "received", None)
    monkeypatch.setattr(plugins, "_loaded", {})
    registries = (*plugins.REGISTRIES, DATASETS, PREPROCESSING)
    before = [dict(registry) for registry in registries]
    yield
    for registry, known in zip(registries, before, strict=True):
        registry.clear()
        registry.update(known)


@pytest.fixture
def drawn_here(monkeypatch):
    """Let commands draw in this process, where the test is not about the one that draws."""
    from tests.plots.here import Here  # noqa: PLC0415 - with Matplotlib

    monkeypatch.setattr("mnistlab.plots.drawing.Painter", Here)


@pytest.fixture
def run(monkeypatch, capfd):
    """Return a function that runs mnistlab in this process: exit code, stdout, stderr."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["mnistlab", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        return caught.value.code, *capfd.readouterr()

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)
