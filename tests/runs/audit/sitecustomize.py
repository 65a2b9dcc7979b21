"""Tells of every file that a Python process touches and of all code that it runs.

Python imports a module of this name as it starts, so the processes that a command starts are
heard too. Each event becomes a line of JSON, [event, path, ...], in the file AUDIT_LOG.
"""

import json
import os
import sys

_PATHS = {
    "open": 1,
    "os.listdir": 1,
    "os.scandir": 1,
    "os.mkdir": 1,
    "os.rmdir": 1,
    "os.remove": 1,
    "os.rename": 2,
    "os.link": 2,
    "os.symlink": 2,
    "os.truncate": 1,
    "os.chmod": 1,
    "os.utime": 1,
    "os.chdir": 1,
    "shutil.rmtree": 1,
    "shutil.copyfile": 2,
    "shutil.move": 2,
}
"""The events and how many of their first arguments are paths."""

_BELOW = ("os.remove", "os.rmdir")
"""Those that may name a file in an open folder, whose number then comes second."""


def _listen():
    log = os.open(os.environ["AUDIT_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def hear(event, arguments):
        if event in _PATHS:
            given = arguments[: _PATHS[event]]
            # what is opened by its number was opened by its name before
            paths = [_as_path(one) for one in given if not isinstance(one, int)]
            if event in _BELOW and arguments[1] >= 0:
                paths = [_below(arguments[1], arguments[0])]
            writes = event == "open" and bool((arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR))
            kind = "open to write" if writes else event
        elif event == "exec":
            kind, paths = event, [str(arguments[0].co_filename)]
        elif event == "import":
            kind, paths = event, [str(arguments[0]), str(arguments[1] or "")]
        elif event == "subprocess.Popen":
            kind, paths = event, [str(one) for one in arguments[1]]
        elif event in ("os.system", "pickle.find_class", "marshal.loads"):
            kind, paths = event, []
        else:
            return
        os.write(log, (json.dumps([kind, *paths]) + "\n").encode())

    sys.addaudithook(hear)


def _as_path(one):
    name = os.fsdecode("." if one is None else one)
    return os.path.realpath(name) if "\0" not in name else name


def _below(folder, name):
    """Return the path of a name in an open folder; what is a link is itself meant."""
    place = os.path.realpath(f"/proc/self/fd/{folder}")
    return f"{place}/{os.fsdecode(name)}"


if "AUDIT_LOG" in os.environ:
    _listen()
