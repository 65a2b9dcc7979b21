"""Writes a figure as the kind of picture that a file's name asks for."""

import contextlib
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mnistlab
from mnistlab.errors import InputError
from mnistlab.run_folders.files import write_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf")


def import_matplotlib() -> None:
    """Import matplotlib with nobody's settings but the user's own; later imports keep to that.

    It reads a `matplotlibrc` where one works, which may be in somebody else's run folder. The
    backend that a notebook sets for the programs it starts is no concern of files.
    """
    backend = os.environ.pop("MPLBACKEND", None)
    try:
        # In a folder that was removed meanwhile there is nothing to be read either.
        with (
            contextlib.suppress(FileNotFoundError),
            contextlib.chdir(Path(mnistlab.__file__).parent),
        ):
            import matplotlib  # noqa: F401, PLC0415 - it reads its settings as it is imported
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend


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
    write_bytes(path, encode(figure, path.suffix.lower().removeprefix(".")))


def encode(figure: "Figure | list[Figure]", kind: str = "png") -> bytes:
    """Return the bytes of a figure as `png`, `svg` or `pdf`, the same for the same figure.

    A `pdf` takes several, a page each.
    """
    import matplotlib  # noqa: PLC0415 - checking a name needs none of it

    from mnistlab.plots import style  # noqa: PLC0415

    # what says when or by what it was made would differ each time
    undated = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
    # Level 6 took 1.5 times as long for files a tenth smaller.
    options: dict[str, Any] = {"pil_kwargs": {"compress_level": 1}} if kind == "png" else {}
    picture = io.BytesIO()
    with matplotlib.rc_context(style.SETTINGS):
        if not isinstance(figure, list):
            figure.savefig(picture, format=kind, dpi=style.DPI, metadata=undated[kind], **options)
        else:
            from matplotlib.backends.backend_pdf import PdfPages  # noqa: PLC0415

            with PdfPages(picture, metadata=undated["pdf"]) as pages:
                for one in figure:
                    pages.savefig(one)
    return picture.getvalue()
