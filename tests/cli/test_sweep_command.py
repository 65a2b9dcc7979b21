"""`mnistlab sweep` and `mnistlab runs` as they are typed."""

import json
import sys
from pathlib import Path

import pytest

from mnistlab.run_folders.folder import SweepFolder
from mnistlab.sweeps.sweep_file import is_sweep_file
from mnistlab.sweeps.workers import RunEnded, Workers
from tests.digits import VALIDATION, write_digits

CONFIGS = Path(__file__).parents[2] / "configs"
SHIPPED = [path for path in sorted(CONFIGS.rglob("*.yaml")) if is_sweep_file(path)]
MINI = ("data.dataset=mnist-mini", "data.validation=1000")
FEW = (f"data.dataset={write_digits()}", f"data.validation={VALIDATION}")
LINEAR = CONFIGS / "linear.yaml"
QUICK = ("sweep", "-c", LINEAR, *MINI, "epochs=1", "--no-plots", "-q")


@pytest.fixture
def runs_dir(tmp_path):
    return tmp_path / "runs"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_sweep_runs(run, path):
    # with fewer steps an epoch, what diverges would not in one
    data = MINI if path.stem == "stability" else FEW
    code, out, _ = run("sweep", "-c", path, "--json", "--no-plots", "-q", *data, "epochs=1")
    found = json.loads(out)
    assert (code, found["status"]) == (0, "completed")
    if "published" in found:
        assert all(one["error"] < 0.5 for one in found["published"]["trials"])
    else:
        assert found["best"]["test"]["accuracy"] > 0.5
    assert (found["diverged"] > 0) == (path.stem == "stability")


def test_the_shipped_sweeps_are_what_they_say(run):
    outlook = {}
    for path in SHIPPED:
        code, out, _ = run("sweep", "-c", path, "--dry-run", "--json", *FEW)
        assert code == 0
        outlook[path.stem] = json.loads(out)
    assert outlook["assignment"]["parameters"] == ["learning_rate", "epochs", "batch_size"]
    assert outlook["learning_rate_64"]["runs"] == 64
    assert outlook["learning_rate_64"]["warnings"] == []
    assert "beyond the stability limit" in outlook["stability"]["warnings"][0]
    assert outlook["assignment"]["columns"] < outlook["assignment"]["trials"]
    assert all(one["seconds"] > 0 for one in outlook.values())


def test_json_is_one_document_and_the_table_names_the_best(run, runs_dir):
    code, out, err = run(*QUICK, "learning_rate=0.01,0.02", "--json")
    assert code == 0
    found = json.loads(out)
    assert err == ""
    folder = SweepFolder(Path(found["path"]))
    assert folder.path.parent == runs_dir
    assert json.loads(folder.summary.read_text()) == found
    code, out, _ = run(*QUICK[:-1], "learning_rate=0.01,0.02")
    best = found["best"]
    words = " ".join(out.split())
    assert f"trial {best['trial']}, learning_rate={best['parameters']['learning_rate']}" in words
    assert f"Test accuracy of the best: {best['test']['accuracy']:.2%}" in words
    assert "results.csv" in out


def test_plots_of_the_sweep_and_of_the_winner(run, runs_dir):
    words = ("learning_rate=0.005,0.01,0.1", "batch_size=50,100")
    code, out, _ = run("sweep", "-c", LINEAR, *MINI, "epochs=2", *words)
    assert code == 0
    (path,) = (path for path in runs_dir.iterdir() if not path.is_symlink())
    folder = SweepFolder(path)
    drawn = sorted(plot.stem for plot in folder.plots.glob("*.png"))
    assert drawn == ["all_learning_curves", "heat_map", "learning_rate"]
    best = json.loads(folder.summary.read_text())["best"]["runs"][0]
    assert len(list(folder.run(best).plots.glob("*.png"))) == 4
    assert out.count("plot: ") == 7


def test_dry_run_leaves_nothing(run, runs_dir):
    code, out, _ = run("sweep", "-c", LINEAR, *MINI, "learning_rate=0.01,0.02", "--dry-run")
    assert code == 0
    assert "memory megabytes" in out
    assert "learning_rate: 0.01, 0.02" in " ".join(out.split())
    assert not runs_dir.exists()


