"""No name, argument or link leads mnistlab out of the runs folder: nothing there is touched."""

import hashlib
import json
import os
import shutil
import sys
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

import mnistlab
from mnistlab.cli.options import complete_run, complete_sweep
from mnistlab.cli.run_actions import runs_app
from tests.runs.audited import LINEAR, MINI, ROOT, run_audited, train_both

FIRST, SECOND, MANY = (
    "20260101-000000-first-aaaa",
    "20260102-000000-second-bbbb",
    "20260103-000000-many-cccc",
)

# Each takes the name of a run in place of NAME.
COMMANDS = {
    "show": ("runs", "show", "NAME"),
    "list": ("runs", "list", "NAME"),
    "plot": ("runs", "plot", "NAME"),
    "diff": ("runs", "diff", "NAME", FIRST),
    "compare": ("runs", "compare", FIRST, "NAME"),
    "predict": ("runs", "predict", "NAME", "0"),
    "export": ("runs", "export", "NAME", "--to", "out.csv"),
    "verify": ("runs", "verify", "NAME"),
    "resume": ("runs", "resume", "NAME"),
    "train --resume": ("train", "--no-plots", "--resume", "NAME"),
    "sweep --resume": ("sweep", "--no-plots", "--resume", "NAME"),
    "delete": ("runs", "delete", "--yes", "NAME"),
}

ANYWHERE = ("list", "diff", "compare", "export", "verify")
"""Those that take a path to runs anywhere, which they only read."""

OPENING = {
    name: words for name, words in COMMANDS.items() if FIRST not in words and name != "delete"
}
"""Those that open what is in the run, which must be plain files; `delete` opens nothing."""


def commands_that_take_a_run() -> set[str]:
    """Return the commands of `mnistlab runs` that complete the name of a run or a sweep."""
    return {
        command.name or command.callback.__name__
        for command in runs_app.registered_commands
        if any(
            getattr(note, "autocompletion", None) in (complete_run, complete_sweep)
            for hint in get_type_hints(command.callback, include_extras=True).values()
            for note in _notes(hint)
        )
    }


def _notes(hint):
    """Yield what is annotated in a type hint, however deep."""
    yield from getattr(hint, "__metadata__", ())
    for inner in get_args(hint):
        yield from _notes(inner)


def test_every_command_that_takes_a_run_is_tried_here():
    tried = {words[1] for words in COMMANDS.values() if words[0] == "runs"}
    assert tried == commands_that_take_a_run()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return a folder with a run and a sweep of two runs in it."""
    return train_both(tmp_path_factory.mktemp("trained"))


@pytest.fixture
def make(tmp_path, trained):
    """Return a function that makes a runs folder and, beside it, somebody else's of the same."""
    run, sweep = trained
    (tmp_path / "work").mkdir()

    def make(name="here"):
        place = tmp_path / name
        for folder in ("runs", "outside"):
            shutil.copytree(run, place / folder / FIRST)
            shutil.copytree(run, place / folder / SECOND)
            shutil.copytree(sweep, place / folder / MANY)
        (place / "runs" / "latest").symlink_to(SECOND)
        (place / "outside" / "list.csv").write_text("seed\n1\n2\n")
        base = "data: {dataset: mnist-mini, validation: 1000}\n"
        (place / "outside" / "secret.yaml").write_text(base)
        return place

    return make


@pytest.fixture
def place(make):
    return make()


def content_of(folder: Path) -> dict[str, str]:
    """Return what is in a folder, links as links."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = f"link to {path.readlink()}"
        elif path.is_file():
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            found[name] = "pipe" if path.is_fifo() else "folder"
    return found


def run_all(place, commands, runs="runs"):
    """Run commands on a place's runs folder, in a folder where nothing is."""
    return run_audited(
        commands,
        cwd=place.parent / "work",
        scratch=place.parent / "scratch",
        MNISTLAB_RUNS_DIR=place / runs,
    )


def run_at(places, commands):
    """Run the same commands at several places, in one process; return place and outcome."""
    told = [
        (place, [*words, "--runs-dir", place / "runs"]) for place in places for words in commands
    ]
    outcomes = run_all(places[0], [words for _, words in told])
    return [(place, outcome) for (place, _), outcome in zip(told, outcomes, strict=True)]


def with_name(name, commands=COMMANDS):
    return [[name if word == "NAME" else word for word in words] for words in commands.values()]


