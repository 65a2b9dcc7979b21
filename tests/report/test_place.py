"""Where a report is written, what it is made from, and which folders it may be about."""

import json
import os

import pytest

from mnistlab.errors import RunFolderError
from mnistlab.report.given import open_given
from mnistlab.report.place import RECORD, Place, fingerprint
from mnistlab.runs import RunFolder
from tests.store.folders import make_run, make_sweep


def test_nothing_is_written_into_a_run_folder_or_below_one(tmp_path):
    run = make_run(tmp_path / "run")
    for folder in (run.path, run.path / "plots", run.path / "a" / "b"):
        with pytest.raises(RunFolderError, match="into a run folder"):
            Place(folder).check(["index.html"], force=True)


def test_somebody_elses_page_is_not_written_over_without_force(tmp_path):
    page = tmp_path / "index.html"
    page.write_text("mine")
    with pytest.raises(RunFolderError, match="--force"):
        Place(tmp_path).check(["index.html"])
    Place(tmp_path).check(["report.md"])
    Place(tmp_path).check(["index.html"], force=True)
    Place(tmp_path).claim(["index.html"])  # as a report does that is then cut short
    Place(tmp_path).check(["index.html"])
    assert page.read_text() == "mine"


@pytest.mark.parametrize("record", ["", "[]", '{"files": 3}', '{"files": {"index.html": []}}'])
def test_a_damaged_record_says_nothing(tmp_path, record):
    page = tmp_path / "index.html"
    page.write_text("x")
    (tmp_path / RECORD).write_text(record)
    assert not Place(tmp_path).holds("a", {"html": page})


def test_a_report_is_there_as_long_as_its_file_is_as_it_was_made(tmp_path):
    page, place = tmp_path / "index.html", Place(tmp_path)
    page.write_text("x")
    place.record("a", {"html": page})
    assert place.holds("a", {"html": page})
    assert not place.holds("b", {"html": page})
    page.write_text("y")
    assert not place.holds("a", {"html": page})


def test_one_that_lacked_something_is_made_again(tmp_path):
    page, place = tmp_path / "index.html", Place(tmp_path)
    page.write_text("x")
    place.record(None, {"html": page})
    assert json.loads((tmp_path / RECORD).read_text())["made_from"] is None
    assert not place.holds("a", {"html": page})


def changes(tmp_path):
    """Return what decides a report, each as a function that changes it."""
    sweep = make_sweep(tmp_path / "runs" / "sweep")
    data = tmp_path / "data" / "mnist"
    data.mkdir(parents=True)
    (data / "images").write_text("1")
    plugin = tmp_path / "plugin.py"
    plugin.write_text("1")
    (sweep.path / "plots").mkdir()
    return (sweep, plugin), {
        "an inner run": lambda: sweep.run(1).summary.write_text("{}"),
        "an inner run that is gone": sweep.run(0).config.unlink,
        "a plot": lambda: sweep.plot("heat_map").write_text("x"),
        "the data": (data / "images").unlink,
        "the plugin": lambda: plugin.write_text("2"),
    }


@pytest.mark.parametrize(
    "name", ["an inner run", "an inner run that is gone", "a plot", "the data", "the plugin"]
)
def test_what_decides_a_report_is_part_of_what_it_is_made_from(tmp_path, name):
    (sweep, plugin), all_changes = changes(tmp_path)
    before = fingerprint({}, [sweep], [plugin])
    assert before == fingerprint({}, [sweep], [plugin])
    all_changes[name]()
    assert before != fingerprint({}, [sweep], [plugin])


def test_a_lock_is_no_part_of_it(tmp_path):
    run = make_run(tmp_path / "run")
    before = fingerprint({}, [run], [])
    run.lock_file.write_text("")
    assert before == fingerprint({}, [run], [])


# Folders from anywhere.


@pytest.fixture
def handed_in(tmp_path):
    """The runs folders of two students, one with a link and a report in it."""
    for student in ("ann", "bob"):
        make_run(tmp_path / "subs" / student / "one")
    make_sweep(tmp_path / "subs" / "bob" / "many")
    (tmp_path / "subs" / "ann" / "latest").symlink_to("one")
    (tmp_path / "subs" / "ann" / "report").mkdir()
    (tmp_path / "subs" / "ann" / "report" / RECORD).write_text("{}")
    return tmp_path / "subs"


def test_paths_are_opened_wherever_they_are(handed_in, tmp_path):
    here = tmp_path / "runs"
    given = sorted(str(path) for path in handed_in.glob("*/*"))
    found = [str(folder.path.relative_to(handed_in)) for folder in open_given(given, here)]
    assert found == ["ann/one", "ann/one", "bob/many", "bob/one"]
    assert [str(one.path) for one in open_given([f"{handed_in}/bob/many/runs/1/"], here)] == [
        str(handed_in / "bob" / "many" / "runs" / "1")
    ]


def test_a_folder_of_runs_stands_for_all_of_them(handed_in, tmp_path, monkeypatch):
    monkeypatch.chdir(handed_in)
    found = open_given(["./ann", "bob/"], tmp_path / "runs")
    assert [folder.name for folder in found] == ["one", "many", "one"]


def test_names_are_still_those_of_the_runs_folder(handed_in):
    assert open_given(["on"], handed_in / "ann")[0].path == handed_in / "ann" / "one"
    with pytest.raises(RunFolderError, match="there is no run"):
        open_given(["two"], handed_in / "ann")


def test_links_are_refused_as_everywhere(handed_in, tmp_path):
    (tmp_path / "secret").write_text("s")
    (handed_in / "ann" / "one" / "log.txt").symlink_to(tmp_path / "secret")
    (handed_in / "bob" / "linked").symlink_to("one")
    os.mkfifo(handed_in / "bob" / "one" / "predictions.npy")
    for given in ("ann/one", "ann", "bob/linked", "bob/one", "bob"):
        with pytest.raises(RunFolderError):
            open_given([str(handed_in / given)], tmp_path)


def test_only_the_link_latest_is_followed(handed_in, tmp_path):
    (handed_in / "ann" / "linked").symlink_to("one")
    with pytest.raises(RunFolderError, match="there is no run 'linked'"):
        open_given([str(handed_in / "ann" / "linked")], tmp_path)


def test_a_folder_that_is_no_run_is_told(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunFolderError, match="no run, and no folder of runs"):
        open_given([str(tmp_path / "empty")], tmp_path)
    assert RunFolder(tmp_path / "empty").status.exists() is False
