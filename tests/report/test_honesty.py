"""What a report says of runs that are not what they seem: forged, gutted, damaged, left out."""

import json
import re
import shutil

import numpy as np
import pytest

from mnistlab.config.load import load_config
from mnistlab.core.metrics import pre_activations
from mnistlab.errors import MnistlabError
from mnistlab.optimum import optima
from mnistlab.report.collect import collect
from mnistlab.report.document import Code, Number, Paragraph, Picture, Table
from mnistlab.report.featured import FEATURED
from mnistlab.report.sections import section_of_run, section_of_sweep, table_of_runs
from mnistlab.report.shelf import DataShelf
from mnistlab.report.write import Request, _Content
from mnistlab.runs import RunFolder
from mnistlab.store.facts import is_number
from tests.report.assignment_runs import CONFIGS, train_assignment
from tests.store.folders import make_run, make_sweep
from tests.store.trained import train


@pytest.fixture(scope="module")
def assignment(tmp_path_factory):
    return train_assignment(tmp_path_factory.mktemp("honest"))


@pytest.fixture
def trained(assignment, tmp_path, monkeypatch):
    """A copy of the linear run and of the sweep that a test may harm."""
    monkeypatch.setenv("MNISTLAB_DATA_DIR", str(assignment.data))
    linear = assignment.runs["linear"]
    for folder in (linear, assignment.sweep):
        shutil.copytree(folder.path, tmp_path / "copy" / folder.name)
    sweep = type(assignment.sweep)(tmp_path / "copy" / assignment.sweep.name)
    return RunFolder(tmp_path / "copy" / linear.name), sweep


def words_of(section):
    told = []
    for block in section.blocks:
        if isinstance(block, Paragraph):
            told.append("".join(map(text_of, block.pieces)))
        elif isinstance(block, Table):
            told += ["".join(map(text_of, cell)) for row in block.rows for cell in row]
    return "\n".join(told)


def text_of(piece):
    if isinstance(piece, Number):
        return piece.shown
    return piece.text if isinstance(piece, Code) else str(piece)


def rewrite(path, change):
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def vouch(folder):
    """Let the status vouch for the files as they now are."""
    rewrite(folder.status, lambda status: status.update(files=folder.compute_checksums()))


# The gap.


def test_with_a_penalty_the_whole_objective_is_compared(tmp_path):
    folder = train(tmp_path / "runs", "weight_decay=0.01", "epochs=3")
    (run,), _ = collect([folder])
    rows, labels = run.dataset.train.rows, run.dataset.train.labels
    A = pre_activations(run.parameters.astype(np.float64), rows, run.dataset.pixels)
    loss = np.square(A - np.eye(10)[labels]).sum(axis=1).mean()
    objective = loss + 0.005 * np.square(run.parameters[:-1].astype(np.float64)).sum()
    assert run.gap == pytest.approx(objective - run.optimum.objective, abs=1e-5)
    assert run.gap > 0
    assert run.gaps is None
    told = words_of(section_of_run(run))
    assert "weight decay 0.01" in told
    assert "least loss plus penalty" in told
    again = train(tmp_path / "runs", "weight_decay=0.01", "epochs=3").log.read_text()
    above = f"is {run.gap / run.optimum.objective:.2%} above the least"
    assert f"The training loss plus penalty, {run.penalty:.4f}, {above}" in again


def test_without_a_penalty_the_gap_is_that_of_the_last_epoch(trained):
    (run,), _ = collect([trained[0]])
    assert run.gap == pytest.approx(run.gaps[-1], abs=1e-12)


# Forged numbers.


def forge(summary):
    summary["test"]["accuracy"] = 0.9581


def test_an_accuracy_that_the_predictions_do_not_give_is_told(trained):
    folder, _ = trained
    rewrite(folder.summary, forge)
    vouch(folder)
    (run,), _ = collect([folder])
    words = words_of(table_of_runs([run], []))
    right = np.mean(run.predictions == run.dataset.test.labels)
    assert f"says that the test accuracy is 95.81%, the predictions {right:.2%}" in words
    assert "completed, damaged" in words


