"""The command line's outermost layer: the terminal, signals, and errors turned into messages."""

import atexit
import codecs
import errno
import os
import re
import signal
import sys
import traceback
from contextlib import suppress
from typing import NoReturn

from mnistlab.errors import (
    Interrupted,
    MnistlabError,
    catch_signals,
    escape,
    ignore_signals,
    paint,
    received_signal,
)


def main() -> NoReturn:
    """Run `mnistlab` with the process' arguments and exit with its code."""
    arguments = [expand_home(word) for word in sys.argv[1:] if word != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    try:
        catch_signals()
        _open_streams()
        _check_columns()
        # pydantic would search all that is installed for plugins of its own, a tenth of the start
        os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
        from mnistlab.cli import run  # noqa: PLC0415 - a Ctrl-C during imports is handled too

        code = run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt as stop:
        code = getattr(stop, "exit_code", Interrupted().exit_code)
        _exit(f"interrupted{_advice(stop)}", code)
    except MnistlabError as error:
        if debug:
            traceback.print_exc()
        _exit(f"error: {error}{_advice(error)}", error.exit_code)
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)
    except OSError as error:
        if debug:
            traceback.print_exc()
        place = error.filename or "input/output"
        code = 2 if error.errno == errno.ENAMETOOLONG else 1  # somebody has typed it
        _exit(f"error: {place}: {error.strerror or error}{_advice(error)}", code)
    except SystemExit:
        raise
    except BaseException as error:  # what Rust panics with is no Exception
        if debug:
            traceback.print_exc()
        signum = received_signal()
        if signum is not None:  # raised in the midst of an import, it comes out as something else
            _exit("interrupted", Interrupted(signum).exit_code)
        _exit(f"error: {_describe_unforeseen(error)}{_advice(error)}", 1)
    sys.exit(code)


def expand_home(word: str) -> str:
    """Return a word of the command line with a leading ~ expanded, after --option= or @ too.

    A shell does that only where the ~ begins a word.
    """
    match = re.match(r"(--?[A-Za-z][\w-]*=|@|-[A-Za-z])?(?=~)", word)
    option = match[1] or "" if match else word
    path = word.removeprefix(option)
    return option + os.path.expanduser(path)


_SUBSTITUTES = str.maketrans(
    {"–": "-", "−": "-", "±": "+-", "×": "x", "…": "...", "→": "->", "’": "'"}  # noqa: RUF001
    | dict.fromkeys("▏▎▍▌▋▊▉█▁▂▃▄▅▆▇", "#")
)
"""What stands for characters of ours in an encoding that lacks them."""


def _substitute(error: UnicodeError) -> tuple[str | bytes, int]:
    """Return what stands for a character that the output's encoding lacks.

    The bytes of a file name that are no text stay what they are.
    """
    assert isinstance(error, UnicodeEncodeError)  # noqa: S101 - nothing is decoded here
    character = error.object[error.start]
    if "\udc80" <= character <= "\udcff":
        return bytes([ord(character) - 0xDC00]), error.start + 1
    substitute = character.translate(_SUBSTITUTES)
    return (substitute if substitute.isascii() else "?"), error.start + 1


codecs.register_error("substitute", _substitute)


def _open_streams() -> None:
    """Replace streams that the caller closed, and let anything be printed in any encoding."""
    for name, errors in (("stdout", "substitute"), ("stderr", "backslashreplace")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
        getattr(sys, name).reconfigure(errors=errors)


@atexit.register
def _drop_what_nobody_can_read() -> None:
    """Empty stderr: what a full device did not take would make Python end with 120."""
    try:
        sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    except (AttributeError, ValueError):  # there is none, or it is closed
        pass


def _check_columns() -> None:
    """Give COLUMNS a width that text can have, where it is set to something else."""
    columns = os.environ.get("COLUMNS")
    if columns is not None and not re.fullmatch(r"[1-9][0-9]{0,3}", columns):
        os.environ["COLUMNS"] = "80"


def _advice(error: BaseException) -> str:
    """Return what was noted on an error on its way: how to go on, say."""
    return "".join(f"; {note}" for note in getattr(error, "__notes__", []))


def _describe_unforeseen(error: BaseException) -> str:
    """Return what to say of an error that nobody foresaw, which need not be a fault of ours."""
    if isinstance(error, MemoryError):
        return f"there is not enough memory ({str(error) or 'all is in use'}); ask for less at once"
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        return "this process may start no more threads; let it have some, see ulimit -u"
    plugins = sys.modules.get("mnistlab.plugins")
    if plugins is not None and (told := plugins.blame(error)):
        return f"{told}; --debug shows where"
    text = f"{type(error).__name__}: {error}"
    if not isinstance(error, Exception):
        return f"a library has failed, {text}; --debug shows where"
    return f"unexpected {text}; this is a fault of mnistlab, --debug shows where"


def _exit(message: str, code: int) -> NoReturn:
    ignore_signals()
    # a name or a text from a file may hold what a terminal would obey
    with suppress(OSError):  # nobody is there to read it
        text = escape(message)
        if text.startswith("error:"):
            text = paint("error:", "red", sys.stderr) + text.removeprefix("error:")
        sys.stderr.write(f"mnistlab: {text}\n")
        sys.stderr.flush()
    sys.exit(code)


if __name__ == "__main__":
    main()
