"""Adds up what the parts of a process take."""

import time


class Clock:
    """Adds up the seconds of each part of a process."""

    def __init__(self, started: float) -> None:
        self.seconds: dict[str, float] = {}
        self._last = started

    def charge(self, part: str) -> None:
        """Charge the time since the last call to `part`."""
        now = time.perf_counter()
        self.seconds[part] = self.seconds.get(part, 0.0) + now - self._last
        self._last = now
