"""The command line's outermost layer: signals, `--debug`, and errors turned into messages."""

import sys
from typing import NoReturn

from mnistlab import interrupts
from mnistlab.errors import Interrupted, MnistlabError


def main() -> NoReturn:
    """Run `mnistlab` with the process' arguments and exit with its code."""
    arguments = [word for word in sys.argv[1:] if word != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    try:
        interrupts.install()
        from mnistlab.cli import app  # noqa: PLC0415 - a Ctrl-C during imports is handled too

        app(arguments, prog_name="mnistlab")
    except KeyboardInterrupt as stop:
        _exit("interrupted", getattr(stop, "exit_code", Interrupted().exit_code))
    except MnistlabError as error:
        if debug:
            raise
        _exit(f"error: {error}", error.exit_code)
    except OSError as error:
        if debug:
            raise
        _exit(f"error: {error.filename or 'input/output'}: {error.strerror or error}", 1)
    except Exception as error:
        if debug:
            raise
        _exit(
            f"error: unexpected {type(error).__name__}: {error}; "
            "this is a fault of mnistlab, --debug shows where",
            1,
        )
    sys.exit(0)


def _exit(message: str, code: int) -> NoReturn:
    sys.stderr.write(f"mnistlab: {message}\n")
    sys.exit(code)


if __name__ == "__main__":
    main()