def check_inside(outcome, place):
    """Assert that a command touched the runs folder and what every Python program does."""
    work, scratch = place.parent / "work", place.parent / "scratch"
    own = [place / "runs", scratch, ROOT, Path(mnistlab.__file__).parent]
    ours = [Path(os.path.realpath(path)) for path in (*own, sys.prefix, sys.base_prefix)]
    system = [Path(path) for path in ("/dev", "/etc", "/lib", "/opt", "/proc", "/sys", "/usr")]
    outside = place / "outside"
    for path in outcome.touched():
        assert path != outside, outcome
        assert outside not in path.parents, outcome
        known = any(top == path or top in path.parents for top in (*ours, *system))
        # `work` is empty: a name in it is that of a file in a folder which was opened before
        ours_too = path in (work, place, place.parent) or path.parent == work
        assert known or ours_too or not path.is_absolute(), (path, outcome)
    for path in outcome.wrote():
        assert any(top in path.parents for top in own[:2]) or path == Path(os.devnull), (
            path,
            outcome,
        )


def check_refused(outcome):
    assert outcome.code == 2, outcome
    assert outcome.out == "", outcome
    assert outcome.err.startswith("mnistlab: error: "), outcome
    assert outcome.err.count("\n") == 1, outcome
    assert outcome.err.strip().isprintable(), outcome
    assert len(outcome.err) < 800, outcome


ELSEWHERE = {
    "up": f"../here/outside/{FIRST}",
    "absolute": f"PLACE/outside/{FIRST}",
    "through the runs folder": f"PLACE/runs/../outside/{FIRST}",
    "through a run": f"PLACE/runs/{FIRST}/../../outside/{FIRST}",
    "the folder of a sweep's run elsewhere": f"../here/outside/{MANY}/runs/0",
    "a folder of runs": "../here/outside",
    "the runs folder": "PLACE/runs",
    "the folder above": "..",
}
"""Paths to runs, outside the runs folder but for one."""

NAMES = {
    "a sweep's run elsewhere": f"PLACE/outside/{MANY}/0",
    "here": ".",
    "device": "/dev/zero",
    "dash": "-",
    "empty": "",
    "NUL": f"{FIRST}\0",
    "newline": f"{FIRST}\n",
    "escapes": "\x1b[2J\x1b]0;owned\x07",
    "right to left": f"\u202e{FIRST}",
    "no UTF-8": "\udcff",
    "long": "n" * 300,
    "very long": "n" * 20_000,
    "look-alike": FIRST.replace("i", "\u0131"),
    "latest and up": "latest/../..",
    "latest and out": f"latest/../../outside/{FIRST}",
    "up and number": "x/../../7",
    "a sweep and up": f"{MANY}/7/..",
    "below 0": f"{MANY}/-1",
    "no such run": f"{MANY}/00000000000000000009",
    "a file of a run": f"{FIRST}/config.yaml",
}


def test_no_name_leads_anywhere_else(place):
    before = content_of(place)
    names = [name.replace("PLACE", str(place)) for name in NAMES.values()]
    commands = [words for name in names for words in with_name(name)]
    inside = {name: words for name, words in COMMANDS.items() if name not in ANYWHERE}
    for name in ELSEWHERE.values():
        commands += with_name(name.replace("PLACE", str(place)), inside)
    commands += [
        words for name in ("/", "../..", "~", "~root") for words in with_name(name, inside)
    ]
    for outcome in run_all(place, commands):
        check_refused(outcome)
        check_inside(outcome, place)
    assert content_of(place) == before
    assert not list((place.parent / "work").iterdir())


def test_runs_elsewhere_are_only_read(place):
    before = content_of(place)
    elsewhere = {name: words for name, words in COMMANDS.items() if name in ANYWHERE}
    names = [name.replace("PLACE", str(place)) for name in ELSEWHERE.values()]
    outcomes = run_all(place, [words for name in names for words in with_name(name, elsewhere)])
    for outcome in outcomes:
        assert outcome.code in (0, 1, 2), outcome
        assert "fault of mnistlab" not in outcome.err, outcome
    assert sum(outcome.code == 0 for outcome in outcomes) > len(outcomes) / 2
    (place.parent / "work" / "out.csv").unlink()
    after = content_of(place)
    after.pop("runs/.index.sqlite", None)
    assert after == before
    assert not list((place.parent / "work").iterdir())


