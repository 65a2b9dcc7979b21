"""Lines of our own code, taken from the source as it is installed, so that none goes stale."""

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import mnistlab
from mnistlab.report.document import Listing


def whole(part: Callable[..., Any]) -> Listing:
    """Return a function of ours without its docstring."""
    lines, first, tree = _read(part)
    dropped: range = range(0)
    if ast.get_docstring(tree) is not None:
        words = tree.body[0]
        dropped = range(words.lineno, (words.end_lineno or words.lineno) + 1)
    kept = [line for number, line in enumerate(lines, 1) if number not in dropped]
    return Listing(_clean(kept), _place(part, first, first + len(lines) - 1))


def excerpt(part: Callable[..., Any], start: str, end: str | None = None) -> Listing:
    """Return the statement of a function of ours that holds the text `start`.

    With `end`, the lines from there to the statement that holds `end`. Raises ValueError where
    the function has no such statement.
    """
    lines, first, tree = _read(part)
    text = "\n".join(lines)
    opening = _find(tree, text, start)
    closing = opening if end is None else _find(tree, text, end)
    from_line, to_line = opening.lineno, closing.end_lineno or closing.lineno
    code = _clean(lines[from_line - 1 : to_line])
    return Listing(code, _place(part, first + from_line - 1, first + to_line - 1))


def _clean(lines: Sequence[str]) -> str:
    """Return lines without their common indent and without what is meant for the linter."""
    text = textwrap.dedent("\n".join(lines)).rstrip()
    return re.sub(r" *# noqa:.*", "", text)


def _read(part: Callable[..., Any]) -> tuple[list[str], int, ast.FunctionDef]:
    """Return a function's lines, the number of the first one in its file, and its tree."""
    lines, first = inspect.getsourcelines(part)
    text = textwrap.dedent("".join(lines))
    tree = ast.parse(text).body[0]
    assert isinstance(tree, ast.FunctionDef)  # noqa: S101 - only functions are asked for
    return text.splitlines(), first, tree


def _find(tree: ast.FunctionDef, text: str, key: str) -> ast.stmt:
    """Return the smallest statement that holds a text."""
    holding = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt)
        and node is not tree
        and key in (ast.get_source_segment(text, node) or "")
    ]
    if not holding:
        raise ValueError(f"{tree.name} has no statement with {key!r}")
    return min(holding, key=lambda node: len(ast.get_source_segment(text, node) or ""))


def _place(part: Callable[..., Any], first: int, last: int) -> str:
    root = Path(mnistlab.__file__).resolve().parent.parent
    path = Path(inspect.getfile(part)).resolve()
    shown = path.relative_to(root) if path.is_relative_to(root) else path
    lines = f"line {first}" if first == last else f"lines {first} to {last}"
    return f"{shown.as_posix()}, {lines}, in {part.__qualname__}"
