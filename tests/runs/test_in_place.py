"""Who works on a run writes into its folder alone, whatever is put in its place meanwhile."""

import os
import shutil
import subprocess
import sys

import pytest

from mnistlab.run_folders import RunFolder, files
from tests.faults.command import invoke, sweep, train, write_config
from tests.faults.promises import tree


def swap(folder, elsewhere):
    """Put a link to somebody's folder in place of a run's."""
    folder.rename(folder.with_name("moved"))
    folder.symlink_to(elsewhere)


def replace(folder, elsewhere):
    folder.rename(folder.with_name("moved"))
    shutil.copytree(elsewhere, folder)


@pytest.mark.parametrize("change", [swap, replace])
@pytest.mark.parametrize("at", ["metrics.csv", "checkpoint.safetensors", "model.safetensors",
                                "summary.json", "log.txt", "status.json"])  # fmt: skip
def test_nothing_is_written_through_what_stands_in_for_a_run(tmp_path, monkeypatch, at, change):
    elsewhere, runs = tmp_path / "elsewhere", tmp_path / "runs"
    elsewhere.mkdir()
    (elsewhere / "run.lock").write_text("theirs")
    (elsewhere / "status.json").write_text("theirs")
    before = tree(elsewhere)
    write, append, swapped = files.write_bytes, files.append_text, []

    def once(path):
        if path.name == at and len(swapped) < 1 and (path.parent / "metrics.csv").exists():
            swapped.append(path.parent)
            change(path.parent, elsewhere)

    monkeypatch.setattr(
        files, "write_bytes", lambda path, content: (once(path), write(path, content))
    )
    monkeypatch.setattr(files, "append_text", lambda path, text: (once(path), append(path, text)))
    outcome = train(write_config(tmp_path), runs)
    assert swapped
    assert outcome.code == 1
    assert "another folder stands where this process worked" in outcome.err
    assert "Traceback" not in outcome.err
    assert tree(elsewhere) == before
    if change is replace:
        assert tree(swapped[0]) == before


def test_nothing_is_written_through_a_link_among_the_runs_of_a_sweep(tmp_path, monkeypatch):
    elsewhere, runs = tmp_path / "elsewhere", tmp_path / "runs"
    elsewhere.mkdir()
    write, swapped = files.write_bytes, []

    def once(path, content):
        place = path.parent.parent
        if path.name == "environment.json" and place.parent.parent == runs and not swapped:
            swapped.append(path)
            place.rename(place.with_name("moved"))
            place.symlink_to(elsewhere)
            (elsewhere / path.parent.name).mkdir()
        write(path, content)

    # two stacks at once would find the folders missing at the moment of the swap
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    monkeypatch.setattr(files, "write_bytes", once)
    outcome = sweep(write_config(tmp_path), runs)
    assert swapped
    assert outcome.code == 1
    assert "another folder stands" in outcome.err
    assert [path for path in elsewhere.rglob("*") if path.is_file()] == []


def test_a_lock_that_is_released_holds_nothing(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    with folder.locked():
        pass
    shutil.rmtree(folder.path)
    folder.path.mkdir()
    folder.write_log("goes on")
    assert folder.log.exists()


def test_a_regular_file_named_latest_is_left_alone(tmp_path):
    runs = tmp_path / "runs"
    runs.mkdir()
    (runs / "latest").write_text("mine")
    assert train(write_config(tmp_path), runs).code == 0
    assert (runs / "latest").read_text() == "mine"
    shown = invoke("runs", "show", "latest", "--runs-dir", runs)
    assert shown.code == 0


def test_a_run_is_shown_in_time_while_links_flip(tmp_path):
    """A folder that is a link at one moment and a run at the next is read, refused or deleted."""
    runs, elsewhere = tmp_path / "runs", tmp_path / "elsewhere"
    assert train(write_config(tmp_path), runs).code == 0
    (path,) = (path for path in runs.iterdir() if not path.is_symlink())
    shutil.copytree(path, elsewhere)
    before = tree(elsewhere)
    flipper = subprocess.Popen(
        [sys.executable, "-c", f"""
import os, time
path, aside, link = {str(path)!r}, {str(tmp_path / "aside")!r}, {str(tmp_path / "link")!r}
os.symlink({str(elsewhere)!r}, link)
while True:
    try:
        os.rename(path, aside); os.rename(link, path); os.rename(path, link); os.rename(aside, path)
    except OSError:
        break
"""],
    )  # fmt: skip
    try:
        outcomes = [invoke("runs", *words, "--runs-dir", runs)
                    for _ in range(5)
                    for words in (("show", path.name), ("plot", path.name), ("list",),
                                  ("delete", path.name, "--yes"))]  # fmt: skip
    finally:
        flipper.kill()
        flipper.wait()
    for outcome in outcomes:
        assert outcome.code in (0, 1, 2)
        assert "Traceback" not in outcome.err
        assert "fault of mnistlab" not in outcome.err
    after = tree(elsewhere)
    after.pop("run.lock", None)  # an empty one may be made between two looks
    assert after == before
