"""Looking whether somebody works on a run is in nobody's way and leaves nothing behind."""

import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from mnistlab.errors import RunFolderError
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.safeguards import is_locked

_READ = """
import sys
from pathlib import Path
from mnistlab.run_folders import RunFolder
run = RunFolder(Path(sys.argv[1]))
print(run.read_status()["status"], flush=True)
while True:
    run.read_status()
"""


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_status("running")
    return folder


@contextmanager
def reader_of(folder):
    """Let another process read the status as fast as it can."""
    process = subprocess.Popen(
        [sys.executable, "-c", _READ, str(folder.path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "interrupted\n"
        yield
    finally:
        process.kill()
        process.communicate()


def test_reading_a_status_makes_no_file(folder):
    assert folder.read_status()["status"] == "interrupted"
    assert [path.name for path in folder.path.iterdir()] == ["status.json"]


def test_a_run_that_is_held_is_running_however_many_look(folder):
    with folder.locked():
        assert [folder.read_status()["status"] for _ in range(50)] == ["running"] * 50
    assert not folder.lock_file.exists()
    assert folder.read_status()["status"] == "interrupted"


@pytest.mark.skipif(sys.platform == "win32", reason="no shared locks")
def test_readers_see_nobody_but_who_works_on_the_run(folder):
    """Two that look at once must not take each other for a process at work."""
    folder.lock_file.touch()  # as a killed process leaves it
    with reader_of(folder):
        assert not any(is_locked(folder.lock_file) for _ in range(5000))


def test_a_run_can_be_taken_while_somebody_looks(folder):
    folder.lock_file.touch()
    with reader_of(folder):
        for _ in range(200):
            with folder.locked():
                pass
            folder.lock_file.touch()


def test_a_run_that_is_held_is_refused_after_a_moment(folder):
    began = time.monotonic()
    with (
        folder.locked(),
        pytest.raises(RunFolderError, match="another process is working on it"),
        folder.locked(),
    ):
        pass
    assert 0.1 < time.monotonic() - began < 20
    assert not folder.lock_file.exists()


def test_a_lock_file_that_is_none_holds_nothing(folder):
    folder.lock_file.mkdir()
    assert not is_locked(folder.lock_file)
    folder.lock_file.rmdir()
    folder.lock_file.symlink_to(folder.status)
    assert not is_locked(folder.lock_file)