def test_a_summary_that_is_not_the_runs_own_gives_no_numbers(trained):
    folder, _ = trained
    rewrite(folder.summary, forge)
    (run,), _ = collect([folder])
    words = words_of(table_of_runs([run], []))
    assert "summary.json is" in words
    assert "completed, damaged" in words


def test_a_whole_run_is_not_suspected(trained):
    (run,), (sweep,) = collect(trained)
    assert (run.status, run.missing) == ("completed", [])
    assert (sweep.status, sweep.missing) == ("completed", [])


@pytest.mark.parametrize("vouched", [False, True])
def test_a_sweep_that_tells_another_accuracy_than_its_best_run_is_told(trained, vouched):
    _, folder = trained
    rewrite(folder.summary, lambda told: told["best"]["test"].update(accuracy=0.9958))
    if vouched:
        vouch(folder)
    _, (sweep,) = collect([folder])
    assert sweep.status == "completed, damaged"
    assert any("sweep.json" in words for words in sweep.missing)


def test_a_sweep_without_its_runs_says_so(trained):
    _, folder = trained
    count = len(folder.runs())
    shutil.rmtree(folder.path / "runs")
    _, (sweep,) = collect([folder])
    assert f"{count} of its {count} runs are not there" in " ".join(sweep.missing)
    assert sweep.best is None
    words_of(section_of_sweep(sweep))


# The sweep's row and section.


def test_a_sweeps_row_shows_the_numbers_of_its_best_trial(trained):
    _, (sweep,) = collect([trained[1]])
    (table,) = (b for b in table_of_runs([], [sweep]).blocks if isinstance(b, Table))
    rate, epochs = table.rows[0][3][0], table.rows[0][4][0]
    assert isinstance(rate, Number)
    assert (rate.run, rate.value) == (sweep.best.name, sweep.best.facts["learning_rate"])
    assert epochs.value == sweep.best.facts["trained_epochs"]
    assert table.rows[0][8][0] != "–"  # noqa: RUF001 - the dash of an empty cell


def test_a_sweeps_section_has_the_table_that_its_words_speak_of(trained):
    _, (sweep,) = collect([trained[1]])
    section = section_of_sweep(sweep)
    assert any(isinstance(block, Table) for block in section.blocks)
    assert "The table shows" not in words_of(section)


# All runs have their say.


def test_runs_without_a_section_have_a_command_and_a_sentence_says_so(tmp_path):
    folders = [make_run(tmp_path / f"r{at:02}", accuracy=at / 100) for at in range(20)]
    request = Request(folders, ["md"], "T", "")
    sections = _Content.of(request).for_paper()
    own = [section for section in sections if re.fullmatch(r"try \(r\d\d\)", section.title)]
    assert len(own) == FEATURED
    (rest,) = (section for section in sections if section.title == "The other runs")
    words = words_of(rest)
    assert f"the other {20 - FEATURED} are" in words
    assert words.count("mnistlab train --config") == 20 - FEATURED


METRICS = (
    "epoch,train_loss,train_accuracy,validation_loss,validation_accuracy,learning_rate,seconds\n"
    "1,0.5,0.8,0.5,0.8,0.01,0.1\n2,0.4,0.8,0.4,0.8,0.01,0.1\n"
)


def test_an_interrupted_run_has_its_curves_and_the_command_that_goes_on(tmp_path):
    folder = make_run(tmp_path / "cut", status="interrupted", metrics=METRICS)
    (run,), _ = collect([folder])
    section = section_of_run(run)
    assert [block.name for block in section.blocks if isinstance(block, Picture)] == [
        "cut-learning_curves"
    ]
    assert f"mnistlab train --resume {folder.path}" in words_of(section)
    assert run.gap is None


def test_a_damaged_config_has_no_command_and_no_empty_words(tmp_path):
    folder = make_run(tmp_path / "hurt")
    folder.config.write_text("a: [")
    (run,), _ = collect([folder])
    words = words_of(section_of_run(run))
    assert run.command == run.resume_command == ""
    assert "config.yaml is missing or damaged." in words
    assert words.count("config.yaml") == 1
    for wrong in ("unknown", ", ,", "mnistlab train", "Config.yaml"):
        assert wrong not in words


def test_a_run_that_died_in_its_first_epoch_has_no_complete_one(assignment):
    (run,), _ = collect([assignment.runs["linear_overflow"]])
    assert run.facts["trained_epochs"] == 1
    assert "0 complete epochs" in words_of(section_of_run(run))


