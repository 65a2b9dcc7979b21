"""What reading one input may take: a second of the processor and 256 MB of memory."""

import contextlib
import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

SECONDS = 1.0
BYTES = 256 << 20

_STATM = Path("/proc/self/statm")


class TookTooLong(BaseException):
    """Reading an input took more of the processor than it may; no `except Exception` hides it."""


@contextlib.contextmanager
def limits(seconds: float = SECONDS) -> Iterator[None]:
    """Let what runs inside take so many seconds of the processor and `BYTES` more address space.

    Raises TookTooLong; for what wants more memory Python raises MemoryError where it asks. The
    time is the processor's, so that what else the machine does is not counted.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    known = signal.signal(signal.SIGPROF, _stop)
    if _STATM.exists():  # elsewhere nothing tells how much there is already
        used = int(_STATM.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + BYTES, hard))
    signal.setitimer(signal.ITIMER_PROF, seconds)
    started = time.process_time()
    try:
        yield
        if time.process_time() - started > seconds:  # spent where no signal is heard
            _stop()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, known)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _stop(*_: object) -> NoReturn:
    raise TookTooLong("more of the processor's time than it may take")
