"""What Jupyter shows: tables without scripts, and progress as one line that is written over."""

import html
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

_WIDTH = 100


def is_notebook() -> bool:
    """Return whether this is a kernel, whose output can go back to the beginning of a line."""
    return "ipykernel" in sys.modules and not sys.stderr.isatty()


def html_table(caption: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table as HTML; every text is escaped."""
    head = "".join(f"<th>{html.escape(heading)}</th>" for heading in headings)
    body = "".join(
        f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    told = f"<caption>{html.escape(caption)}</caption>"
    return f"<table>{told}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def line_writer() -> tuple[Callable[[str], None], Callable[[], None]]:
    """Return what writes a line over the last one, and what ends that line."""
    written = 0

    def write(text: str) -> None:
        nonlocal written
        text = text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"
        with suppress(OSError):
            sys.stderr.write(f"\r{text.ljust(written)}")
            sys.stderr.flush()
        written = len(text)

    def end() -> None:
        nonlocal written
        if written:
            with suppress(OSError):
                sys.stderr.write("\n")
        written = 0

    return write, end
