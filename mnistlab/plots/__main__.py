"""A process of its own that draws runs: it imports and loads while the first one still trains.

Importing matplotlib takes as long as half a training run, and only a second process can do
it at the same time. `python -m mnistlab.plots [PLUGIN …]` reads requests, one JSON array a line:
["load", RUN] loads the data of a run folder ahead of time; ["draw", RUN] draws its plots and is
answered by the names of what was drawn. It ends with its input.
"""

import json
import multiprocessing
import sys
from pathlib import Path

from mnistlab.plots.gallery import PLOTS, draw
from mnistlab.plots.view import RunView, load_data_of
from mnistlab.plugins import load_plugins
from mnistlab.runs import RunFolder


def main() -> None:
    """Answer requests until there are no more."""
    load_plugins([Path(word) for word in sys.argv[1:]])
    for line in sys.stdin:
        what, folder = json.loads(line)
        if what == "load":
            load_data_of(RunFolder(Path(folder)))
        else:
            drawn = draw_all(RunFolder(Path(folder)))
            sys.stdout.write(f"{json.dumps(drawn)}\n")
            sys.stdout.flush()


def draw_all(folder: RunFolder) -> list[str]:
    """Draw every plot that the run has data for, and return their names."""
    names = list(PLOTS)
    if sys.platform != "linux":  # elsewhere a fork after such imports is not safe
        return _draw(folder, names)
    with multiprocessing.get_context("fork").Pool(1) as helper:  # two took 0.2 s less than one
        helping = helper.apply_async(_draw, (folder, names[1::2]))
        drawn = {*_draw(folder, names[::2]), *helping.get()}
    return [name for name in names if name in drawn]


def _draw(folder: RunFolder, names: list[str]) -> list[str]:
    view = RunView(folder)
    return [name for name in names if draw(view, name)]


if __name__ == "__main__":
    main()
