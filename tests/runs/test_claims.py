"""A status vouches for the files beside it, and for nothing that is not on the disk."""

import os
from functools import partial
from pathlib import Path

import pytest

from mnistlab.errors import RunFolderError
from mnistlab.run_folders import RunFolder, files
from mnistlab.run_folders.files import checksum_while_replaced, clear_temporary_files, sha256_of
from mnistlab.run_folders.provenance import is_intact, replace_files
from tests.experiment.test_experiment import train


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return train("epochs=2", tmp_path=tmp_path_factory.mktemp("original")).folder


@pytest.fixture
def folder(original, tmp_path):
    copy = RunFolder(tmp_path / original.name)
    copy.path.mkdir()
    for path in original.path.iterdir():
        (copy.path / path.name).write_bytes(path.read_bytes())
    return copy


CLAIMED = ("config", "environment", "metrics", "summary", "predictions", "model")


def test_a_run_that_is_over_is_whole_wherever_it_is_copied(folder):
    assert folder.damaged_files() == []
    assert is_intact(folder)
    files = set(folder.read_status()["files"]) - {"uncommitted.patch"}
    assert files == {getattr(folder, name).name for name in CLAIMED}


@pytest.mark.parametrize("name", CLAIMED)
@pytest.mark.parametrize("harm", ["gone", "cut", "flipped", "longer"])
def test_a_file_that_is_not_as_it_was_left_is_named(folder, name, harm):
    path = getattr(folder, name)
    content = path.read_bytes()
    middle = len(content) // 2
    harmed = {
        "cut": content[:-1],
        "flipped": content[:middle] + bytes([content[middle] ^ 4]) + content[middle + 1 :],
        "longer": content + b"\n",
    }
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(harmed[harm])
    assert folder.damaged_files() == [path.name]
    assert not is_intact(folder)


def test_a_status_without_claims_makes_nothing_whole(folder):
    folder.write_status("completed")
    assert not is_intact(folder)
    assert folder.damaged_files() == []


def test_claims_that_are_nonsense_are_no_claims(folder):
    folder.status.write_text('{"status": "completed", "files": ["config.yaml"]}')
    assert not is_intact(folder)


def test_a_link_makes_a_run_no_run(folder, tmp_path):
    outside = tmp_path / "outside"
    folder.model.rename(outside)
    folder.model.symlink_to(outside)
    assert folder.damaged_files() == []
    assert not is_intact(folder)


@pytest.fixture
def watched(monkeypatch):
    """Return a function that lets another hear of each file that is about to be written."""

    def watch(look):
        def writing(real, path, content):
            look(path)
            real(path, content)
            look(path)

        monkeypatch.setattr(files, "write_bytes", partial(writing, files.write_bytes))

    return watch


def test_a_run_whose_files_are_replaced_is_whole_at_every_moment(folder, watched):
    seen = []

    def look(path):
        assert is_intact(folder)
        seen.append(path.name)

    folder.predictions.unlink()
    folder.write_status("completed", checksums=folder.compute_checksums())
    watched(look)
    replace_files(folder, {folder.predictions: b"new", folder.summary: b"newer"})
    assert seen[::2] == ["status.json", "predictions.npy", "summary.json", "status.json"]
    assert folder.predictions.read_bytes() == b"new"
    assert isinstance(folder.checksums()["predictions.npy"], str)
    assert not folder.lock_file.exists()


