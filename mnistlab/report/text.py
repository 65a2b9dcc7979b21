"""Makes what a run folder says safe and short enough to show, as text and as numbers."""

import unicodedata
from typing import Any

from mnistlab.datasets import describe_steps
from mnistlab.store.facts import is_number

LONGEST = 300
"""Letters of a text from a run folder: what is longer is no name, and is cut."""

DASH = "\N{EN DASH}"
"""Stands where there is no value."""


def clean(text: str) -> str:
    r"""Return `text` on one line, cut to LONGEST letters.

    Controls, marks of direction and lone surrogates are written out, as `\x1b` or `\u202e`.
    """
    if len(text) <= LONGEST and text.isprintable() and "  " not in text:
        return text.strip()
    words = " ".join(text[: 2 * LONGEST].split())
    shown = "".join(map(_visible, words))
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"


def clean_all(data: Any) -> Any:
    """Return nested lists and mappings with every text in them, keys too, made clean."""
    if isinstance(data, str):
        return clean(data)
    if isinstance(data, dict):
        return {clean(str(key)): clean_all(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [clean_all(value) for value in data]
    return data


def show(key: str, value: Any) -> str:
    """Return a value as reports show what stands under this key; a dash where there is none."""
    if isinstance(value, list):
        return describe_steps(value) or "none"
    if isinstance(value, str | bool):
        return str(value).replace("_", " ")
    if not is_number(value):
        return DASH
    if key.endswith("accuracy"):
        return f"{value:.2%}"
    if key.endswith("loss") and abs(value) < 1e6:
        return f"{value:.4f}"
    shown = str(value) if isinstance(value, int) else f"{value:.4g}"
    return shown.replace("-", "\N{MINUS SIGN}", 1) if value < 0 else shown


def number(run: str, key: str, value: Any) -> dict[str, Any] | None:
    """Return a number as reports know it, with the run and the key that it comes from.

    None for anything that is no finite number.
    """
    if not is_number(value):
        return None
    return {"run": run, "key": key, "value": value, "shown": show(key, value)}


def _visible(letter: str) -> str:
    if letter.isprintable():
        return letter
    return " " if unicodedata.category(letter) == "Zs" else ascii(letter)[1:-1]
