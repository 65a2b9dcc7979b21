"""Writes a figure as the kind of picture that a file's name asks for."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

from mnistlab.errors import InputError
from mnistlab.runs.files import write_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf")


def check_picture(path: Path) -> None:
    """Raise InputError unless a picture can be written to `path`, before any work is done."""
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"{path}: a picture's name ends in {', '.join(FORMATS[:-1])} or .pdf")
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name a file for the picture")
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent} to write into")


def save_picture(figure: "Figure", path: Path) -> None:
    """Write `figure` as PNG (150 dots per inch), SVG or PDF, by the ending of `path`.

    `path` is never half a picture, and the same figure gives the same bytes. Raises OSError
    where it cannot be written.
    """
    import matplotlib  # noqa: PLC0415 - checking a name needs none of it

    from mnistlab.plots import page, style  # noqa: PLC0415

    picture = io.BytesIO()
    kind = path.suffix.lower().removeprefix(".")
    if kind == "png":
        page.save(figure, picture)
    else:
        # what says when it was made would differ each time
        undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}[kind]
        with matplotlib.rc_context({**style.SETTINGS, "svg.hashsalt": "mnistlab"}):
            figure.savefig(picture, format=kind, metadata=undated)
    write_bytes(path, picture.getvalue())