class KilledError(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("kills", [(0,), (1,), (2,), (3,), (0, 0), (2, 2), (4, 4, 3), (5, 2, 6)])
@pytest.mark.parametrize("had_predictions", [True, False])
def test_a_replacement_that_is_killed_again_and_again_leaves_a_whole_run(
    folder, watched, monkeypatch, kills, had_predictions
):
    """Each number of writes' beginnings and ends lies before a kill."""
    if not had_predictions:
        folder.predictions.unlink()
    folder.write_status("completed", checksums=folder.compute_checksums())
    for attempt, kill in enumerate(kills):
        left = iter(range(kill))

        def look(_path, left=left):
            if next(left, None) is None:
                raise KilledError

        watched(look)
        contents = {folder.predictions: b"%d" % attempt, folder.summary: b"s%d" % attempt}
        with pytest.raises(KilledError):
            replace_files(folder, contents)
        monkeypatch.undo()
        assert is_intact(folder)
        assert folder.read_status()["status"] == "completed"
    replace_files(folder, {folder.predictions: b"last", folder.summary: b"the last"})
    assert is_intact(folder)
    assert folder.predictions.read_bytes() == b"last"
    assert all(isinstance(claim, str) for claim in folder.checksums().values())


def test_claims_of_a_file_that_is_replaced_are_flat_and_each_is_said_once(folder):
    first, now, new = "1" * 64, sha256_of(folder.summary), "2" * 64
    assert checksum_while_replaced(folder.summary, now, new) == [now, new]
    assert checksum_while_replaced(folder.summary, now, now) == [now]
    assert checksum_while_replaced(folder.summary, [first, now], new) == [now, new]
    assert checksum_while_replaced(folder.summary, [first, None], new) == [first, None, new]
    assert checksum_while_replaced(folder.path / "none", None, new) == [None, new]


def test_what_another_process_works_on_is_not_replaced(folder):
    before = folder.status.read_bytes()
    with folder.locked(), pytest.raises(RunFolderError, match="another process is working on it"):
        replace_files(folder, {folder.predictions: b"new"})
    assert folder.status.read_bytes() == before


def test_replacing_one_file_does_not_vouch_for_another_that_is_damaged(folder):
    folder.metrics.write_text("nonsense")
    replace_files(folder, {folder.predictions: b"new"})
    assert folder.damaged_files() == ["metrics.csv"]


def test_a_status_that_no_run_can_have_is_damaged(folder):
    folder.status.write_text(folder.status.read_text().replace("completed", "complfted"))
    assert folder.read_status()["status"] == "damaged"


def test_a_disk_that_fails_does_not_make_a_run_another_one(folder, monkeypatch):
    def fail(path):
        raise OSError(5, "Input/output error", str(path))

    monkeypatch.setattr(files, "read_capped", lambda path, *_: fail(path))
    monkeypatch.setattr(files, "sha256_of", fail)
    for read in (
        folder.read_status,
        folder.read_summary,
        folder.compute_checksums,
        folder.checksums,
    ):
        with pytest.raises(OSError, match="Input/output"):
            read()


def test_a_line_of_the_log_is_whole_or_not_there(folder, monkeypatch):
    before = folder.log.read_bytes()
    real = open

    class Failing:
        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def __getattr__(self, name):
            return getattr(self.file, name)

        def write(self, content):
            self.file.write(content[:3])
            self.file.flush()
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("builtins.open", lambda path, mode, **more: Failing(real(path, mode, **more)))
        with pytest.raises(OSError, match="No space left") as caught:
            folder.write_log("one", "two")
    assert caught.value.filename == str(folder.log)
    assert folder.log.read_bytes() == before


def test_a_status_comes_after_a_sync_of_what_it_claims_and_is_synced_itself(tmp_path, monkeypatch):
    events = []
    real_sync, real_replace = os.fsync, Path.replace

    def sync(descriptor):
        what = str(Path(f"/proc/self/fd/{descriptor}").readlink())
        events.append(("sync", "folder" if what == str(tmp_path) else "file"))
        real_sync(descriptor)

    def replace(path, target):
        events.append(("rename", Path(target).name))
        return real_replace(path, target)

    monkeypatch.setattr("mnistlab.run_folders.files.os.fsync", sync)
    monkeypatch.setattr(Path, "replace", replace)
    folder = RunFolder(tmp_path)
    folder.write_metrics([])
    folder.write_status("completed", checksums=folder.compute_checksums())
    assert events == [
        ("sync", "file"),
        ("rename", "metrics.csv"),
        ("sync", "file"),  # rows may have been appended to it
        ("sync", "folder"),
        ("sync", "file"),
        ("rename", "status.json"),
        ("sync", "folder"),
    ]


def test_who_takes_a_run_clears_away_what_a_killed_process_had_begun(folder):
    folder.plots.mkdir()
    begun = [folder.path / ".metrics.csv.0123abcd", folder.plots / ".weights.png.0123abcd"]
    kept = [folder.path / ".hidden", folder.path / ".metrics.csv.0123ABCD", folder.path / "x.y"]
    for path in [*begun, *kept]:
        path.write_text("half")
    with folder.locked():
        pass
    assert not any(path.exists() for path in begun)
    assert all(path.exists() for path in kept)


def test_clearing_a_folder_that_is_not_there_is_no_error(tmp_path):
    clear_temporary_files(tmp_path / "none")


@pytest.mark.parametrize(
    ("old", "new"),
    [("predictions.npy", "predictionz.npy"), ('"metrics.csv": "', '"metrics.csv": "x')],
)
def test_a_status_that_vouches_for_what_no_run_has_is_damaged(folder, old, new):
    text = folder.status.read_text()
    assert old in text
    folder.status.write_text(text.replace(old, new))
    assert folder.read_status()["status"] == "damaged"
