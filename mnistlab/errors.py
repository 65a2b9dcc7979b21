"""What ends work early, an error or a signal, and how a message words it.

Every error that mnistlab raises on purpose is here, so that one place can turn it into a message,
and so is what a signal that ends a process raises; it is held back where it would hurt.

MnistlabError            the work failed or was refused by its own check (exit 1)
├── FetchError           no source could hand over a dataset
├── RunDivergedError     training left the range of its number type
├── SweepFailedError     a run of a sweep failed, or every one diverged
├── ClusterError         a Dask cluster is gone, or cannot do its work any more
├── StackFailedError     a stack failed on a worker of a Dask cluster
│   └── WorkersKilledError   it killed one worker after another
└── InputError           usage, configuration or bad input (exit 2)
    ├── ConfigError      a config file or an override
    ├── DataError        a file of images or labels
    ├── RunFolderError   a run folder that cannot be made, read or found
    └── UnknownNameError a name that no registry holds
Interrupted              Ctrl-C or a signal that ends the process (exit 128 + signal)
"""

import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TextIO


class MnistlabError(Exception):
    """Base of all errors that end in one message instead of a traceback."""

    exit_code = 1


class FetchError(MnistlabError):
    """No source could hand over a dataset; the message lists each with its reason."""


class RunDivergedError(MnistlabError):
    """Training left the range of its number type."""


class SweepFailedError(MnistlabError):
    """A run of a sweep failed, or every one diverged."""


class ClusterError(MnistlabError):
    """A Dask cluster is gone or cannot do its work any more; a sweep can go on without it."""


class StackFailedError(MnistlabError):
    """A stack failed on a worker of a Dask cluster; the message is that of the error there."""


class WorkersKilledError(StackFailedError):
    """A stack killed one worker of a Dask cluster after another."""


class InputError(MnistlabError, ValueError):
    """The user gave something that cannot be used: a flag, a config, a file, a name."""

    exit_code = 2


class ConfigError(InputError):
    """A config file or an override says something that cannot be done."""


class DataError(InputError):
    """A file of images or labels is not what it should be."""


class RunFolderError(InputError):
    """A run folder cannot be created, read or found."""


class UnknownNameError(InputError):
    """A name stands in no registry; the message lists the valid ones and the nearest."""

    def __init__(self, kind: str, name: str, valid: Iterable[str]) -> None:
        super().__init__(f"unknown {kind} '{shown(name)}'{suggest(name, valid)}")


class Interrupted(KeyboardInterrupt):
    """A signal asked the process to end; `exit_code` is 128 plus its number."""

    def __init__(self, signum: int = signal.SIGINT) -> None:
        super().__init__(signal.Signals(signum).name)
        self.exit_code = 128 + signum


_LONGEST = 200  # letters of a name that a message repeats


def shown(name: object) -> str:
    """Return a path, a name or a text from a file as a message can show it.

    What a terminal would obey, a newline too, is escaped, and the middle of a long one left out.
    """
    text = escape(str(name))
    return text if len(text) <= _LONGEST else f"{text[:60]}…{text[-_LONGEST + 61 :]}"


def escape(text: str, *, keep: str = "") -> str:
    """Return a text with whatever is no visible letter written as an escape, but for `keep`."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() or letter in keep else ascii(letter)[1:-1] for letter in text
    )


_COLORS = {"red": 31, "green": 32, "yellow": 33, "cyan": 36}


def paint(text: str, color: str, stream: TextIO) -> str:
    """Return a text in a colour if the stream is a terminal or FORCE_COLOR is set; not if NO_COLOR.

    What comes from a file or a user is escaped before.
    """
    is_terminal = stream.isatty() and os.environ.get("TERM", "") not in ("", "dumb")
    is_wanted = bool(os.environ.get("FORCE_COLOR")) or is_terminal
    if not is_wanted or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[{_COLORS[color]}m{text}\x1b[0m"


def describe_error(error: BaseException) -> str:
    """Return an error as one line, with its path if the disk failed, its kind if unforeseen."""
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror or error}"
    text = " ".join(str(error).split())
    known = isinstance(error, Interrupted | OSError | MnistlabError)
    return text if known and text else f"{type(error).__name__}: {text}".rstrip(": ")


def suggest(name: str, valid: Iterable[str]) -> str:
    """Return "; did you mean 'x'? (valid: a, b, x)" for a name that is not valid, if any are."""
    import difflib  # noqa: PLC0415 - needed for a message only, and slow to import

    names = sorted(valid)
    near = difflib.get_close_matches(str(name)[:_LONGEST], names, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{hint} (valid: {', '.join(names)})" if names else ""


_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


class _State:
    depth = 0
    pending: int | None = None
    received: int | None = None
    advice: str | None = None
    is_leaving = False
    report_dropped: Callable[["sys.UnraisableHookArgs"], object] = sys.__unraisablehook__


def catch_signals() -> None:
    """Let Ctrl-C, SIGTERM and SIGHUP raise `Interrupted`; what the parent ignores stays ignored."""
    _State.received, _State.advice, _State.is_leaving = None, None, False
    if sys.unraisablehook is not _report_dropped:
        _State.report_dropped, sys.unraisablehook = sys.unraisablehook, _report_dropped
    for signum in _SIGNALS:
        if signal.getsignal(signum) is not signal.SIG_IGN:
            signal.signal(signum, _handle)


@contextmanager
def deferred() -> Iterator[None]:
    """Hold a signal back inside the block; one that came is raised at its end.

    `check_interrupted` raises it before. A second signal is not held back: who presses Ctrl-C
    twice wants to leave at once.
    """
    _State.depth += 1
    try:
        yield
    finally:
        _State.depth -= 1
        if _State.depth == 0 and _State.pending is not None:
            signum, _State.pending = _State.pending, None
            raise Interrupted(signum)


def check_interrupted() -> None:
    """Raise `Interrupted` if a signal came and what it raised was lost.

    Python drops exceptions in destructors and in callbacks from C, such as those with which
    threadpoolctl looks for libraries, so long work has to ask.
    """
    if _State.received is not None:
        _State.pending = None
        raise Interrupted(_State.received)


def advise(error: BaseException, text: str) -> None:
    """Note on an error what to do next; `interrupted` brings it back for a signal.

    The command-line library catches what a signal raises and keeps nothing of it but a code.
    """
    error.add_note(text)
    _State.advice = text


def interrupted(signum: int) -> Interrupted:
    """Return the error of a signal, with the last advice as its note."""
    error = Interrupted(signum)
    if _State.advice is not None:
        error.add_note(_State.advice)
    return error


def ignore_signals() -> None:
    """Let no further signal raise anything: the process is about to say why it ends, and to end."""
    _State.is_leaving = True


def received_signal() -> int | None:
    """Return the last signal that came, None if there was none."""
    return _State.received


def _report_dropped(dropped: "sys.UnraisableHookArgs") -> None:
    """Tell of an exception that Python dropped; a signal's is raised by `check_interrupted`."""
    if not isinstance(dropped.exc_value, Interrupted):
        _State.report_dropped(dropped)


def _handle(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signal module's own form
    if _State.is_leaving:
        return
    again = _State.received is not None
    _State.received = signum
    if _State.depth and not again:
        _State.pending = signum
    else:
        _State.pending = None
        raise Interrupted(signum)
