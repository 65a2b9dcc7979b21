"""Commands on runs whose files say what none of ours says: a table, or one sentence."""

import io
import json
import shutil

import numpy as np
import pytest
import safetensors.numpy

from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.folder import SweepFolder
from tests.faults.command import invoke
from tests.runs.audited import train_both
from tests.runs.test_paths import FIRST, MANY, commands_that_take_a_run

NESTED = '{"a": ' * 50_000
SUMMARY = (
    *("", "null", "[]", '"x"', "5", "{}", NESTED, '{"train": 5}', '{"train": []}', '{"best": 5}'),
    *('{"train": {"loss": "x", "accuracy": []}}', '{"train": {"loss": 1e999, "accuracy": true}}'),
    '{"epochs": "x", "test": {"loss": {}, "accuracy": null}}',
    *('{"seconds": "x"}', '{"seconds": {"total": "x"}}', f'{{"epochs": 1{"0" * 400}}}'),
)
STATUS = (
    *("", "[]", '{"status": 5}', '{"status": "\\u001b[2J"}', '{"status": "running", "pid": "x"}'),
    '{"status": "completed", "started": {}, "ended": 5, "error": ["x"], "stopped": {"a": 1}}',
    '{"status": "completed", "started": "x", "ended": [], "files": 5}',
    '{"status": "failed", "error": "\\u001b[2J\\n\\u202e", "started": "\\u001b[2J"}',
    '{"status": "failed", "error": {"a": []}, "files": {"config.yaml": {"a": 5}}}',
    '{"status": "completed", "files": {"config.yaml": ["x", 5], "../x": "y", "plots": null}}',
)
ENVIRONMENT = (
    *("", "[]", "{}", '{"packages": 5, "blas": 5, "git": 5, "command": 5}'),
    '{"packages": {"numpy": []}, "blas": [5], "git": {"commit": 5}, "command": [{}]}',
    '{"blas": [{"num_threads": "x"}], "processors": "x", "data_sha256": [], "key": {}}',
    '{"mnistlab": 5, "python": [], "machine": {}, "platform": null, "seeds": -1, "stack": "x"}',
)
COLUMNS = (
    "epoch,train_loss,train_accuracy,validation_loss,validation_accuracy,learning_rate,seconds"
)
METRICS = (
    *("", "epoch\n", "epoch,loss\n1,2\n", "\0", '"' * 9, f"{COLUMNS}\n", f"{COLUMNS}\n,,,,,,\n"),
    f"{COLUMNS}\nnan,inf,-inf,1e999,x,,\n",
    f"{COLUMNS}\n1e300,nan,nan,nan,nan,nan,nan\n-1,inf,inf,inf,inf,inf,inf\n",
)
CONFIG = (
    *("", "[]\n", "epochs: 1\n", "base: {}\n", "parameters: 5\n", "data: 5\n", "model: [linear]\n"),
    *("epochs: x\nmodel: {}\n", "data: {dataset: /dev/zero}\n", "name: [1]\nseed: -1\n"),
    *("learning_rate: .nan\n", f"seed: 1{'0' * 400}\n", "base: x.yaml\n", "a: &b [*b]\n"),
    *("data: {dataset: mnist-mini, validation: 5999}\n", "data: {dataset: mnist-mini}\n"),
)
PLAN = (
    *("", "[]", "{}", '{"stacks": 5}', '{"stacks": [5]}', '{"stacks": [[["x"]]], "columns": 5}'),
    '{"stacks": [[[-1, 99]]], "columns": {"0": "x"}}',
)
SWEEP = (
    *("", "[]", '{"best": 5}', '{"best": {"trial": "x"}, "runs": "x", "trials": 5}'),
    '{"best": {"trial": 99, "run": [], "validation": 5, "config": 5, "parameters": 5}}',
    '{"trials": [{"a": 1}], "ranking": "x", "statuses": 5, "seeds": "x", "metric": 5}',
)


def saved(array):
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


PREDICTIONS = (
    *(saved(np.zeros(5, np.uint8)), saved(np.zeros((1000, 2))), saved(np.full(1000, 99, np.uint8))),
    *(saved(np.full(1000, "x")), saved(np.zeros(1000, "i4,i4")), saved(np.array(1)), b"", b"\x93N"),
)
MODEL = (
    *(safetensors.numpy.save({"W": np.zeros((784, 10), t), "b": np.zeros(10, t)}) for t in "db"),
    safetensors.numpy.save({"W": np.full((784, 10), np.nan), "b": np.zeros(10)}),
    safetensors.numpy.save({"W": np.zeros((3, 10)), "b": np.zeros(10)}),
    safetensors.numpy.save({"W": np.zeros((784, 3)), "b": np.zeros(3)}),
    safetensors.numpy.save({"W": np.zeros((784, 10, 10)), "b": np.zeros((10, 10))}),
    b"",
)