def of_a_file(name):
    def plant(place):
        path = place / "runs" / FIRST / name
        path.unlink(missing_ok=True)
        path.symlink_to(place / "outside" / FIRST / name)

    return plant


def of_a_folder(name):
    def plant(place):
        target = place / "outside" / FIRST / name
        target.mkdir(exist_ok=True)
        (place / "runs" / FIRST / name).symlink_to(target)

    return plant


def the_run(place):
    shutil.rmtree(place / "runs" / FIRST)
    (place / "runs" / FIRST).symlink_to(place / "outside" / FIRST)


def a_pipe(place):
    (place / "runs" / FIRST / "summary.json").unlink()
    os.mkfifo(place / "runs" / FIRST / "summary.json")


def a_device(place):
    (place / "runs" / FIRST / "metrics.csv").unlink()
    (place / "runs" / FIRST / "metrics.csv").symlink_to("/dev/zero")


def a_file_that_is_none_of_ours(place):
    (place / "runs" / FIRST / "notes").symlink_to(place / "outside")


FILES = ("config.yaml", "status.json", "summary.json", "metrics.csv", "environment.json")
FILES += ("model.safetensors", "predictions.npy", "checkpoint.safetensors", "log.txt", "run.lock")
PLANTED = {
    **{name: of_a_file(name) for name in FILES},
    **{name: of_a_folder(name) for name in ("plots", "runs", "checkpoints")},
    "the run itself": the_run,
    "a pipe": a_pipe,
    "a device": a_device,
    "something else": a_file_that_is_none_of_ours,
}


def test_a_link_in_a_run_leads_nowhere(make):
    places = []
    for name, plant in PLANTED.items():
        places.append(make(name))
        plant(places[-1])
    before = [content_of(place) for place in places]
    for place, outcome in run_at(places, with_name(FIRST, OPENING)):
        check_refused(outcome)
        check_inside(outcome, place)
    assert [content_of(place) for place in places] == before
    before = [content_of(place / "outside") for place in places]
    for place, outcome in run_at(places, [("runs", "list"), ("runs", "list", "--json")]):
        check_inside(outcome, place)
        assert SECOND in outcome.out
        assert MANY in outcome.out
    assert [content_of(place / "outside") for place in places] == before


def test_what_has_a_link_in_it_can_be_deleted(make):
    places = []
    for name, plant in PLANTED.items():
        places.append(make(name))
        plant(places[-1])
    before = [content_of(place / "outside") for place in places]
    for place, outcome in run_at(places, with_name(FIRST, {"": COMMANDS["delete"]})):
        check_inside(outcome, place)
        left = place / "runs" / FIRST
        if place.name == "the run itself":  # which is a link, and no run
            check_refused(outcome)
            assert left.is_symlink()
        else:
            assert (outcome.code, outcome.err) == (0, ""), outcome
            assert not os.path.lexists(left)
    assert [content_of(place / "outside") for place in places] == before


def test_a_link_in_a_sweep_leads_nowhere(make):
    places = []
    for number, inner in enumerate(("runs/0/metrics.csv", "runs/0/config.yaml", "runs/0", "runs")):
        places.append(make(str(number)))
        path = places[-1] / "runs" / MANY / inner
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        path.symlink_to(places[-1] / "outside" / MANY / inner)
    before = [content_of(place) for place in places]
    one = {**OPENING, "delete": COMMANDS["delete"]}
    every = [*with_name(MANY, OPENING), *with_name(f"{MANY}/0", one)]
    for place, outcome in run_at(places, every):
        check_refused(outcome)
        check_inside(outcome, place)
    assert [content_of(place) for place in places] == before
    before = [content_of(place / "outside") for place in places]
    for place, outcome in run_at(places, with_name(MANY, {"": COMMANDS["delete"]})):
        check_inside(outcome, place)
        assert (outcome.code, outcome.err) == (0, ""), outcome
        assert not (place / "runs" / MANY).exists()
    assert [content_of(place / "outside") for place in places] == before


def test_a_latest_that_points_elsewhere_is_not_followed(make):
    places = []
    for number, target in enumerate((FIRST, "..", "../outside", "/dev/zero")):
        places.append(make(str(number)))
        (places[-1] / "runs" / "latest").unlink()
        (places[-1] / "runs" / "latest").symlink_to(places[-1] / "outside" / target)
    before = [content_of(place / "outside") for place in places]
    for place, outcome in run_at(places, [("runs", "show", "latest"), ("runs", "list")]):
        check_inside(outcome, place)
        assert outcome.code == 0, outcome
        assert MANY in outcome.out  # the newest
    assert [content_of(place / "outside") for place in places] == before


