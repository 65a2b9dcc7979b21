"""The command line's outermost layer: signals, `--debug`, and errors turned into messages."""

import os
import sys
import traceback
from contextlib import suppress
from typing import NoReturn

from mnistlab import interrupts
from mnistlab.errors import Interrupted, MnistlabError, escape


def main() -> NoReturn:
    """Run `mnistlab` with the process' arguments and exit with its code."""
    arguments = [word for word in sys.argv[1:] if word != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    try:
        interrupts.install()
        _open_streams()
        # pydantic would search all that is installed for plugins of its own, a tenth of the start
        os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
        from mnistlab.cli import run  # noqa: PLC0415 - a Ctrl-C during imports is handled too

        code = run(arguments)
    except KeyboardInterrupt as stop:
        code = getattr(stop, "exit_code", Interrupted().exit_code)
        _exit(f"interrupted{_advice(stop)}", code)
    except MnistlabError as error:
        if debug:
            traceback.print_exc()
        _exit(f"error: {error}{_advice(error)}", error.exit_code)
    except OSError as error:
        if debug:
            traceback.print_exc()
        place = error.filename or "input/output"
        _exit(f"error: {place}: {error.strerror or error}{_advice(error)}", 1)
    except Exception as error:
        if debug:
            traceback.print_exc()
        signum = interrupts.received()
        if signum is not None:  # raised in the midst of an import, it comes out as something else
            _exit("interrupted", Interrupted(signum).exit_code)
        _exit(
            f"error: unexpected {type(error).__name__}: {error}; "
            "this is a fault of mnistlab, --debug shows where",
            1,
        )
    sys.exit(code)


def _open_streams() -> None:
    """Replace streams that the caller closed, and let any file name be printed."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
        getattr(sys, name).reconfigure(errors="surrogateescape")


def _advice(error: BaseException) -> str:
    """Return what was noted on an error on its way: how to go on, say."""
    return "".join(f"; {note}" for note in getattr(error, "__notes__", []))


def _exit(message: str, code: int) -> NoReturn:
    # a name or a text from a file may hold what a terminal would obey
    with suppress(OSError):  # nobody is there to read it
        sys.stderr.write(f"mnistlab: {escape(message)}\n")
        sys.stderr.flush()
    sys.exit(code)


if __name__ == "__main__":
    main()