def test_why_there_is_no_gap_is_said_below_the_table(assignment, monkeypatch):
    monkeypatch.setenv("MNISTLAB_DATA_DIR", str(assignment.data))
    runs, _ = collect([assignment.runs["sigmoid"], assignment.runs["softmax"]])
    words = words_of(table_of_runs(runs, []))
    assert "not convex" in words
    assert "nowhere" in words


def test_a_plugins_run_says_what_it_needs(tmp_path):
    folder = make_run(tmp_path / "own", model="my_model")
    (run,), _ = collect([folder])
    assert "needs --plugin" in " ".join(run.missing)


def test_twins_are_named_and_equal_names_told_apart(tmp_path):
    folders = [make_run(tmp_path / student / "run") for student in ("ann", "bob")]
    runs, _ = collect(folders)
    assert [run.name for run in runs] == ["ann/run", "bob/run"]
    assert "its config, data and code are those of ann/run" in runs[1].missing
    assert not any("those of" in words for words in runs[0].missing)


# The commands.


@pytest.mark.parametrize(
    "changes",
    [[], ["learning_rate=1e-05", "seed=7"], ["data.preprocess=[deskew, standardize]"],
     ["optimizer=momentum", "momentum=0.9", "schedule=step", "step_factor=0.5", "name=mine"]],
)  # fmt: skip
@pytest.mark.parametrize("name", ["linear", "sigmoid", "best"])
def test_the_command_gives_the_same_config(name, changes, tmp_path):
    import shlex  # noqa: PLC0415

    from mnistlab.config.load import to_yaml  # noqa: PLC0415

    wanted = load_config(CONFIGS / f"{name}.yaml", changes)
    folder = make_run(tmp_path / "run")
    folder.config.write_text(to_yaml(wanted))
    (run,), _ = collect([folder])
    (
        *start,
        path,
    ) = shlex.split(run.command)[:4]
    assert start == ["mnistlab", "train", "--config"]
    again = load_config(CONFIGS.parent / path, shlex.split(run.command)[4:])
    assert again.model_copy(update={"name": None}) == wanted.model_copy(update={"name": None})
    if not changes:
        assert run.command == f"mnistlab train --config configs/{name}.yaml"


def test_a_shipped_sweep_is_repeated_by_its_own_file(tmp_path):
    from mnistlab.sweep.spaces.trials import load_sweep  # noqa: PLC0415

    folder = make_sweep(tmp_path / "sweep")
    _, (other,) = collect([folder])
    assert str(folder.config) in other.command
    folder.config.write_text(load_sweep(CONFIGS / "sweeps" / "assignment.yaml").to_yaml())
    _, (sweep,) = collect([folder])
    assert sweep.command == "mnistlab sweep --config configs/sweeps/assignment.yaml"


# The shelf.


def test_a_yardstick_is_sought_once_and_so_is_one_that_cannot_be_found(trained, monkeypatch):
    from mnistlab.report import shelf as module  # noqa: PLC0415

    asked = []

    def find(config, dataset):
        asked.append(config)
        if config.loss == "squared_error":
            return optima.find_optimum(config, dataset)
        raise MnistlabError("no SciPy")

    monkeypatch.setattr(module, "find_optimum", find)
    config = load_config(trained[0].config)
    shelf = DataShelf()
    sha256 = trained[0].read_environment()["data_sha256"]
    assert shelf.optimum(config, sha256) is shelf.optimum(config, sha256)
    assert len(asked) == 1
    assert not shelf.lacked
    softmax = config.model_copy(update={"loss": "softmax_cross_entropy", "weight_decay": 0.1})
    for _ in range(2):
        with pytest.raises(MnistlabError, match="no SciPy"):
            shelf.optimum(softmax, sha256)
    assert len(asked) == 2
    assert shelf.lacked


def test_data_that_has_changed_is_not_the_runs_own(trained):
    shelf, config = DataShelf(), load_config(trained[0].config)
    with pytest.raises(MnistlabError, match="has changed"):
        shelf.dataset(config, "another")
    assert shelf.lacked


def test_a_number_of_hundreds_of_digits_is_none():
    assert not is_number(10**400)
