"""Reads what a page of the documentation tells to type, and types it.

A page is run in its order. Its ```python, ```yaml and ```bash blocks whose first line is a comment
with a name, such as `# mine.py`, are files; each line `$ ...` of a ```console block is a command,
and so is each `mnistlab ...` in a row of a table. A comment before a block says what is special:
`<!-- exit code 1 -->`, or `<!-- not run: why -->`.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]

_BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>[^\n]*) -->\n+)?^```(?P<language>[^\n]*)\n(?P<body>.*?)^```$"
    r"|^\| (?P<row>[^\n]*)$",
    re.DOTALL | re.MULTILINE,
)
_FILE_NAME = re.compile(r"(?:#!.*\n)?# (\S+\.\w+)\n")
_RUN_NAME = re.compile(r"\d{8}-\d{6}-[\w.-]+")
_SHELL = set("();<>|&")


@dataclass(frozen=True)
class Command:
    """A command of a page: what is typed, what the page shows of its output, its exit code."""

    line: str
    shown: str = ""
    code: int = 0
    is_row: bool = False


@dataclass(frozen=True)
class Page:
    """A page: its files by name, its commands in their order, those that are not run."""

    path: Path
    files: dict[str, str]
    commands: list[Command]
    left_out: list[Command]

    @property
    def name(self) -> str:
        return self.path.name


@dataclass(frozen=True)
class Outcome:
    """What came of a command."""

    command: Command
    code: int
    out: str
    err: str


def read_page(path: Path) -> Page:
    """Return the files and commands of a page; a python block without a name is refused."""
    page = Page(path, {}, [], [])
    for block in _BLOCK.finditer(path.read_text(encoding="utf-8")):
        if block["row"] is not None:
            for line in re.findall(r"`(mnistlab [^`\n]+)`", block["row"]):
                page.commands.append(Command(line, is_row=True))
        elif block["language"] == "console":
            mark = block["mark"] or ""
            code = int(mark.removeprefix("exit code ")) if mark.startswith("exit code ") else 0
            into = page.left_out if mark.startswith("not run: ") else page.commands
            into.extend(_console(block["body"], code))
        elif name := _FILE_NAME.match(block["body"]):
            page.files[name[1]] = block["body"]
        else:
            assert block["language"] != "python", f"{path.name}: a python block has no name"
    return page


def _console(body: str, code: int) -> list[Command]:
    commands = []
    for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        line, shown = re.fullmatch(r"((?:[^\n]*\\\n)*[^\n]*)\n?(.*)", part, re.DOTALL).groups()
        commands.append(Command(line, shown, code))
    return commands


def words_of(text: str) -> set[str]:
    """Return the words of a command's output that are the same each time."""
    return set(re.findall(r"(?<![\w.])[A-Za-z_]{3,}(?![\w.]*…)", _RUN_NAME.sub("RUN", text)))


_DRIVER = """
import contextlib, glob, io, json, os, runpy, shlex, subprocess, sys
from pathlib import Path
import mnistlab
from mnistlab.__main__ import main

def newest(kind):
    runs = sorted(Path("runs").glob("2*"), reverse=True)
    return next(run.name for run in runs if (run / "plan.json").exists() == (kind == "sweep"))

def call(words):
    sys.argv = words
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = 0
            if words[0] == "python":
                sys.argv = words[1:]
                runpy.run_path(words[1], run_name="__main__")
            else:
                main()
        except SystemExit as end:
            code = end.code or 0
        except Exception:
            import traceback
            traceback.print_exc()
            code = 1
    for stream in (out, err):
        stream.flush()
    return [code, *(stream.buffer.getvalue().decode() for stream in (out, err))]

outcomes = []
for kind, words in json.load(sys.stdin):
    if isinstance(words, str) and words.startswith("export "):
        os.environ.update(word.split("=", 1) for word in shlex.split(words)[1:])
        outcomes.append([0, "", ""])
        continue
    if isinstance(words, str):
        done = subprocess.run(["bash", "-c", words], capture_output=True, text=True)
        outcomes.append([done.returncode, done.stdout, done.stderr])
        continue
    words = [one for word in words for one in (sorted(glob.glob(word)) or [word])]
    if kind:
        latest = Path("runs/latest")
        latest.unlink(missing_ok=True)
        latest.symlink_to(newest(kind))
        words = [word.replace("SWEEP", newest("sweep")).replace("RUN", newest("run"))
                 for word in words]
    outcomes.append(call(words))
Path("outcomes.json").write_text(json.dumps([mnistlab.__file__, outcomes]))
"""


def run_page(page, steps, work, installed, home):
    """Type the steps of a page in the folder `work`; return their outcomes and the package used.

    A step is a command with how it is typed: a kind and words for one that is called in the one
    process of the page, or a line for a shell. `installed` is where the package is.
    """
    for name, text in page.files.items():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(text)
    programs = home / "programs"
    programs.mkdir(parents=True, exist_ok=True)
    for name, words in (("mnistlab", "-P -m mnistlab"), ("python", "-P")):
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {words} "$@"\n')
        program.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-P", "-c", _DRIVER],
        input=json.dumps([typed for _, typed in steps]),
        cwd=work,
        env={
            **{key: value for key, value in os.environ.items() if "COV" not in key},
            "PYTHONPATH": str(installed),
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(home),
            "COLUMNS": "80",
            "MNISTLAB_DATA_DIR": str(home / "data"),
            "MNISTLAB_RUNS_DIR": "runs",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    package, outcomes = json.loads((work / "outcomes.json").read_text())
    return Path(package), [
        Outcome(command, *outcome) for (command, _), outcome in zip(steps, outcomes, strict=True)
    ]


def typed(command):
    """Return the words of a command that can be called in the page's process, else its line."""
    line = command.line.replace("\\\n", " ")
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words = list(lexer)
    is_plain = not any(set(word) <= _SHELL or "$" in word for word in words)
    return words if words[0] in ("mnistlab", "python") and is_plain else line
