"""Loads a user's own Python files, which register models, losses, datasets and the like."""

import contextlib
import importlib.util
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from mnistlab.core.contracts import REGISTRIES, ContractError, check_part
from mnistlab.errors import InputError


def load_plugins(paths: Sequence[Path]) -> None:
    """Run each file once; it registers what it adds, e.g. `LOSSES.add("mine", Mine())`.

    Only paths that the user typed come here: a config or a run folder never names code. Every
    new part is tried on a tiny example. Raises InputError that names the file, the line where
    there is one, and the reason.
    """
    for path in dict.fromkeys(path.resolve() for path in paths):
        known = {registry.kind: set(registry) for registry in REGISTRIES}
        with contextlib.redirect_stdout(sys.stderr):  # stdout is for results
            run_file(path, f"plugin {path}")
        for registry in REGISTRIES:
            for name in registry:
                if name not in known[registry.kind]:
                    _try(path, registry.kind, name, registry[name])


def run_file(path: Path, label: str) -> ModuleType:
    """Run a Python file and return it as a module.

    Raises InputError that opens with `label` and names the line where the file fails.
    """
    if not path.is_file():
        what = "is a folder, not a file" if path.is_dir() else "there is no such file"
        raise InputError(f"{label}: {what}")
    name = f"mnistlab_file_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"{label}: is no Python file (.py)")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise InputError(f"{label}{line_in(path, error)}: {describe(error)}") from error
    return module


def line_in(path: Path, error: BaseException) -> str:
    """Return ", line N", the last line of the file at `path` that led to `error`, or nothing."""
    if isinstance(error, SyntaxError):
        return f", line {error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename) == path]
    return f", line {lines[-1]}" if lines else ""


def describe(error: BaseException) -> str:
    """Return an error as one line: its kind and what it says."""
    text = error.msg if isinstance(error, SyntaxError) else " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _try(path: Path, kind: str, name: str, part: object) -> None:
    where = f"plugin {path}: {kind} {name!r}"
    try:
        check_part(kind, part)
    except ContractError as error:
        raise InputError(f"{where} {error}") from None
    except Exception as error:
        line = line_in(path, error)
        raise InputError(f"{where} fails{line.replace(',', ' in')}: {describe(error)}") from error
