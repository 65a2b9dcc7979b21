"""Runs commands in a process that tells which files it touches and which code it runs."""

import functools
import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LINEAR = ROOT / "configs" / "linear.yaml"
MINI = ("data.dataset=mnist-mini", "data.validation=1000", "epochs=1")
_HOOK = Path(__file__).parent / "audit"

_fonts: dict[str, bytes] = {}
"""What Matplotlib keeps of the fonts that there are: to look for them takes most of a second."""


@dataclass(frozen=True)
class Outcome:
    """What a command did: its exit code, what it printed, and the events [kind, path, ...]."""

    arguments: list[str]
    code: int
    out: str
    err: str
    events: list[list[str]]

    def touched(self, *kinds: str) -> set[Path]:
        """Return the paths of all events, or of those of some kinds."""
        code = {"import", "exec", "subprocess.Popen"}
        return {
            Path(path)
            for kind, *paths in self.events
            for path in paths
            if (kind in kinds if kinds else kind not in code)
        }

    def wrote(self) -> set[Path]:
        """Return the paths that were written, made, renamed or removed."""
        reads = {"open", "os.listdir", "os.scandir", "os.chdir", "import", "exec"}
        kinds = {kind for kind, *_ in self.events} - reads - {"subprocess.Popen"}
        return self.touched(*kinds) if kinds else set()


def run_audited(
    commands: Sequence[Sequence[object]], *, cwd: Path, scratch: Path, **environment: object
) -> list[Outcome]:
    """Run commands one after the other in one process that began in `cwd`; return what they did.

    As the console script does, it does not look for modules in `cwd`. `scratch` is a folder for
    caches and the log of events.
    """
    scratch.mkdir(exist_ok=True)
    log, answers = scratch / "events", scratch / "answers.json"
    log.unlink(missing_ok=True)
    for name in ("home", "data"):
        (scratch / name).mkdir(exist_ok=True)
    for name, content in _fonts.items():
        (scratch / "home" / name).write_bytes(content)
    inherited = {key: value for key, value in os.environ.items() if "COV" not in key}
    done = subprocess.run(
        [sys.executable, "-P", __file__, str(answers), str(log)],
        cwd=cwd,
        env=inherited
        | {
            "PYTHONPATH": os.pathsep.join(map(str, (_HOOK, ROOT))),
            "PYTHONDONTWRITEBYTECODE": "1",
            "AUDIT_LOG": str(log),
            "HOME": str(scratch / "home"),
            "MPLCONFIGDIR": str(scratch / "home"),
            "MNISTLAB_DATA_DIR": str(scratch / "data"),
            "COLUMNS": "300",
        }
        | {key: str(value) for key, value in environment.items()},
        input=json.dumps([[str(word) for word in command] for command in commands]),
        capture_output=True,
        text=True,
        errors="replace",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for path in (scratch / "home").glob("fontlist-*.json"):
        _fonts[path.name] = path.read_bytes()
    return [Outcome(**answer) for answer in json.loads(answers.read_text())]


def train_both(folder: Path) -> tuple[Path, Path]:
    """Train a run and a sweep of two runs in `folder`; return theirs."""
    options = ("-c", LINEAR, *MINI, "--no-plots", "-q", "--runs-dir", folder)
    outcomes = run_audited(
        [("train", *options, "--name", "one"), ("sweep", *options, "seed=1,2", "--name", "many")],
        cwd=ROOT,
        scratch=folder / "scratch",
    )
    assert [outcome.code for outcome in outcomes] == [0, 0], outcomes[-1].err
    (run,), (sweep,) = folder.glob("*-one-*"), folder.glob("*-many-*")
    return run, sweep


def _main(answers: Path, log: Path) -> None:
    """Be that process: run the commands that are said on stdin."""
    import typer.main  # noqa: PLC0415 - read by who only asks, too

    from mnistlab.__main__ import main  # noqa: PLC0415

    os.fsync = lambda _: None  # no event tells of it, and a disk is slow
    typer.main.get_command = functools.cache(typer.main.get_command)  # hundreds of commands follow
    outcomes = []
    for arguments in json.load(sys.stdin):
        begun = log.stat().st_size
        streams = {name: io.TextIOWrapper(io.BytesIO()) for name in ("stdout", "stderr")}
        known = {name: getattr(sys, name) for name in streams}
        sys.argv = ["mnistlab", *arguments]
        code = 0
        for name, stream in streams.items():
            setattr(sys, name, stream)
        try:
            main()
        except SystemExit as end:
            code = end.code
        finally:
            for name, stream in known.items():
                setattr(sys, name, stream)
        said = {}
        for name, stream in streams.items():
            stream.flush()
            said[name.removeprefix("std")] = stream.buffer.getvalue().decode("utf-8", "replace")
        events = [json.loads(line) for line in log.read_bytes()[begun:].splitlines()]
        outcomes.append({"arguments": arguments, "code": code, **said, "events": events})
    answers.write_text(json.dumps(outcomes))


if __name__ == "__main__":
    _main(Path(sys.argv[1]), Path(sys.argv[2]))
