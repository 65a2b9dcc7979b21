"""Coverage-guided fuzzing of everything that reads files: each target in a process of its own.

`python -m tests.stress.fuzzing [INPUTS [TARGET …]]` prints the figures alone. An input that
breaks a promise is kept in tests/fuzz/found, where the quick tests read it again ever after.
"""

import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from tests.fuzz.limits import TookTooLong, limits
from tests.stress.figures import Figure

ROOT = Path(__file__).parents[2]
FOUND = ROOT / "tests" / "fuzz" / "found"

_KEPT = 20  # inputs of a target that broke a promise
_HANGS = 60  # seconds of the clock after which an input that waits for something is given up
_SEED = 1

# What a mutation seldom comes upon by itself.
_WORDS = (
    *(
        "null",
        "true",
        ".nan",
        ".inf",
        "1e999",
        "- ",
        ": ",
        "? ",
        "!!",
        "&a",
        "*a",
        "|",
        ">",
        "%YAML",
    ),
    *("{", "[", "---", "range(", "linspace(", "logspace(", "choice(", "uniform(", "zip=", "@"),
    *("and", "or", "not", "in", "contains", "!=", ">=", "data.preprocess", "learning_rate"),
    *("\\x1b[31m", "\\x00", "\\x0a", "\\xff\\xff\\xff\\xff", "\\xe2\\x80\\xae", "\\x1f\\x8b\\x08"),
    *("PK\\x01\\x02", "PK\\x05\\x06", "\\x93NUMPY\\x01\\x00", "|O", "|u1", "'descr'", "'shape'"),
    *("__metadata__", "data_offsets", "dtype", "F32", "shape", "status", "files", "99999999999"),
)


def measure(inputs: int = 100_000, names: Sequence[str] = ()) -> list[Figure]:
    """Return a figure a target, each after so many inputs; two or more targets at a time."""
    from tests.fuzz.targets import TARGETS  # noqa: PLC0415 - only where it is needed

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(partial(_fuzz, inputs), names or list(TARGETS)))


def _fuzz(inputs: int, name: str) -> Figure:
    """Have a process of its own read the inputs of one target, and tell what came of it."""
    # In memory, where there is such a folder: every input is written to files.
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - no name in it is fixed
    with tempfile.TemporaryDirectory(prefix="mnistlab-fuzz-", dir=memory) as folder:
        command = [sys.executable, "-W", "ignore", "-m", "tests.stress.fuzzing", "--child"]
        done = subprocess.run(
            [*command, name, str(inputs), folder],
            cwd=ROOT,
            env={**os.environ, "MNISTLAB_DATA_DIR": folder, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        report = Path(folder) / "report.json"
        if not report.exists():
            said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            return Figure(f"fuzzed {name}", 0, 1, f"could not begin: {said}")
        told = json.loads(report.read_text())
    bad, note = (
        told["bad"],
        (f"slowest {told['slowest']:.2f} s, memory +{told['megabytes']} MB, {told['rate']:,}/s"),
    )
    if told["tries"] < inputs:
        bad, note = bad + 1, f"ended early (exit code {done.returncode}); {note}"
    if told["faults"]:
        note += "; " + "; ".join(told["faults"])
    return Figure(f"fuzzed {name}", told["tries"], bad, note)


class _Feeder:
    """Reads inputs one after the other and keeps count; leaves the process after the last."""

    def __init__(self, name: str, inputs: int, folder: Path) -> None:
        from tests.fuzz.targets import TARGETS  # noqa: PLC0415 - after it was instrumented

        self._name, self._inputs = name, inputs
        self._target = TARGETS[name]
        self._report = folder / "report.json"
        self._files = folder / "files"
        self._files.mkdir()
        self._tries = self._bad = 0
        self._slowest = 0.0
        self._faults: dict[str, None] = {}
        self._memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self._started = time.perf_counter()

    def feed(self, content: bytes) -> None:
        """Have the target read one input within the limits."""
        from tests.fuzz.targets import attempt  # noqa: PLC0415

        started = time.process_time()
        try:
            with limits():
                attempt(self._target, content, self._files)
        except (Exception, TookTooLong) as error:
            self._keep(content, error)
        self._slowest = max(self._slowest, time.process_time() - started)
        self._tries += 1
        last = self._tries >= self._inputs
        if last or self._tries % 1000 == 1:
            self._tell()
        if last:
            os._exit(0)  # libFuzzer would report to the terminal

    def _keep(self, content: bytes, error: BaseException) -> None:
        self._bad += 1
        fault = _describe(error)
        if len(self._faults) < _KEPT and fault not in self._faults:
            self._faults[fault] = None
            place = FOUND / self._name.replace(" ", "-").replace(":", "")
            place.mkdir(parents=True, exist_ok=True)
            (place / hashlib.sha256(content).hexdigest()[:12]).write_bytes(content)

    def _tell(self) -> None:
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - self._memory
        report = {
            "tries": self._tries,
            "bad": self._bad,
            "slowest": self._slowest,
            "megabytes": memory // 1024,
            "rate": round(self._tries / (time.perf_counter() - self._started)),
            "faults": list(self._faults),
        }
        self._report.write_text(json.dumps(report))


def _describe(error: BaseException) -> str:
    """Return the kind of an error and the line of mnistlab that it is from."""
    from tests.fuzz.targets import BadMessageError  # noqa: PLC0415

    told = error.__context__ if isinstance(error, BadMessageError) else error
    frames = traceback.extract_tb((told or error).__traceback__)
    ours = [frame for frame in frames if "/mnistlab/" in frame.filename] or frames
    return f"{type(error).__name__} at {Path(ours[-1].filename).name}:{ours[-1].lineno}"


def _child(name: str, inputs: int, folder: Path) -> None:
    import atheris  # noqa: PLC0415 - not needed by who only asks for figures

    with atheris.instrument_imports(include=["mnistlab", "yaml"]):
        from tests.fuzz.targets import TARGETS  # noqa: PLC0415

    target = TARGETS[name]
    corpus, words = folder / "corpus", folder / "words"
    corpus.mkdir()
    for number, seed in enumerate(target.seeds):
        (corpus / str(number)).write_bytes(seed[: target.longest])
    quoted = (word.replace('"', '\\"') for word in _WORDS)
    words.write_text("".join(f'"{word}"\n' for word in quoted))
    options = {
        "dict": words,
        "max_len": target.longest,
        "seed": _SEED,
        "timeout": _HANGS,
        "rss_limit_mb": 0,  # each input has a limit of its own
        "artifact_prefix": f"{folder}/",
        "verbosity": 0,
    }
    feeder = _Feeder(name, inputs, folder)
    atheris.Setup(
        [sys.argv[0], *(f"-{key}={value}" for key, value in options.items()), str(corpus)],
        feeder.feed,
    )
    atheris.Fuzz()


def main(arguments: Sequence[str]) -> None:
    """Be the process that fuzzes, or print the figures."""
    if arguments[:1] == ["--child"]:
        name, inputs, folder = arguments[1:]
        _child(name, int(inputs), Path(folder))
        return
    inputs, names = int((arguments or ["100000"])[0]), arguments[1:]
    for figure in measure(inputs, names):
        print(f"{figure.what:40} {figure.tries:8,} tries {figure.bad:6,} bad  {figure.note}")  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
