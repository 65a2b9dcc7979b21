"""Loads a user's own Python files, which register models, losses, datasets and the like."""

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

from mnistlab.errors import InputError


def load_plugins(paths: Sequence[Path]) -> None:
    """Run each file once; it registers what it adds, e.g. `LOSSES.add("mine", Mine())`.

    Only paths that the user typed come here: a config or a run folder never names code.
    Raises InputError that names the file, the line and the reason where a file fails.
    """
    for path in paths:
        name = f"mnistlab_plugin_{path.stem}"
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None or not path.is_file():
            raise InputError(f"plugin {path}: is no Python file (.py)")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            raise InputError(f"plugin {path}{_line_in(path, error)}: {error!r}") from error


def _line_in(path: Path, error: Exception) -> str:
    if isinstance(error, SyntaxError):
        return f", line {error.lineno}"
    lines = []
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            lines.append(trace.tb_lineno)
        trace = trace.tb_next
    return f", line {lines[-1]}" if lines else ""