@pytest.mark.parametrize(
    "line", ["base: ../../outside/secret.yaml", "trials: ../../outside/list.csv"]
)
def test_a_sweeps_own_config_names_no_file(place, line):
    config = place / "runs" / MANY / "config.yaml"
    key = line.partition(":")[0]
    rest = [part for part in _blocks(config.read_text()) if not part.startswith(f"{key}:")]
    config.write_text(f"{line}\n{''.join(rest)}")
    status = place / "runs" / MANY / "status.json"
    status.write_text(json.dumps({"status": "interrupted"}))
    before = content_of(place / "outside")
    for outcome in run_all(place, with_name(MANY, {"r": COMMANDS["sweep --resume"]})):
        check_inside(outcome, place)
        check_refused(outcome)
    assert content_of(place / "outside") == before


def _blocks(text):
    """Return the top-level keys of YAML text, each with what belongs to it."""
    blocks = []
    for line in text.splitlines(keepends=True):
        if line[0].isspace() or line[0] == "-":
            blocks[-1] += line
        else:
            blocks.append(line)
    return blocks


def test_a_run_cannot_be_named_out_of_the_runs_folder(place):
    before = content_of(place)
    options = ("-c", LINEAR, *MINI, "--no-plots")
    names = ["../x", "/x", "a/b", ".", "..", "", "-", "a\0b", "a\nb", "n" * 300, "é", "~", " "]
    commands = [
        words
        for name in names
        for words in (
            ("train", *options, "--name", name),
            ("train", *options, f"name='{name}'"),
            ("sweep", *options, "seed=1,2", "--name", name),
        )
    ]
    for outcome in run_all(place, commands):
        check_refused(outcome)
        check_inside(outcome, place)
    assert content_of(place) == before


def test_a_dataset_that_is_none_is_refused_in_a_sentence(place):
    os.mkfifo(place.parent / "pipe")
    names = ["/dev/zero", "../pipe", "/", "..", "a\\0b", "~root-of-nobody/x", "a\\nb", "n" * 300]
    words = [f'data.dataset="{name}"' for name in names]
    for outcome in run_all(
        place, [("train", "-c", LINEAR, word, "--no-plots", "-q") for word in words]
    ):
        check_refused(outcome)
        assert not outcome.wrote()


def test_a_runs_folder_that_is_none_is_refused_in_a_sentence(place):
    (place.parent / "work" / "file").write_text("kept")
    commands = [
        [*words, "--runs-dir", folder]
        for folder in ("/dev/null", "/dev/null/x", "n" * 300, "a\0b", "file")
        for words in (
            ("runs", "show", FIRST),
            ("runs", "delete", "--yes", "latest"),
            ("train", "-c", LINEAR, *MINI, "--no-plots", "-q"),
        )
    ]
    for outcome in run_all(place, commands):
        check_refused(outcome)
    assert content_of(place.parent / "work").keys() == {"file"}
    assert (place.parent / "work" / "file").read_text() == "kept"


def test_what_is_asked_for_inside_is_done(place):
    """Else all the refusals above would prove little."""
    before = content_of(place / "outside")
    commands = dict(COMMANDS)
    for name in ("list", "plot", "verify", "sweep --resume"):  # for sweeps, or slow
        del commands[name]
    work, scratch = place.parent / "work", place.parent / "scratch"
    for outcome in run_all(place, with_name(SECOND, commands)):
        assert outcome.code == 0, outcome
        for path in outcome.wrote():
            assert {place / "runs", work, scratch} & set(path.parents), (path, outcome)
    assert not (place / "runs" / SECOND).exists()
    assert content_of(place / "outside") == before


def test_touching_what_lies_outside_is_seen(place):
    (outcome,) = run_all(place, [("runs", "show", FIRST)], "outside")
    assert outcome.code == 0
    with pytest.raises(AssertionError):
        check_inside(outcome, place)
    (outcome,) = run_all(place, [("runs", "delete", SECOND, "--yes")], "outside")
    assert place / "outside" / SECOND in outcome.wrote()
    with pytest.raises(AssertionError):
        check_inside(outcome, place)
