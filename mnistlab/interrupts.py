"""Turns the signals that end a process into an exception, and holds it back where it would hurt."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from mnistlab.errors import Interrupted

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


def install() -> None:
    """Let Ctrl-C, SIGTERM and SIGHUP raise `Interrupted`; what the parent ignores stays ignored."""
    _State.received, _State.advice, _State.is_leaving = None, None, False
    if sys.unraisablehook is not _report_dropped:
        _State.report_dropped, sys.unraisablehook = sys.unraisablehook, _report_dropped
    for signum in _SIGNALS:
        if signal.getsignal(signum) is not signal.SIG_IGN:
            signal.signal(signum, _handle)


@contextmanager
def deferred() -> Iterator[None]:
    """Hold a signal back inside the block; one that came is raised at its end, or by `check`.

    A second signal is not held back: who presses Ctrl-C twice wants to leave at once.
    """
    _State.depth += 1
    try:
        yield
    finally:
        _State.depth -= 1
        if _State.depth == 0 and _State.pending is not None:
            signum, _State.pending = _State.pending, None
            raise Interrupted(signum)


def check() -> None:
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


def leave() -> None:
    """Let no further signal raise anything: the process is about to say why it ends, and to end."""
    _State.is_leaving = True


def received() -> int | None:
    """Return the last signal that came, None if there was none."""
    return _State.received


def _report_dropped(dropped: "sys.UnraisableHookArgs") -> None:
    """Tell of an exception that Python dropped, unless it is a signal's, which `check` raises."""
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
