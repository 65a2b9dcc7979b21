"""What the tests of commands share."""

import signal
import sys

import pytest

from mnistlab.__main__ import main


@pytest.fixture
def run(monkeypatch, capfd):
    """Return a function that runs mnistlab in this process: exit code, stdout, stderr."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["mnistlab", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        return caught.value.code, *capfd.readouterr()

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)
