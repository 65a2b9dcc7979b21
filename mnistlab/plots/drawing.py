"""Pictures as files, and the process that draws them, without Matplotlib before it is needed."""

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import chdir, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self, cast

import mnistlab
from mnistlab.errors import InputError
from mnistlab.run_folders.files import write_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Our own tree comes before what is installed, which may have another mnistlab, and after Python's
# own modules.
_PROGRAM = f"""
import sys
installed = [at for at, place in enumerate(sys.path) if place.endswith("-packages")]
own = {str(Path(mnistlab.__file__).parents[1])!r}
sys.path.insert(min(installed, default=len(sys.path)), own)
from mnistlab.plots.drawing import import_matplotlib
import_matplotlib()
from mnistlab.plots.plot_registries import main
main()
"""

FORMATS = (".png", ".svg", ".pdf")


class Painter:
    """A drawing process, as a context manager that leaves none behind.

    It imports what it needs while the caller prepares and trains.
    """

    def __init__(self, plugins: Sequence[Path] = ()) -> None:
        # a session of its own keeps the terminal's Ctrl-C away, and ends as a whole
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            # -P: a `random.py` in the folder that somebody works in is none of its business
            [sys.executable, "-P", "-c", _PROGRAM, *map(str, plugins)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            start_new_session=True,
        )
        if hasattr(os, "setpriority"):  # what imports meanwhile gives way to what trains
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, self._process.pid, 10)
        self._questions = cast("IO[str]", self._process.stdin)
        self._answers = cast("IO[str]", self._process.stdout)

    def load(self, folder: Path) -> None:
        """Let it load the data of a run folder whose config is in place; does not wait."""
        self._ask("load", folder)

    def draw(self, folder: Path) -> list[str]:
        """Return the names of the plots drawn into a run; raise RuntimeError with the reason."""
        self._ask("draw", folder)
        answer = self._answers.readline()
        if not answer:
            _, errors = self._process.communicate()
            lines = errors.strip().splitlines() or [f"exit code {self._process.returncode}"]
            raise RuntimeError(lines[-1])
        names: list[str] = json.loads(answer)
        return names

    def _ask(self, what: str, folder: Path) -> None:
        with suppress(BrokenPipeError):  # it has ended; what it said tells why
            self._questions.write(f"{json.dumps([what, str(folder)])}\n")
            self._questions.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        with suppress(BrokenPipeError):
            self._process.communicate()


def import_matplotlib() -> None:
    """Import matplotlib with nobody's settings but the user's own; later imports keep to that.

    It reads a `matplotlibrc` where one works, which may be in somebody else's run folder. The
    backend that a notebook sets for the programs it starts is no concern of files.
    """
    backend = os.environ.pop("MPLBACKEND", None)
    try:
        # In a folder that was removed meanwhile there is nothing to be read either.
        with (
            suppress(FileNotFoundError),
            chdir(Path(mnistlab.__file__).parent),
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
