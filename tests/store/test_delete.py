"""`runs delete` removes what was named as a whole, and nothing else, nowhere else."""

import io
import os
import pty
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from mnistlab.errors import RunFolderError
from mnistlab.run_folders import places
from mnistlab.store import listing as removal
from tests.store.folders import everything_in, make_run, make_sweep, names_in


@pytest.fixture
def runs_dir(tmp_path):
    runs = tmp_path / "runs"
    for name in ("20261101-a", "20261102-b", "20261103-c"):
        make_run(runs / name)
    make_sweep(runs / "20261104-sweep")
    (runs / "latest").symlink_to("20261104-sweep")
    return runs


def names(runs_dir):
    return [name for name in names_in(runs_dir) if name != "latest"]


def test_runs_and_sweeps_go_as_a_whole(run, runs_dir):
    code, out, err = run("runs", "delete", "20261101", "latest", "20261101-a", "--yes")
    assert (code, err) == (0, "")
    assert names(runs_dir) == ["20261102-b", "20261103-c"]
    first, second = out.splitlines()
    assert first.startswith("deleted 20261101-a (")
    assert first.endswith("kB)")
    assert second.startswith("deleted 20261104-sweep (")
    assert "a sweep of 2 runs" in second
    assert str((runs_dir / "latest").readlink()) == "20261103-c"
    assert run("runs", "delete", "20261102", "20261103", "-y")[0] == 0
    assert names_in(runs_dir) == []


def test_latest_stays_where_it_is_if_its_run_stays(run, runs_dir):
    run("runs", "delete", "20261103", "--yes")
    assert str((runs_dir / "latest").readlink()) == "20261104-sweep"


def test_a_dry_run_deletes_nothing(run, runs_dir):
    before = everything_in(runs_dir)
    code, out, _ = run("runs", "delete", "latest", "20261101", "--dry-run")
    assert code == 0
    assert everything_in(runs_dir) == before
    assert [line[:25] for line in out.splitlines()] == [
        "would delete 20261104-swe",
        "would delete 20261101-a (",
    ]


@pytest.mark.usefixtures("runs_dir")
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["20261104-sweep/1", "--yes"], "deleted as a whole: mnistlab runs delete 20261104-sweep"),
        (["20261101", "nobody", "--yes"], "there is no run 'nobody'"),
        (["20261101"], "--yes deletes 20261101-a ("),
        (["2026", "--yes"], "is the beginning of 4 runs"),
        (["", "--yes"], "is empty"),
        (["..", "--yes"], "there is no run"),
        ([".", "--yes"], "there is no run"),
        (["../outside", "--yes"], "there is no run"),
        ([], "missing argument"),
    ],
)
def test_what_is_refused(words, told, run, monkeypatch, tmp_path):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    make_run(tmp_path / "outside")
    before = everything_in(tmp_path)
    code, out, err = run("runs", "delete", *words)
    assert (code, out) == (2, "")
    assert told in err
    assert everything_in(tmp_path) == before


def test_folders_outside_are_refused(run, runs_dir, tmp_path):
    outside = make_run(tmp_path / "outside" / "x").path
    (runs_dir / "inside").symlink_to(outside)
    for name in (outside, runs_dir / "inside", "inside", runs_dir / ".." / "outside" / "x"):
        assert run("runs", "delete", name, "--yes")[0] == 2
    assert run("runs", "delete", runs_dir / "20261104-sweep" / "runs" / "1", "--yes")[0] == 2
    inner = runs_dir / "20261104-sweep" / "runs"
    assert run("runs", "delete", "1", "--yes", "--runs-dir", inner)[0] == 2
    assert (outside / "config.yaml").exists()
    assert len(names_in(inner)) == 2


def test_a_run_at_work_stays_and_so_do_the_others(run, runs_dir):
    busy = make_run(runs_dir / "20261105-busy", status="running")
    with FileLock(busy.lock_file):
        for words in (["--yes"], ["--dry-run"]):
            code, _, err = run("runs", "delete", "20261101", "20261105", *words)
            assert code == 2
            assert "20261105-busy: another process is working on it" in err
    # what has just taken the lock and has not said so yet
    with FileLock(runs_dir / "20261102-b" / "run.lock"):
        assert run("runs", "delete", "20261101", "20261102", "--yes")[0] == 2
    assert len(names(runs_dir)) == 5
    assert run("runs", "delete", "20261105", "--yes")[0] == 0, "it is over, though killed"


def test_links_in_a_folder_of_somebodys_are_not_followed(run, runs_dir, tmp_path):
    treasure = tmp_path / "treasure"
    treasure.mkdir()
    (treasure / "gold").write_text("gold")
    notes = runs_dir / "20261101-a" / "notes"
    notes.mkdir()
    (notes / "link").symlink_to(treasure)
    assert run("runs", "delete", "20261101", "--yes")[0] == 0
    assert (treasure / "gold").read_text() == "gold"
    assert "20261101-a" not in names(runs_dir)


def test_one_that_cannot_be_removed_is_named_and_stays_as_it_was(run, runs_dir, monkeypatch):
    real = Path.rename

    def refuse(path, target):
        if path.name == "20261102-b":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, target)

    monkeypatch.setattr(Path, "rename", refuse)
    code, _, err = run("runs", "delete", "20261101", "20261102", "--yes")
    assert code == 1
    assert "20261102-b: Permission denied" in err
    assert names(runs_dir)[0] == "20261102-b"
    assert (runs_dir / "20261102-b" / "summary.json").exists()