def test_dry_run_and_start_show_what_exponents_will_draw(run, tmp_path):
    path = tmp_path / "exponents.yaml"
    path.write_text(
        "base: {data: {dataset: mnist-mini, validation: 1000}, epochs: 1}\nmax_trials: 1\n"
        "parameters: {learning_rate: {distribution: log_uniform, min: 0.001, max: 0.1}}\n"
    )
    code, out, _ = run("sweep", "-c", path, "--dry-run", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["values"]["learning_rate"].startswith("drawn from 1.001 to 1.105")
    assert "use log_uniform_values" in found["warnings"][0]
    _, _, err = run("sweep", "-c", path, "--no-plots")
    assert "drawn from 1.001 to 1.105" in " ".join(err.split())


def test_halving_and_seeds_from_the_command_line(run):
    words = ("learning_rate=0.001,0.01,0.02", "halving.factor=3")
    code, out, _ = run("sweep", "-c", LINEAR, *MINI, "epochs=4", "--no-plots", "-q", "--json",
                       *words, "--method", "halving", "--seeds", "2")  # fmt: skip
    found = json.loads(out)
    assert (code, found["method"], found["seeds"]) == (0, "halving", 2)
    epochs = sorted(len(read_epochs(found, run)) for one in found["results"] for run in one["runs"])
    assert epochs == [1, 1, 1, 1, 4, 4]


SEARCH = ("learning_rate=log_uniform(0.001,0.02)", "--method", "tpe", "--max-trials", "10")


def test_a_dry_run_of_a_search_shows_all_of_its_trials(run):
    code, out, _ = run(*QUICK, *SEARCH, "--batch", "4", "--dry-run", "--json")
    found = json.loads(out)
    assert (code, found["trials"], found["runs"]) == (0, 10, 10)
    assert sum(found["widths"]) == 10
    assert max(found["widths"]) <= 4  # a batch trains by itself


def test_a_search_from_the_command_line_goes_on_where_it_was(run):
    pytest.importorskip("optuna")
    report = Workers.report

    def interrupt(workers, event):
        if isinstance(event, RunEnded) and event.number > 5:
            raise KeyboardInterrupt
        report(workers, event)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Workers, "report", interrupt)
        assert run(*QUICK, *SEARCH, "--batch", "4")[0] == 130
    _, out, _ = run("runs", "show", "latest")
    assert " of 10 runs are done; to go on: mnistlab sweep --resume" in " ".join(out.split())
    code, out, err = run("sweep", "--resume", "latest", "--json")
    assert (code, json.loads(out)["trials"]) == (0, 10)
    assert "10/10 runs done" in err
    assert "best so far" in err
    code, out, _ = run("sweep", "--resume", "latest")
    assert code == 0
    assert "It was complete already." in out
    assert run("sweep", "--resume", "latest", "--batch", "3")[0] == 2


def test_a_search_without_optuna_says_what_to_install(run, runs_dir, monkeypatch):
    monkeypatch.delitem(sys.modules, "mnistlab.sweeps.tpe", raising=False)
    monkeypatch.setitem(sys.modules, "optuna", None)
    code, out, err = run(*QUICK, *SEARCH)
    assert (code, out) == (2, "")
    assert "pip install 'mnistlab[optuna]'" in err
    assert not runs_dir.exists()
    assert run(*QUICK, "learning_rate=0.01,0.02")[0] == 0


def read_epochs(found, run):
    return SweepFolder(Path(found["path"])).run(run).read_metrics()["epoch"]


def test_minimize_and_maximize(run):
    code, out, _ = run(*QUICK, "learning_rate=0.01,0.02", "--json", "--minimize", "validation.loss")
    found = json.loads(out)
    losses = [one["validation"]["loss"] for one in found["results"]]
    assert code == 0
    assert found["best"]["validation"]["loss"] == min(losses)
    code, _, err = run(*QUICK, "learning_rate=0.01,0.02", "--maximize", "test.accuracy")
    assert code == 2
    assert "validation split only" in err
    both = ("--minimize", "validation.loss", "--maximize", "validation.accuracy")
    assert run(*QUICK, "learning_rate=0.01,0.02", *both)[0] == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["learning_rat=0.1,0.2"], "did you mean 'learning_rate'"),
        (["learning_rate=0.1,0.1"], "0.1"),
        (["learning_rate=logspace(-1,1,3)"], "learning_rate"),
        (["learning_rate=uniform(2,1)", "--method", "random"], "learning_rate"),
        (["learning_rate=0.1,abc"], "must be a number"),
        (["epochs=range(0,1000000)", "batch_size=range(1,1000000)"], "999,999,000,000"),
        ([], "nothing to sweep"),
        (["learning_rate=0.1,0.2", "--method", "bayes"], "grid"),
        (["batch_size=100,50000"], "batch_size 50000"),
        (["momentum=0.5,0.9"], "momentum"),
        (["--resume", "latest"], "--config"),
    ],
)
def test_a_wrong_space_is_one_sentence_and_leaves_nothing(run, runs_dir, words, told):
    base = [one for one in QUICK if one != "epochs=1" or not any("epochs" in w for w in words)]
    code, out, err = run(*base, *words)
    assert (code, out) == (2, "")
    assert err.startswith("mnistlab: ")
    assert err.count("\n") == 1
    assert told in err
    assert not runs_dir.exists()


def test_a_sweep_needs_a_config_and_a_resumed_one_takes_nothing_else(run, runs_dir):
    code, _, err = run("sweep", "-q")
    assert (code, "--config" in err) == (2, True)
    assert run("sweep", "--retry-failed", "-c", LINEAR, *MINI, "learning_rate=1,2")[0] == 2
    assert run(*QUICK, "learning_rate=0.01,0.02")[0] == 0
    for more in (["seeds=2"], ["--seeds", "2"], ["-c", LINEAR]):
        code, _, err = run("sweep", "--resume", "latest", *more)
        assert code == 2
        assert "--resume goes on with the sweep as it was begun" in err
    code, out, _ = run("sweep", "--resume", "latest", "-q", "--no-plots", "--json")
    assert (code, json.loads(out)["status"]) == (0, "completed")
    assert len([path for path in runs_dir.iterdir() if not path.is_symlink()]) == 1


