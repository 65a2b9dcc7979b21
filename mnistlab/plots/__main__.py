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
from typing import Any, TextIO

from mnistlab.core import Registry
from mnistlab.errors import MnistlabError, describe_error
from mnistlab.plots.plot_registries import plots_of, save_plot
from mnistlab.plots.views import RunView, SweepView
from mnistlab.plugins import load_plugins
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.places import check_inside


def main() -> None:
    """Load the plugins named on the command line and answer requests until there are no more."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a plugin prints is no answer
    load_plugins([Path(word) for word in sys.argv[1:]])
    try:
        serve(sys.stdin, answers)
    except (OSError, MnistlabError) as error:  # the last line is what the run tells of it
        sys.exit(describe_error(error))


def serve(requests: Iterable[str], answers: TextIO) -> None:
    """Do what each line of `requests` asks for; write a line of answer to each `draw`."""
    for line in requests:
        what, folder = json.loads(line)
        if what == "load":
            _ = RunView(RunFolder(Path(folder))).dataset
        else:
            answers.write(f"{json.dumps(draw_all(RunFolder(Path(folder))))}\n")
            answers.flush()


def draw_all(folder: RunFolder) -> list[str]:
    """Draw every plot that the run or the sweep has data for, and return their names.

    Two processes draw, each the next one that is left (that took 0.2 s less). If the second was
    killed, say, all are drawn here.
    """
    check_inside(folder.path, folder.path.parent, of_runs=False)
    plots, view = plots_of(folder)
    names = list(plots)
    draw = partial(_draw, plots, view)
    if sys.platform != "linux":  # elsewhere a fork after such imports is not safe
        draw(names)
    else:
        left, given = os.pipe()  # holds the places of the names that nobody has taken
        os.write(given, bytes(range(len(names))))
        os.close(given)
        take = partial(os.read, left, 1)
        draw_what_is_left = partial(draw, (names[place] for (place,) in iter(take, b"")))
        helper = multiprocessing.get_context("fork").Process(target=_try, args=[draw_what_is_left])
        helper.start()
        draw_what_is_left()
        helper.join()
        os.close(left)
        if helper.exitcode != 0:
            draw(names)
    return [name for name in names if folder.plot(name).exists()]


def _try(draw: Callable[[], None]) -> None:
    """Draw in the second process; what fails is told when it fails in the first one too."""
    try:
        draw()
    except (Exception, SystemExit):  # the plot of a plugin may call exit()
        sys.exit(1)


def _draw(plots: Registry[Any], view: RunView | SweepView, names: Iterable[str]) -> None:
    """Draw the plots of these names."""
    for name in names:
        save_plot(plots[name](view), view.folder, name)


if __name__ == "__main__":
    main()
