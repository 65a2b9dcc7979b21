"""Judges many files of strangers, each in a process of its own that cannot hold up the others."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import mnistlab
from mnistlab.errors import InputError, MnistlabError, shown
from mnistlab.gradcheck.check import Check, Options
from mnistlab.gradcheck.own_file import judge
from mnistlab.gradcheck.user_file import Names
from mnistlab.gradcheck.verdicts import RIGHT, UNJUDGED, WIDTH, WRONG, Report

KINDS = (".py", ".ipynb")
"""The endings of the files that are looked for in a folder."""

_MEMORY = 4 << 30  # bytes of address space for a file's process
_STARTING = ("os.fork", "os.forkpty", "os.exec", "os.posix_spawn", "os.system", "subprocess.Popen")
"""What Python announces to audit hooks before another process begins."""

_PROGRAM = f"""
import sys
sys.path.append({str(Path(mnistlab.__file__).parents[1])!r})
from mnistlab.gradcheck.grading import main
main(sys.argv[1])
"""


@dataclass(frozen=True)
class Grade:
    """What came of a file.

    Attributes:
        who: the part of its path in which it differs from the others.
        functions: what was checked against what, and in which form.
        diagnosis: what is wrong, or why it cannot be judged.
        worst_error: the largest relative error of a gradient, None where none was compared.
    """

    who: str
    file: str
    verdict: str
    functions: str = ""
    form: str = ""
    diagnosis: str = ""
    worst_error: float | None = None


def find_files(given: Sequence[Path]) -> list[Path]:
    """Return the files that are given, and those with Python or a notebook in given folders.

    A folder in which there is none stands for itself, and so does a folder in a given one: it is
    somebody's who has handed in nothing. Hidden files and folders, and those of Python's own, are
    left out. Raises InputError for what is not there, and where nothing is found.
    """
    found: list[Path] = []
    for path in given:
        if path.is_dir():
            inside = [one for one in path.rglob("*") if not _is_hidden(one, path)]
            files = [one for one in inside if one.suffix in KINDS and one.is_file()]
            folders = [one for one in inside if one.parent == path and one.is_dir()] or [path]
            empty = [one for one in folders if not any(one in file.parents for file in files)]
            found += sorted([*files, *empty])
        elif path.exists():
            found.append(path)
        else:
            raise InputError(f"{shown(path)}: there is no such file")
    if all(path.is_dir() for path in found):
        raise InputError(f"{shown(given[0])}: {_NOTHING}")
    return list(dict.fromkeys(found))


_NOTHING = f"there is no {' or '.join(KINDS)} file in it"


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith((".", "__")) for part in path.relative_to(folder).parts)


def grade(files: Sequence[Path], names: Names, options: Options, timeout: float) -> Iterator[Grade]:
    """Yield the grade of each file in their order, as many at a time as there are cores.

    `names` holds in all files. A file that takes longer than `timeout` seconds cannot be judged.
    """
    labels = _labels(files)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        judged = pool.map(
            partial(_in_process, names=names, options=options, timeout=timeout), files
        )
        for label, file, found in zip(labels, files, judged, strict=True):
            yield Grade(label, str(file), **found)


def lines_of(grades: Iterable[Grade], *, quiet: bool) -> Iterator[str]:
    """Yield a line for each file as soon as it is judged, and the numbers of verdicts.

    Its form and diagnosis are below it; if `quiet`, the diagnosis alone is beside it.
    """
    counts = dict.fromkeys((RIGHT, WRONG, UNJUDGED), 0)
    for one in grades:
        counts[one.verdict] += 1
        if quiet:
            yield f"{one.who}: {one.verdict}{f': {one.diagnosis}' if one.diagnosis else ''}"
            continue
        error = "" if one.worst_error is None else f"  worst error {one.worst_error:.1e}"
        yield f"{one.verdict:<16}  {one.who}{f'  {one.functions}' if one.functions else ''}{error}"
        for sentence in filter(None, (one.form, one.diagnosis)):
            yield from textwrap.wrap(
                sentence, WIDTH, initial_indent=" " * 18, subsequent_indent=" " * 18
            )
    if not quiet:
        yield ", ".join(f"{number} {verdict}" for verdict, number in counts.items())


def _labels(files: Sequence[Path]) -> list[str]:
    """Return each path without the folders and the file name that all have in common."""
    paths = [file.absolute() for file in files]
    common = os.path.commonpath([path.parent for path in paths])
    labels = [path.relative_to(common) for path in paths]
    is_same_name = len({path.name for path in paths}) == 1 and len(paths) > 1
    return [str(label.parent if is_same_name else label) for label in labels]


def _in_process(file: Path, names: Names, options: Options, timeout: float) -> dict[str, Any]:
    """Return the fields of a grade but who and which file, as the file's own process wrote them."""
    if file.is_dir():
        return _unjudged(_NOTHING)
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder, "answer.json")
        task = {
            "file": str(file.absolute()),
            "names": asdict(names),
            "options": asdict(options),
            "answer": str(answer),
        }
        try:
            process = subprocess.run(  # noqa: S603 - our own module
                [sys.executable, "-P", "-c", _PROGRAM, json.dumps(task)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=folder,
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "MPLBACKEND": "agg"},
                start_new_session=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return _unjudged(f"it did not end within {timeout:g} seconds; --timeout gives it more")
        try:
            found: dict[str, Any] = json.loads(answer.read_bytes())
        except (OSError, ValueError):
            code = process.returncode
            return _unjudged(f"its process ended without an answer (exit code {code})")
        return found


def _unjudged(why: str) -> dict[str, Any]:
    return {"verdict": UNJUDGED, "diagnosis": why}


def main(task: str) -> None:
    """Judge one file, as the process that `grade` starts for it."""
    known = json.loads(task)
    given, options, names = (
        Path(known["file"]), Options(**known["options"]), Names(**known["names"])
    )  # fmt: skip
    file = given

    def told(message: str) -> str:
        """Return a message with a notebook's name for the file that its code is run from."""
        return message if file is given else message.replace(str(file), given.name)

    _limit()
    try:
        if file.suffix == ".ipynb":
            sys.path.insert(0, str(file.parent))
            code, file = notebook_code(file), Path.cwd() / f"{file.stem}.py"
            file.write_text(code)
        found = _summary(judge(file, options, names))
        found["diagnosis"] = told(found["diagnosis"])
    except MemoryError:
        found = _unjudged(f"it takes more than {_MEMORY >> 30} GB of memory")
    except MnistlabError as error:
        why = str(error).removeprefix(str(file)).removeprefix(shown(file))
        found = _unjudged(shown(told(why.lstrip(":, "))))
    except Exception as error:  # whatever a stranger's code may do to us
        found = _unjudged(shown(told(f"{type(error).__name__}: {error}")))
    Path(known["answer"]).write_text(json.dumps(found))
    os._exit(0)  # a stranger's threads hold up nobody


def notebook_code(file: Path) -> str:
    """Return the code of a notebook's cells; magics and shell commands become empty lines.

    Raises InputError for what is no notebook.
    """
    try:
        cells = json.loads(file.read_text("utf-8"))["cells"]
        sources = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
        code = ["".join(source) for source in sources]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise InputError(f"{shown(file)}: is no notebook") from None
    plain = [cell for cell in code if not cell.lstrip().startswith("%%")]
    lines = "\n\n".join(plain).split("\n")
    return "\n".join("" if line.lstrip().startswith(("%", "!", "?")) else line for line in lines)


def _summary(report: Report) -> dict[str, Any]:
    """Return the fields of a grade that a report gives."""
    _, _, functions = report.title.partition(": ")
    errors = [one.relative_error for one in report.verdicts if isinstance(one, Check)]
    finite = [error for error in errors if error < float("inf")]
    return {
        "verdict": report.verdict,
        "functions": functions,
        "form": "; ".join(note for note in report.notes if note.startswith("takes ")),
        "diagnosis": "; ".join(report.faults),
        "worst_error": max(finite, default=None),
    }


def _limit() -> None:
    """Take from this process what a stranger's file has no use for: memory and other processes."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource  # noqa: PLC0415 - Windows has none

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    def refuse(event: str, _: object) -> None:
        if event in _STARTING:
            raise PermissionError("it starts another process, which is not allowed here")

    sys.addaudithook(refuse)
