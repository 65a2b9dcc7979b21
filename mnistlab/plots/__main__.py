"""A process of its own that draws runs: it imports and loads while the first one still trains.

Importing matplotlib takes as long as half a training run, and only a second process can do
it at the same time. `python -m mnistlab.plots [PLUGIN …]` reads requests, one JSON array a line:
["load", RUN] loads the data of a run folder ahead of time; ["draw", RUN] draws the plots of a run
or a sweep and is answered by the names of what was drawn. It ends with its input.
"""

import json
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TextIO

from mnistlab.errors import MnistlabError, tell
from mnistlab.plots.gallery import PLOTS, draw, keep_plot
from mnistlab.plots.sweep_view import SweepView
from mnistlab.plots.view import RunView, load_data_of
from mnistlab.plugins import load_plugins
from mnistlab.runs import RunFolder
from mnistlab.runs.folder import SweepFolder, is_sweep


def main() -> None:
    """Load the plugins named on the command line and answer requests until there are no more."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a plugin prints is no answer
    load_plugins([Path(word) for word in sys.argv[1:]])
    try:
        serve(sys.stdin, answers)
    except (OSError, MnistlabError) as error:  # the last line is what the run tells of it
        sys.exit(tell(error))


def serve(requests: Iterable[str], answers: TextIO) -> None:
    """Do what each line of `requests` asks for; write a line of answer to each `draw`."""
    for line in requests:
        what, folder = json.loads(line)
        if what == "load":
            load_data_of(RunFolder(Path(folder)))
        else:
            path = Path(folder)
            drawn = draw_sweep(SweepFolder(path)) if is_sweep(path) else draw_all(RunFolder(path))
            answers.write(f"{json.dumps(drawn)}\n")
            answers.flush()


def draw_all(folder: RunFolder) -> list[str]:
    """Draw every plot that the run has data for, and return their names."""
    return _draw_in_halves(partial(_draw, folder), list(PLOTS), folder)


def draw_sweep(folder: SweepFolder) -> list[str]:
    """Draw every plot that says something of a sweep, and return their names."""
    from mnistlab.plots.sweep_gallery import SWEEP_PLOTS  # noqa: PLC0415 - `train` needs none

    def draw_some(names: list[str]) -> None:
        view = SweepView(folder)
        for name in names:
            keep_plot(SWEEP_PLOTS[name](view), folder, name)

    return _draw_in_halves(draw_some, list(SWEEP_PLOTS), folder)


def _draw_in_halves(
    draw_some: Callable[[list[str]], None], names: list[str], folder: RunFolder
) -> list[str]:
    """Draw the plots of these names, and return those that there are.

    A second process draws half of them (that took 0.2 s less); what it could not, because it
    was killed say, is drawn here.
    """
    if sys.platform != "linux":  # elsewhere a fork after such imports is not safe
        draw_some(names)
    else:
        context = multiprocessing.get_context("fork")
        helper = context.Process(target=_try, args=(draw_some, names[1::2]))
        helper.start()
        draw_some(names[::2])
        helper.join()
        if helper.exitcode != 0:
            draw_some(names[1::2])
    return [name for name in names if folder.plot(name).exists()]


def _try(draw_some: Callable[[list[str]], None], names: list[str]) -> None:
    """Draw in the second process; what fails is told when it fails in the first one too."""
    try:
        draw_some(names)
    except Exception:
        sys.exit(1)


def _draw(folder: RunFolder, names: list[str]) -> None:
    view = RunView(folder)
    for name in names:
        draw(view, name)


if __name__ == "__main__":
    main()