def test_a_sweep_in_which_all_diverge_exits_with_1(run):
    code, out, err = run(*QUICK, "learning_rate=0.1,0.2", "--json")
    assert (code, json.loads(out)["best"]) == (1, None)
    assert "every trial diverged" in err


def test_train_given_a_sweep_says_so(run, runs_dir):
    code, _, err = run("train", "-c", SHIPPED[0])
    assert code == 2
    assert "mnistlab sweep" in err
    run(*QUICK, "learning_rate=0.01,0.02")
    code, _, err = run("train", "-c", runs_dir / "latest" / "config.yaml")
    assert (code, "mnistlab sweep" in err) == (2, True)


def test_config_validate_knows_sweeps(run, tmp_path):
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("base: {model: linear}\nparameters: {learning_rate: [1, x]}\n")
    assert run("config", "validate", *SHIPPED, LINEAR)[0] == 0
    code, out, _ = run("config", "validate", wrong, *SHIPPED)
    assert code == 2
    assert "value 2" in out


def test_a_sweeps_config_repeats_it(run, runs_dir):
    code, out, _ = run(*QUICK, "learning_rate=logspace(0.001,0.01,3)", "--json", "--seeds", "2")
    first = json.loads(out)
    config = Path(first["path"]) / "config.yaml"
    code, out, _ = run("sweep", "-c", config, "--no-plots", "-q", "--json")
    again = json.loads(out)
    assert code == 0
    assert again["results"] == first["results"]
    for number in range(6):
        weights = [SweepFolder(Path(one["path"])).run(number).model.read_bytes()
                   for one in (first, again)]  # fmt: skip
        assert weights[0] == weights[1]
    assert len(list(runs_dir.glob("2*-linear-*"))) == 2


def test_runs_show_evaluates_the_test_split_when_asked(run):
    code, out, _ = run(*QUICK, "learning_rate=0.01,0.02", "--json")
    found = json.loads(out)
    other = 1 - found["best"]["trial"]
    name = f"{found['sweep']}/{other}"
    code, out, _ = run("runs", "show", f"latest/{other}", "--json")
    shown = json.loads(out)
    assert (code, shown["run"], shown["status"]["status"]) == (0, name, "completed")
    assert 0.5 < shown["summary"]["test"]["accuracy"] < 1
    code, out, _ = run("runs", "show", name)
    assert "test " in out
    code, out, _ = run("runs", "show", "latest")
    assert f"trial {found['best']['trial']}, learning_rate=" in " ".join(out.split())
    run("sweep", "--resume", "latest", "-q", "--no-plots")
    rows = (Path(found["path"]) / "results.csv").read_text().splitlines()
    assert ",,," in rows[1 + other] or rows[1 + other].count(",,") >= 1


@pytest.mark.usefixtures("drawn_here")
def test_runs_plot_draws_what_was_left_out(run):
    code, out, _ = run(*QUICK, "learning_rate=0.01,0.02", "--json")
    found = json.loads(out)
    code, out, _ = run("runs", "plot", "latest")
    assert (code, out.count("plot: ")) == (0, 2)
    code, out, _ = run("runs", "plot", f"latest/{1 - found['best']['trial']}", "--json")
    assert (code, len(json.loads(out))) == (0, 4)
    assert all(Path(path).exists() for path in json.loads(out))


def test_train_resume_from_the_command_line(run):
    train = ("train", "-c", LINEAR, *MINI, "--no-plots", "-q")
    code, out, _ = run(*train, "epochs=1", "--json")
    first = json.loads(out)
    code, out, _ = run("train", "--resume", "latest", "--json", "-q")
    assert (code, json.loads(out)["run"]) == (0, first["run"])
    code, out, _ = run("train", "--resume", "latest")
    assert "complete already" in out
    code, out, _ = run("train", "--resume", "latest", "epochs=3", "--json", "-q", "--no-plots")
    longer = json.loads(out)
    assert (code, longer["run"], longer["epochs"]) == (0, first["run"], 3)
    code, out, _ = run(*train, "epochs=3", "--json")
    assert json.loads(out)["train"] == longer["train"]


def test_train_resume_takes_nothing_that_makes_another_run(run):
    code, _, err = run("train", "-q")
    assert (code, "--config" in err) == (2, True)
    run(*QUICK, "learning_rate=0.01,0.02")
    code, _, err = run("train", "--resume", "latest")
    assert (code, "mnistlab sweep --resume" in err) == (2, True)
    code, _, err = run("train", "--resume", "latest/0")
    assert (code, "belongs to a sweep" in err) == (2, True)
    for more in (["learning_rate=1"], ["--name", "x"], ["-c", LINEAR]):
        code, _, err = run("train", "--resume", "latest", *more)
        assert (code, "only epochs=N" in err) == (2, True)
    code, _, err = run("train", "--resume", "nothing")
    assert (code, "there is no run 'nothing'" in err) == (2, True)
