"""A process of its own that draws runs: it imports and loads while the first one still trains.

Importing matplotlib takes as long as half a training run, and only a second process can do
it at the same time. `python -m mnistlab.plots RUN [PLUGIN …]` loads RUN's data, then draws
the run folder that each line of its input names (as a JSON string), answers each with the
names of what it drew, and ends with its input.
"""

import json
import sys
from pathlib import Path

from mnistlab.plots.gallery import PLOTS, draw
from mnistlab.plots.view import RunView, load_data_of
from mnistlab.plugins import load_plugins
from mnistlab.runs import RunFolder


def main() -> None:
    """Load, then draw what is asked for."""
    first, *plugins = map(Path, sys.argv[1:])
    load_plugins(plugins)
    load_data_of(RunFolder(first))
    for line in sys.stdin:
        view = RunView(RunFolder(Path(json.loads(line))))
        drawn = [name for name in PLOTS if draw(view, name)]
        sys.stdout.write(f"{json.dumps(drawn)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
