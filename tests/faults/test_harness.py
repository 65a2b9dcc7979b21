"""The harness bites: else the tests that use it would prove nothing."""

import errno
import os
import shutil
from contextlib import suppress

import pytest

from tests.faults.harness import ERRNOS, Faults, watching


def write_five(folder):
    for number in range(5):
        with (folder / f"{number}").open("w", encoding="utf-8") as file:
            file.write("twelve bytes")


@pytest.mark.parametrize("number", ERRNOS)
@pytest.mark.parametrize("at", range(1, 6))
@pytest.mark.parametrize("kind", ["open", "write"])
def test_a_loop_of_writes_fails_at_the_nth(tmp_path, kind, at, number):
    faults = Faults(kind, at, number)
    with pytest.raises(OSError, match=f"{tmp_path}/{at - 1}") as caught, watching(tmp_path, faults):
        write_five(tmp_path)
    assert caught.value.errno == number
    sizes = [path.stat().st_size for path in sorted(tmp_path.iterdir())]
    assert sizes == [12] * (at - 1) + ([6] if kind == "write" else [])
    write_five(tmp_path)  # all is as it was


@pytest.mark.parametrize(("for_good", "left"), [(False, [0, 1, 3, 4]), (True, [0, 1])])
def test_a_fault_is_for_once_or_for_good(tmp_path, for_good, left):
    faults = Faults("open", 3, errno.EIO, for_good)
    for number in range(5):
        with suppress(OSError), watching(tmp_path, faults):
            (tmp_path / str(number)).write_bytes(b"")
    assert sorted(int(path.name) for path in tmp_path.iterdir()) == left
    assert len(faults.hits) == 5 - len(left)


def use_all(folder):
    inner = folder / "inner"
    inner.mkdir()
    with (inner / "a").open("xb") as file:
        file.write(b"1")
        file.flush()
        os.fsync(file.fileno())
    (inner / "a").replace(inner / "b")
    (inner / "b").rename(inner / "c")
    assert (inner / "c").read_bytes() == b"1"
    number = os.open(inner, os.O_RDONLY)
    os.fsync(number)
    os.close(number)
    (folder / "link").symlink_to("inner")
    (folder / "link").unlink()
    shutil.rmtree(inner)


def test_every_kind_is_counted_and_can_fail(tmp_path):
    counting = Faults()
    with watching(tmp_path, counting):
        use_all(tmp_path)
    reads = counting.counts.pop("read")  # rmtree opens what it empties
    assert reads >= 2
    assert counting.counts == {
        "mkdir": 1, "open": 1, "write": 2, "fsync": 2, "replace": 2, "symlink": 1, "unlink": 2,
        "rmdir": 1,
    }  # fmt: skip
    for kind, count in counting.counts.items():
        for at in range(1, count + 1):
            shutil.rmtree(tmp_path)
            tmp_path.mkdir()
            with pytest.raises(OSError, match="No space"), watching(
                tmp_path, Faults(kind, at, errno.ENOSPC)
            ):  # fmt: skip
                use_all(tmp_path)


def test_other_folders_are_left_alone(tmp_path):
    watched, other = tmp_path / "watched", tmp_path / "watched-not"
    for folder in (watched, other):
        folder.mkdir()
    with watching(watched, Faults("open", 1, errno.EIO, for_good=True)):
        write_five(other)
        with pytest.raises(OSError, match="watched/0"):
            write_five(watched)
