"""A shell is offered the runs that there are, quickly and without a word more."""

import os
import shutil
import subprocess
import sys

import pytest

from mnistlab import cli
from tests.runs.test_paths import commands_that_take_a_run
from tests.store.folders import make_run, make_sweep


@pytest.fixture
def runs_dir(tmp_path):
    runs = tmp_path / "runs"
    make_run(runs / "20261101-000000-linear-aaaa")
    make_sweep(runs / "20261102-000000-rates-bbbb", rates=[0.1] * 11)
    (runs / "latest").symlink_to("20261102-000000-rates-bbbb")
    return runs


@pytest.fixture
def complete(monkeypatch, capfd):
    """Return a function from typed words to what a bash is offered for the last one."""

    def complete(words, **variables):
        with monkeypatch.context() as patch:
            patch.setenv("_MNISTLAB_COMPLETE", "complete_bash")
            patch.setenv("COMP_WORDS", words)
            patch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
            for name, value in variables.items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit):
                cli.run([])
        out, err = capfd.readouterr()
        assert err == ""
        return out.split()

    return complete


RUNS = ["20261102-000000-rates-bbbb", "20261101-000000-linear-aaaa"]


@pytest.mark.usefixtures("runs_dir")
@pytest.mark.parametrize(
    "command",
    ["report", *(f"runs {name}" for name in sorted(commands_that_take_a_run() - {"list"}))],
)
def test_every_command_that_takes_a_run(complete, command):
    assert complete(f"mnistlab {command} ") == ["latest", *RUNS]


@pytest.mark.usefixtures("runs_dir")
def test_what_is_begun(complete):
    assert complete("mnistlab runs show 20261101") == RUNS[1:]
    assert complete("mnistlab runs show la") == ["latest"]
    assert complete("mnistlab runs show nobody") == []
    numbers = [f"latest/{number}" for number in range(11)]
    assert complete("mnistlab runs show latest/") == numbers
    assert complete(f"mnistlab runs show {RUNS[0]}/1") == [f"{RUNS[0]}/1", f"{RUNS[0]}/10"]
    assert complete("mnistlab runs show nobody/") == []
    assert complete("mnistlab runs list ") == ["latest", RUNS[0]]
    assert complete("mnistlab runs delete latest 20261101") == RUNS[1:]


@pytest.mark.usefixtures("runs_dir")
def test_the_folder_is_the_one_that_is_meant(complete, tmp_path):
    make_run(tmp_path / "other" / "20261103-x")
    there = f"--runs-dir {tmp_path / 'other'}"
    assert complete(f"mnistlab runs show {there} 2026") == ["20261103-x"]
    assert complete("mnistlab runs show 2026", MNISTLAB_RUNS_DIR=str(tmp_path / "other")) == [
        "20261103-x"
    ]
    for lost in ("nowhere", "runs/latest/config.yaml"):
        assert complete(f"mnistlab runs show --runs-dir {tmp_path / lost} ") == ["latest"]


@pytest.mark.usefixtures("runs_dir")
def test_a_zsh_is_offered_the_same():
    environment = os.environ | {
        "_MNISTLAB_COMPLETE": "complete_zsh",
        "_TYPER_COMPLETE_ARGS": "mnistlab runs show 2026",
    }
    done = subprocess.run(
        [sys.executable, "-c", "from mnistlab.cli import run; run([])"],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.stderr == ""
    assert done.stdout == '_arguments \'*: :(("{}"\n"{}"))\'\n'.format(*RUNS)


def test_names_that_a_shell_would_run_are_not_offered(complete, runs_dir):
    for name in ("$(touch canary)", "`touch canary`", "a b", "x;y", "a\nb", "'q", "-rf", ".hidden"):
        make_run(runs_dir / name)
    make_run(runs_dir / RUNS[0] / "runs" / "$(x)")
    assert complete("mnistlab runs show ") == ["latest", *RUNS]
    assert complete("mnistlab runs show $(touch") == []
    assert len(complete("mnistlab runs show latest/")) == 11
    assert complete("mnistlab runs show ../") == []


@pytest.mark.usefixtures("runs_dir")
def test_a_bash_completes(tmp_path):
    if shutil.which("bash") is None:
        pytest.skip("there is no bash")
    program = tmp_path / "mnistlab"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m mnistlab "$@"\n')
    program.chmod(0o755)
    script = (
        f"PATH={tmp_path}:$PATH\n"
        'eval "$(mnistlab --show-completion bash)"\n'
        "COMP_WORDS=(mnistlab runs show 202611)\nCOMP_CWORD=3\n"
        '_mnistlab_completion mnistlab 202611 show\nprintf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    environment = os.environ | {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    done = subprocess.run(
        [shutil.which("bash"), "--norc", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.stdout.split() == RUNS, done.stderr


def test_nothing_heavy_is_loaded(runs_dir):
    code = (
        "import sys, typer, pathlib; from mnistlab.cli.options import complete_run;"
        f"context = type('C', (), {{'params': {{'runs_dir': pathlib.Path({str(runs_dir)!r})}}}})();"
        "print(complete_run(context, ''));"
        "print([m for m in ('numpy', 'yaml', 'pydantic', 'rich', 'filelock') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [str(["latest", *RUNS]), "[]"]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("mnistlab train -c linear learn", ["learning_rate="]),
        ("mnistlab train -c linear data.s", ["data.split=", "data.split_seed="]),
        ("mnistlab train -c linear model=", ["model=linear", "model=sigmoid", "model=pairwise"]),
        (
            "mnistlab train -c linear data.dataset=mnist",
            ["data.dataset=mnist", "data.dataset=mnist-mini"],
        ),
        ("mnistlab sweep -c linear optimizer=a", ["optimizer=adam", "optimizer=adamw"]),
        ("mnistlab config show linear_", ["linear_overflow"]),
        ("mnistlab train -c sof", ["softmax"]),
        ("mnistlab runs list --status d", ["diverged", "damaged"]),
        ("mnistlab gradcheck --break penal", ["penalty_missing"]),
    ],
)
def test_keys_values_configs_statuses_and_mistakes_are_completed(
    complete, tmp_path, monkeypatch, words, offered
):
    monkeypatch.chdir(tmp_path)
    assert complete(words) == offered
