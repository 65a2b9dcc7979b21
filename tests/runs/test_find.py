"""Naming a run: what finds which one, and what is never opened."""

import json
import os
import shutil
import socket
from pathlib import Path

import pytest

from mnistlab.errors import RunFolderError, shown
from mnistlab.run_folders.folder import SweepFolder
from mnistlab.run_folders.places import (
    check_inside,
    create_run_folder,
    find_run,
    find_sweep,
    foreign_entries,
    remove_unbegun,
    run_paths,
)
from tests.experiment.test_experiment import train


def make_run(place, status="completed"):
    place.mkdir(parents=True)
    (place / "status.json").write_text(json.dumps({"status": status}))
    (place / "config.yaml").write_text("epochs: 1\n")
    return place


def make_sweep(place, runs=2):
    make_run(place)
    (place / "plan.json").write_text("{}")
    for number in range(runs):
        make_run(place / "runs" / str(number))
    return place


@pytest.fixture
def runs(tmp_path):
    folder = tmp_path / "runs"
    make_run(folder / "20260101-000000-first-aaaa")
    make_run(folder / "20260102-000000-second-bbbb")
    make_sweep(folder / "20260103-000000-many-cccc", runs=3)
    (folder / "latest").symlink_to("20260102-000000-second-bbbb")
    make_run(tmp_path / "outside" / "20260104-000000-theirs-dddd")
    return folder


def found(name, runs):
    return str(find_run(str(name), runs).path.relative_to(runs))


def refused(name, runs):
    with pytest.raises(RunFolderError) as caught:
        find_run(str(name), runs)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 600
    return message


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("20260101-000000-first-aaaa", "20260101-000000-first-aaaa"),
        ("20260101", "20260101-000000-first-aaaa"),
        ("20260101-000000-first-aaaa/", "20260101-000000-first-aaaa"),
        ("latest", "20260102-000000-second-bbbb"),
        ("latest/", "20260102-000000-second-bbbb"),
        ("20260103", "20260103-000000-many-cccc"),
        ("20260103/1", "20260103-000000-many-cccc/runs/1"),
        ("20260103/1/", "20260103-000000-many-cccc/runs/1"),
        ("20260103//1", "20260103-000000-many-cccc/runs/1"),
        ("20260103-000000-many-cccc/002", "20260103-000000-many-cccc/runs/2"),
    ],
)
def test_a_run_is_found_by_name_beginning_latest_and_number(runs, name, expected):
    assert found(name, runs) == expected


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("{runs}/20260101-000000-first-aaaa", "20260101-000000-first-aaaa"),
        ("{runs}/20260101-000000-first-aaaa/", "20260101-000000-first-aaaa"),
        ("{runs}/../runs/20260101-000000-first-aaaa", "20260101-000000-first-aaaa"),
        ("{runs}/latest", "20260102-000000-second-bbbb"),
        ("{runs}/20260103-000000-many-cccc/runs/0", "20260103-000000-many-cccc/runs/0"),
        ("{runs}/20260103-000000-many-cccc/0", "20260103-000000-many-cccc/runs/0"),
        ("{linked}/20260101-000000-first-aaaa", "20260101-000000-first-aaaa"),
    ],
)
def test_a_path_into_the_runs_folder_finds_the_run(runs, tmp_path, form, expected):
    (tmp_path / "linked").symlink_to("runs")
    assert found(form.format(runs=runs, linked=tmp_path / "linked"), runs) == expected


def test_a_relative_path_and_a_runs_folder_that_is_a_link_work(runs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "linked").symlink_to(runs)
    given = "runs/20260101-000000-first-aaaa"
    assert find_run(given, tmp_path / "linked").path.name == "20260101-000000-first-aaaa"
    monkeypatch.chdir(runs)
    assert find_run("./latest", tmp_path / "runs").path.name == "20260102-000000-second-bbbb"