def test_a_delete_that_is_killed_leaves_whole_runs_only(run, runs_dir, monkeypatch):
    def die(*_arguments, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("mnistlab.store.listing.shutil.rmtree", die)
    assert run("runs", "delete", "20261104", "20261103", "--yes")[0] == 130
    monkeypatch.undo()
    left = [name for name in names(runs_dir) if not name.startswith(".")]
    assert left == ["20261101-a", "20261102-b", "20261103-c"]
    assert str((runs_dir / "latest").readlink()) == "20261103-c"
    words = ["--runs-dir", runs_dir]
    assert len(run("runs", "list", *words)[1].splitlines()) == 2 + 3
    (runs_dir / ".deleted.link").symlink_to("/")
    assert run("runs", "delete", "20261101", "--yes", *words)[0] == 0
    assert set(names(runs_dir)) - {".index.json"} == {".deleted.link", "20261102-b", "20261103-c"}


def test_more_runs_than_files_that_may_be_open(run, tmp_path):
    runs = tmp_path / "many"
    for number in range(300):
        (runs / f"20261101-{number:03}").mkdir(parents=True)
        (runs / f"20261101-{number:03}" / "config.yaml").touch()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits[1]))
    try:
        code, out, err = run("runs", "delete", *names_in(runs), "--yes", "--runs-dir", runs)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert (code, err) == (0, "")
    assert len(out.splitlines()) == 300
    assert names_in(runs) == []


def test_what_is_left_is_looked_at_but_once(run, runs_dir, monkeypatch):
    looks = []
    real = places.run_paths
    monkeypatch.setattr(places, "run_paths", lambda folder: looks.append(folder) or real(folder))
    assert run("runs", "delete", "20261104", "20261103", "20261102", "--yes")[0] == 0
    assert len(looks) == 1
    assert str((runs_dir / "latest").readlink()) == "20261101-a"


def test_a_refusal_leaves_no_lock_behind(run, runs_dir):
    before = everything_in(runs_dir)
    busy = runs_dir / "20261103-c" / "run.lock"
    with FileLock(busy):
        assert run("runs", "delete", "20261101", "20261102", "20261103", "--yes")[0] == 2
    busy.unlink()
    assert everything_in(runs_dir) == before


def test_a_run_that_has_just_been_taken_up_stops_those_before_it_too(runs_dir):
    removals = removal.plan_removal(["20261101", "20261102"], runs_dir)
    with FileLock(runs_dir / "20261102-b" / "run.lock"):
        with pytest.raises(RunFolderError, match="20261102-b: another process"):
            list(removal.remove(removals, runs_dir))
        assert len(names(runs_dir)) == 4


def _link(path, treasure):
    path.symlink_to(treasure / "gold")


def _link_to_folder(path, treasure):
    path.symlink_to(treasure)


def _pipe(path, _treasure):
    os.mkfifo(path)


def _folder(path, _treasure):
    path.mkdir()


DAMAGE = (
    *(("model.safetensors", _link), ("status.json", _link), ("run.lock", _link), ("new", _link)),
    *(("plots", _link_to_folder), ("runs", _link_to_folder), ("status.json", _pipe)),
    *(("run.lock", _pipe), ("summary.json", _pipe), ("status.json", _folder), ("plan.json", _link)),
)


@pytest.mark.parametrize(("name", "damage"), DAMAGE)
def test_what_is_damaged_can_be_deleted(name, damage, run, runs_dir, tmp_path):
    treasure = tmp_path / "treasure"
    treasure.mkdir()
    (treasure / "gold").write_text("gold")
    (treasure / ".gold.01234567").write_text("as what is being written is called")
    before = everything_in(treasure)
    path = runs_dir / "20261101-a" / name
    path.unlink(missing_ok=True)
    damage(path, treasure)
    code, out, err = run("runs", "delete", "20261101-a", "20261102", "--yes")
    assert (code, err) == (0, "")
    assert out.startswith("deleted 20261101-a (")
    assert names(runs_dir) == ["20261103-c", "20261104-sweep"]
    assert everything_in(treasure) == before


def test_what_cannot_be_looked_into_stays_and_so_do_the_others(run, runs_dir, monkeypatch):
    closed = runs_dir / "20261102-b" / "closed"
    closed.mkdir()
    before = everything_in(runs_dir)
    real = os.scandir

    def refuse(path="."):
        if str(path) == str(closed):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", refuse)
    code, _, err = run("runs", "delete", "20261101", "20261102", "--yes")
    monkeypatch.undo()
    assert code == 2
    assert f"{closed}: Permission denied, so 20261102-b cannot be removed as a whole" in err
    assert everything_in(runs_dir) == before


@pytest.mark.parametrize(("answer", "code"), [(b"y\n", 0), (b"n\n", 1), (b"\n", 1)])
def test_on_a_terminal_it_asks(answer, code, runs_dir):
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "mnistlab", "runs", "delete", "20261101", "--runs-dir", runs_dir],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    os.write(ours, answer)
    out, err = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == code
    assert b"20261101-a (" in err
    assert b"Delete it for good?" in err
    assert out.startswith(b"deleted 20261101-a") == (code == 0)
    assert (b"nothing was deleted" in err) == (code == 1)
    assert ("20261101-a" in names(runs_dir)) == (code == 1)
