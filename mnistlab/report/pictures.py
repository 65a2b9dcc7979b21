"""Takes the plots of runs and sweeps from their folders, or draws them by the plots' registries.

A run draws its plots as it ends, so a report finds them as PNG; one that is missing or is no
picture is drawn anew, and so are those of the answers: as SVG, which paper shows sharper.
"""

import io
import warnings

from PIL import Image

from mnistlab.errors import shown
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.folder import SweepFolder

OF_RUN = {
    "learning_curves": "Loss and error rate after each epoch",
    "confusion_matrix": "How often each class was predicted as which",
    "weights": "The weights of each class as an image",
    "mistakes": "The mistakes with the largest margin",
}
OF_SWEEP = {
    "learning_rate": "Validation error against the learning rate",
    "parameter": "Validation error against the value tried",
    "heat_map": "Validation error over the two parameters",
    "parallel_coordinates": "All trials, one line each",
    "all_learning_curves": "The learning curves of all trials",
}
"""The plots that a report shows, and what each shows."""

_MOST_PIXELS = 8_000_000  # some three times the largest plot
_MOST_BYTES = 4_000_000


class Pictures:
    """The pictures of a report: `files` holds the PNG or SVG of each by its file name."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def of(self, folder: RunFolder, title: str) -> list[dict[str, str]]:
        """Return the plots of a run, or those that a sweep has: `plot`, `file`, `caption`.

        One that cannot be drawn has a `problem` for a file.
        """
        names = list(OF_RUN)
        if isinstance(folder, SweepFolder):
            names = [name for name in OF_SWEEP if folder.plot(name).exists()]
        return [one for name in names if (one := self._found(folder, name, title)) is not None]

    def sharp(self, folder: RunFolder, name: str, title: str) -> dict[str, str] | None:
        """Return one plot drawn as SVG, None where there is no data for it."""
        # most reports need no matplotlib
        from mnistlab.plots import PLOTS, SWEEP_PLOTS, RunView, SweepView, encode  # noqa: PLC0415

        try:
            with warnings.catch_warnings():
                # a letter that the font lacks is drawn as an empty box, which says enough
                warnings.filterwarnings("ignore", message="Glyph .* missing from")
                if isinstance(folder, SweepFolder):
                    figure = SWEEP_PLOTS[name](SweepView(folder))
                else:
                    figure = PLOTS[name](RunView(folder))
                if figure is None:
                    return None
                return {**_told(name, title), "file": self._keep(encode(figure, "svg"), "svg")}
        except Exception as error:  # whatever it is, the rest is worth having
            return {**_told(name, title), "problem": shown(str(error) or type(error).__name__)}

    def _found(self, folder: RunFolder, name: str, title: str) -> dict[str, str] | None:
        picture = _read_png(folder, name)
        if picture is None:
            return self.sharp(folder, name, title)
        return {**_told(name, title), "file": self._keep(picture, "png")}

    def _keep(self, picture: bytes, form: str) -> str:
        file = f"{len(self.files)}.{form}"
        self.files[file] = picture
        return file


def _told(name: str, title: str) -> dict[str, str]:
    return {"plot": name, "caption": f"{(OF_RUN | OF_SWEEP)[name]}: {title}"}


def _read_png(folder: RunFolder, name: str) -> bytes | None:
    """Return a plot of the folder, None unless it is a PNG of a plot's size."""
    path = folder.plot(name)
    try:
        if path.is_symlink() or path.stat().st_size > _MOST_BYTES:
            return None
        content = path.read_bytes()
        with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            return _shrink(picture) if picture.width * picture.height <= _MOST_PIXELS else None
    except Exception:  # Pillow raises all kinds of errors at what is no picture
        return None


def _shrink(picture: Image.Image) -> bytes:
    """Return a picture as PNG of 128 colours, a quarter of its size; the corner's stays as it is.

    What somebody else may have hidden in the file is gone with it.
    """
    colours = picture.convert("RGB")
    few = colours.quantize(128, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    corner, palette = (0, 0, 1, 1), few.getpalette() or []
    at = few.crop(corner).tobytes()[0]
    palette[3 * at : 3 * at + 3] = colours.crop(corner).tobytes()
    few.putpalette(palette)
    file = io.BytesIO()
    few.save(file, "PNG")
    return file.getvalue()