def test_a_name_that_is_whole_wins_over_those_that_begin_so(runs):
    make_run(runs / "20260101-000000-first-aaaa-2")
    assert found("20260101-000000-first-aaaa", runs) == "20260101-000000-first-aaaa"


def test_a_beginning_of_several_runs_names_them(runs):
    assert refused("2026", runs).startswith("'2026' is the beginning of 3 runs: 20260101-000000-fi")
    for number in range(9):
        make_run(runs / f"x{number}")
    assert refused("x", runs) == "'x' is the beginning of 9 runs: x0, x1, x2, x3, x4, …"


def test_a_folder_without_a_run_in_it_is_none(runs):
    (runs / "20260109-notes").mkdir()
    (runs / "20260108-file").write_text("")
    assert "there is no run" in refused("20260109", runs)
    assert "there is no run" in refused("20260108", runs)
    assert len(run_paths(runs)) == 3


def test_a_typing_error_gets_the_nearest_name(runs):
    message = refused("20260101-000000-frist-aaaa", runs)
    assert "did you mean '20260101-000000-first-aaaa'?" in message


def test_a_runs_folder_that_is_not_there_has_no_runs(tmp_path):
    assert run_paths(tmp_path / "none") == []
    assert "no run here yet" in refused("latest", tmp_path / "none")
    assert refused("one", tmp_path / "none").endswith("there is no run 'one'")
    assert "there is no run" in refused("x", tmp_path / "none")
    (tmp_path / "file").write_text("")
    assert "there is no run" in refused("x", tmp_path / "file")
    assert "there is no run" in refused("x", tmp_path / ("n" * 300))
    assert "there is no run" in refused("x", tmp_path / "\0")


@pytest.mark.parametrize(
    "target",
    ["gone", "{outside}", "../outside/20260104-000000-theirs-dddd", "..", ".", "latest", "../runs"],
)
def test_a_latest_that_points_to_no_run_beside_it_means_the_newest(runs, tmp_path, target):
    make_run(tmp_path / "x")
    (tmp_path / "status.json").write_text("{}")  # the parent looks like a run
    outside = tmp_path / "outside" / "20260104-000000-theirs-dddd"
    (runs / "latest").unlink()
    (runs / "latest").symlink_to(target.format(outside=outside))
    assert found("latest", runs) == "20260103-000000-many-cccc"


def test_latest_is_the_newest_where_there_is_no_link_or_a_link_to_a_link(runs, tmp_path):
    (runs / "latest").unlink()
    assert found("latest", runs) == "20260103-000000-many-cccc"
    (runs / "20260109").symlink_to(tmp_path / "outside" / "20260104-000000-theirs-dddd")
    (runs / "latest").symlink_to("20260109")
    assert found("latest", runs) == "20260103-000000-many-cccc"


def test_without_a_link_latest_goes_by_when_a_renamed_run_began(runs):
    (runs / "latest").unlink()
    (runs / "20260102-000000-second-bbbb").rename(runs / "second")
    os.utime(runs / "second" / "config.yaml", (1.7e9, 1.7e9))  # 2023
    assert found("latest", runs) == "20260103-000000-many-cccc"


def test_latest_points_to_what_is_left_when_a_run_did_not_begin(runs):
    new = create_run_folder(runs, "new")
    assert (runs / "latest").readlink() == Path(new.path.name)
    remove_unbegun(new)
    assert (runs / "latest").readlink() == Path("20260103-000000-many-cccc")


def test_a_folder_named_latest_is_not_believed(runs):
    (runs / "latest").unlink()
    make_run(runs / "latest")
    assert found("20260101", runs) == "20260101-000000-first-aaaa"