SHOW, SHOW_ALL, LIST = ("show", "NAME"), ("show", "NAME", "--json"), ("list",)
DIFF, COMPARE, PREDICT = ("diff", "NAME", "0f"), ("compare", "0f", "NAME"), ("predict", "NAME", "0")
EXPORT = ("export", "NAME", "--to", "out.csv", "--force")
EPOCHS = (*EXPORT, "--epochs")
MODEL_FILE = ("export", "NAME", "--to", "out.onnx", "--force")
EVENTS = ("export", "NAME", "--to", "events", "--format", "tensorboard")
VERIFY, RESUME, INSIDE = (
    ("verify", "NAME"),
    ("resume", "NAME", "--no-plots", "-q"),
    ("list", "NAME"),
)
COMPARE_ALL = ("compare", "NAME")
PLOT, DELETE = ("plot", "NAME"), ("delete", "--yes", "NAME")

# A file of a run or of a sweep, what it says, and the commands that look at it.
CASES = (
    (FIRST, "summary.json", SUMMARY, (SHOW, LIST, DIFF, COMPARE, EXPORT, RESUME)),
    (FIRST, "status.json", STATUS, (SHOW, SHOW_ALL, LIST, DIFF, EVENTS, DELETE)),
    (FIRST, "environment.json", ENVIRONMENT, (SHOW, SHOW_ALL, DIFF, VERIFY)),
    (FIRST, "metrics.csv", METRICS, (SHOW, COMPARE, EPOCHS, EVENTS)),
    (FIRST, "metrics.csv", METRICS[-2:], (PLOT,)),  # each starts a process, but here
    (FIRST, "config.yaml", CONFIG, (SHOW, LIST, DIFF, COMPARE, EVENTS, MODEL_FILE)),
    (FIRST, "predictions.npy", PREDICTIONS, (SHOW, DIFF, EXPORT)),
    (FIRST, "model.safetensors", MODEL, (PREDICT, DIFF, MODEL_FILE)),
    (MANY, "plan.json", PLAN, (SHOW, INSIDE, RESUME, DELETE)),
    (MANY, "sweep.json", SWEEP, (SHOW, SHOW_ALL, INSIDE, LIST, COMPARE_ALL, EXPORT)),
    (MANY, "status.json", STATUS, (SHOW, INSIDE, LIST, EXPORT)),
    (MANY, "environment.json", ENVIRONMENT, (SHOW, SHOW_ALL, LIST)),
    (MANY, "config.yaml", CONFIG, (SHOW, INSIDE, LIST)),
)


def test_every_command_that_takes_a_run_is_tried_here():
    tried = {command[0] for *_, commands in CASES for command in commands}
    assert tried == commands_that_take_a_run()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return dict(zip((FIRST, MANY), train_both(tmp_path_factory.mktemp("trained")), strict=True))


@pytest.mark.usefixtures("drawn_here")
@pytest.mark.parametrize("kind", [FIRST, MANY], ids=["run", "sweep"])
def test_a_file_that_says_something_else_gets_a_sentence(tmp_path, trained, kind, monkeypatch):
    """Each text with every other command; with all of them by tests/stress/foreign.py."""
    monkeypatch.chdir(tmp_path)  # for what is exported
    monkeypatch.setenv("COLUMNS", "300")
    assert [told for _, told in tries(trained, kind, tmp_path, every=2) if told] == []


def tries(trained, kind, place, every=1):
    """Yield each command that looks at a file which says something else, and what is wrong."""
    for case, (of, file, contents, commands) in enumerate(CASES):
        for number, content in enumerate(contents if of == kind else ()):
            runs = place / f"{case}-{file}-{number}"
            shutil.copytree(trained[FIRST], runs / "0f")
            shutil.copytree(trained[kind], runs / "hostile")
            folder = (SweepFolder if kind == MANY else RunFolder)(runs / "hostile")
            change(folder, file, content)
            for command in commands[number % every :: every] or commands[:1]:
                named = ["hostile" if word == "NAME" else word for word in command]
                arguments = ["runs", *named, "--runs-dir", runs]
                outcome = invoke(*arguments)
                told = f"{named}, {runs.name}: {ascii(outcome.err or outcome.out)[-300:]}"
                yield command, "" if _is_fine(arguments, outcome) else told


def change(folder, file, content):
    """Write something else into a file; the status vouches for it."""
    path = folder.path / file
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    if file != "status.json":
        known = json.loads(folder.status.read_bytes())
        folder.status.write_text(json.dumps(known | {"files": folder.compute_checksums()}))


def _is_fine(arguments, outcome):
    said = outcome.err.splitlines() or [""]
    shown = (outcome.out + outcome.err).replace("\n", "")
    return (
        outcome.code in (0, 1, 2)
        and (outcome.code == 0 or said[-1].startswith("mnistlab: "))
        and "unexpected" not in outcome.err
        and "Warning" not in outcome.err
        # JSON has escapes of its own for what a terminal obeys
        and (shown.isprintable() or ("--json" in arguments and "\x1b" not in shown))
    )