@pytest.mark.parametrize(
    "name",
    [
        *("", "/", "//", ".", "..", "../", "../..", "./..", "-", "--", "~", "~root", "*", "?"),
        *("\0", "a\0b", "20260101\0", "\n", "20260101\n", "\x1b[2J", "\u202e", "\udcff", "\ufeff"),
        *("n" * 255, "n" * 300, "é" * 300, "n" * 200_000, "/" * 5000, "a/" * 5000, "1/" * 5000),
        "1/" * 5000 + "1",
        # a letter and digits that only look alike, and a space without a width
        *("20260101-000000-f\u0131rst-aaaa", "\uff12\uff10", "latest\u200b", "\uff4catest"),
        *("LATEST", "latest/..", "latest/../..", "latest/../20260101-000000-first-aaaa"),
        *("20260103/..", "20260103/7/..", "20260103/1/..", "x/../../7", "../runs/7"),
        *(
            "20260103/-1",
            "20260103/+1",
            "20260103/1.0",
            "20260103/\u0663",
            "20260103/\u00b2",
            "20260103/ 1",
        ),
        *("20260103/3", "20260103/" + "9" * 18, "20260103/" + "9" * 5000, "20260103/1000000001"),
        *("20260103/1/1", "20260101/0", "20260103/runs/0", ".hidden", ".latest.1234"),
        *("status.json", "20260101-000000-first-aaaa/status.json", "latest/config.yaml"),
    ],
    ids=lambda name: ascii(name[:30]),
)
def test_what_names_no_run_is_refused_in_a_sentence(runs, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    make_run(tmp_path / "x")
    make_run(runs / ".hidden")
    refused(name, runs)


def test_a_run_elsewhere_is_refused_and_its_own_runs_folder_named(runs, tmp_path, monkeypatch):
    theirs = tmp_path / "outside" / "20260104-000000-theirs-dddd"
    monkeypatch.chdir(tmp_path)
    for name in (theirs, f"{runs}/../outside/{theirs.name}", f"outside/{theirs.name}"):
        message = refused(name, runs)
        assert "is no run of the runs folder" in message
        assert f"--runs-dir {tmp_path}/outside" in message.replace("'", "")
    (runs / "theirs").symlink_to(theirs)
    assert "is no run of the runs folder" in refused(runs / "theirs", runs)
    assert "there is no run 'theirs'" in refused("theirs", runs)


def test_a_run_folder_within_a_run_folder_is_refused(runs):
    inner = make_run(runs / "20260101-000000-first-aaaa" / "plots" / "evil")
    assert "is no run of the runs folder" in refused(inner, runs)
    (runs / "status.json").write_text("{}")
    assert "is no run of the runs folder" in refused(f"{runs}/../runs", runs)


def test_a_sweep_is_told_from_a_run(runs):
    assert isinstance(find_run("20260103", runs), SweepFolder)
    assert isinstance(find_sweep("20260103", runs), SweepFolder)
    assert not isinstance(find_run("20260103/0", runs), SweepFolder)
    for name in ("20260101", "20260103/0"):
        with pytest.raises(RunFolderError, match="is a single run, not a sweep"):
            find_sweep(name, runs)


def link_to_outside(place):
    place.symlink_to("/etc/hostname")


def link_to_nothing(place):
    place.symlink_to("gone")


def link_to_a_neighbour(place):
    place.symlink_to("status.json")


def pipe(place):
    os.mkfifo(place)


def listener(place):
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()  # a socket's path is at most 108 bytes
        os.chdir(place.parent)
        server.bind(place.name)
        os.chdir(here)


FOREIGN = [link_to_outside, link_to_nothing, link_to_a_neighbour, pipe, listener]


@pytest.mark.parametrize("make", FOREIGN)
@pytest.mark.parametrize(
    "place", ["config.yaml", "any", "plots", "runs", "checkpoints", "plots/a.png", "checkpoints/a"]
)
def test_a_run_with_a_link_or_a_pipe_in_it_is_not_opened(runs, make, place):
    path = runs / "20260101-000000-first-aaaa" / place
    path.unlink(missing_ok=True)
    path.parent.mkdir(exist_ok=True)
    make(path)
    message = refused("20260101", runs)
    assert shown(path) in message or "…" in message
    assert list(foreign_entries(runs / "20260101-000000-first-aaaa")) == [path]
    assert found("20260102", runs) == "20260102-000000-second-bbbb"


@pytest.mark.parametrize("make", FOREIGN)
def test_so_is_a_sweep_for_what_is_in_one_of_its_runs(runs, make):
    sweep = runs / "20260103-000000-many-cccc"
    make(sweep / "runs" / "1" / "metrics.csv")
    assert "nothing here is opened" in refused("20260103", runs)
    assert "nothing here is opened" in refused("20260103/1", runs)
    assert found("20260103/0", runs).endswith("runs/0")  # that one is as it should be
    assert not list(foreign_entries(sweep))
    assert list(foreign_entries(sweep, runs=True)) == [sweep / "runs" / "1" / "metrics.csv"]


def test_a_run_of_a_sweep_that_is_a_link_is_not_opened(runs):
    sweep = runs / "20260103-000000-many-cccc"
    (sweep / "runs" / "7").symlink_to("../../20260101-000000-first-aaaa")
    for name in ("20260103", "20260103/7", "20260103/0"):
        assert "nothing here is opened" in refused(name, runs)


def test_the_folder_of_runs_may_not_be_a_link(runs, tmp_path):
    sweep = runs / "20260103-000000-many-cccc"
    (sweep / "runs").rename(tmp_path / "moved")
    (sweep / "runs").symlink_to(tmp_path / "moved")
    for name in ("20260103", "20260103/0", sweep / "runs" / "0"):
        refused(name, runs)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look into any folder")
def test_a_folder_that_is_closed_is_not_opened(runs):
    run = runs / "20260101-000000-first-aaaa"
    (run / "plots").mkdir()
    for closed in (run, run / "plots"):
        closed.chmod(0o300)
        try:
            assert list(foreign_entries(run)) == [run]
            assert "closed to you" in refused("20260101", runs)
        finally:
            closed.chmod(0o700)


def test_a_folder_that_is_closed_counts_as_foreign(runs, monkeypatch):
    def closed(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("mnistlab.run_folders.places.os.scandir", closed)
    run = runs / "20260101-000000-first-aaaa"
    assert list(foreign_entries(run)) == [run]


def test_what_is_not_there_has_nothing_foreign(tmp_path):
    assert list(foreign_entries(tmp_path / "none")) == []
    assert list(foreign_entries(tmp_path / "\udcff")) == []


def test_the_runs_folder_itself_is_no_run(runs):
    for folder in (runs, runs.parent, runs / ".."):
        with pytest.raises(RunFolderError, match="lies outside"):
            check_inside(folder, runs)


def test_names_are_shown_without_what_a_terminal_would_obey(runs):
    make_run(runs / "x\x1b[31mred")
    make_run(runs / "x\x1b[32mgreen\n")
    assert "\\x1b[31mred" in refused("x", runs)
    (runs / "x\x1b[31mred" / "a\nb").symlink_to("gone")
    assert "a\\nb" in refused("x\x1b[31mred", runs)
    assert shown("plain name") == "plain name"
    assert shown("\u202egnp") == "\\u202egnp"


def test_latest_that_is_a_copy_is_no_run_of_its_own(run, tmp_path):
    runs = tmp_path / "runs"
    older = train("epochs=1", tmp_path=tmp_path).folder
    newer = train("epochs=1", tmp_path=tmp_path).folder
    (runs / "latest").unlink()
    shutil.copytree(older.path, runs / "latest")  # as a copy does that follows links
    os.utime(runs / "latest")
    code, out, err = run("runs", "show", "latest", "--runs-dir", runs)
    assert (code, out.splitlines()[0]) == (0, f"{newer.name}: completed")
    assert err == ""
    code, out, err = run("runs", "list", "--runs-dir", runs, "--json")
    assert {one["run"] for one in json.loads(out)} == {older.name, newer.name}
    assert run("runs", "delete", "latest", "--yes", "--runs-dir", runs)[0] == 0
    assert not newer.path.exists()
    assert (runs / "latest").exists(), "nobody has asked for the copy to go"
