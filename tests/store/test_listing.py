"""`runs list` shows the runs that are meant, in a table that fits, as CSV or as JSON."""

import csv
import io
import json
import math

import pytest

from mnistlab.errors import InputError
from mnistlab.store.facts import varying_keys
from mnistlab.store.selection import arrange, parse, select
from tests.store.folders import make_run, make_sweep, train


@pytest.fixture
def runs_dir(tmp_path):
    """Return the default runs folder with three runs and a sweep."""
    runs = tmp_path / "runs"
    make_run(runs / "20261101-000000-linear-aaaa", learning_rate=0.01, accuracy=0.8)
    make_run(
        runs / "20261102-000000-softmax-bbbb", learning_rate=0.1, accuracy=0.9, model="softmax"
    )
    make_run(runs / "20261103-000000-linear-cccc", status="failed", learning_rate=0.001)
    make_sweep(runs / "20261104-000000-rates-dddd", rates=[0.1] * 12)
    return runs


def names(out):
    return [line.split()[0].rpartition("-")[2] for line in out.splitlines() if line[:4] == "2026"]


@pytest.mark.usefixtures("runs_dir")
def test_newest_first(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    code, out, err = run("runs", "list")
    assert (code, err) == (0, "")
    assert names(out) == ["dddd", "cccc", "bbbb", "aaaa"]
    assert "80.00%" in out
    assert "0.001" in out


@pytest.mark.usefixtures("runs_dir")
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--sort", "learning_rate"], ["cccc", "aaaa", "bbbb", "dddd"]),
        (["--sort", "-learning_rate"], ["bbbb", "aaaa", "cccc", "dddd"]),
        (["--sort", "-validation.accuracy"], ["cccc", "bbbb", "aaaa", "dddd"]),
        (["--sort", "model"], ["dddd", "cccc", "aaaa", "bbbb"]),
        (["--sort", "-status,learning_rate"], ["cccc", "aaaa", "bbbb", "dddd"]),
        (["--sort", "kind, -learning_rate"], ["bbbb", "aaaa", "cccc", "dddd"]),
        (["--sort", "-kind,model,learning_rate"], ["dddd", "cccc", "aaaa", "bbbb"]),
        (["--status", "failed"], ["cccc"]),
        (["--filter", "validation.accuracy > 85%"], ["cccc", "bbbb"]),
        (["--filter", "learning_rate >= 0.01 and model = linear"], ["aaaa"]),
        (["--filter", "kind = sweep"], ["dddd"]),
        (["--filter", "seed = 3"], []),
        (["--limit", "2"], ["dddd", "cccc"]),
        (["--sort", "learning_rate", "--limit", "1"], ["cccc"]),
        (["--status", "completed", "--filter", "learning_rate = null"], ["dddd"]),
    ],
)
def test_choosing_and_sorting(words, told, run):
    code, out, _ = run("runs", "list", *words)
    assert (code, names(out)) == (0, told)


@pytest.mark.usefixtures("runs_dir")
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--status", "complete"], "unknown status 'complete'; did you mean 'completed'?"),
        (["--sort", "-learning_rat"], "--sort: unknown key 'learning_rat'; did you mean"),
        (["--sort", "run,,status"], "--sort: unknown key ''"),
        (["--sort", "run,-learning_rat"], "--sort: unknown key 'learning_rat'; did you mean"),
        (["--columns", "run,lerning_rate"], "--columns: unknown key 'lerning_rate'; did you mean"),
        (["--columns", " ,"], "--columns: name at least one key"),
        (["--filter", "epochs > 1 and modle = linear"], "filter, position 16: unknown key 'modle'"),
        (["--filter", "model > 3"], "model is text, which has no order with a number"),
        (["--filter", "model >"], "filter, position 8: it ends too early"),
        (["--limit", "0"], "limit"),
        (["--json", "--csv"], "exclude each other"),
        (["nowhere"], "there is no run 'nowhere'"),
    ],
)
def test_what_is_refused(words, told, run):
    code, out, err = run("runs", "list", *words)
    assert (code, out) == (2, "")
    assert told in err
    assert len(err.splitlines()) == 1


def test_the_runs_inside_a_sweep(run, runs_dir):
    code, out, _ = run("runs", "list", "20261104")
    assert code == 0
    listed = [line.split()[0].rpartition("/")[2] for line in out.splitlines()[2:]]
    assert listed == [str(number) for number in range(12)]
    make_sweep(runs_dir / "20261105-000000-two-eeee", rates=(0.01, 0.2))
    heading = "".join(run("runs", "list", "latest")[1].splitlines()[:2])
    assert "rate" in heading
    assert "optimizer" not in heading


@pytest.mark.usefixtures("runs_dir")
def test_columns_are_those_asked_for(run):
    out = run("runs", "list", "--columns", "run, data.preprocess,seconds.total,run")[1]
    assert out.splitlines()[1].split() == ["run", "preprocess", "total"]
    assert out.splitlines()[-1].split() == ["20261101-000000-linear-aaaa", "deskew", "1.50"]


@pytest.mark.usefixtures("runs_dir")
@pytest.mark.parametrize("width", [40, 60, 80, 90, 100, 120, 200])
def test_a_table_fits_the_terminal(width, run, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    lines = run("runs", "list")[1].splitlines()
    assert max(map(len, lines)) <= max(
        width, len("20261102-000000-softmax-bbbb  completed  validation.")
    )
    assert all(word in "".join(lines[:2]) for word in ("run", "status"))
    assert all(word in lines[1].split() for word in ("model", "loss")) == (width >= 80)
    assert ("optimizer" in "".join(lines[:2])) == (width > 120)
    assert ("runs" in lines[1].split()) == (width >= 90)
    assert ("test." in "".join(lines[:2])) is False, "no run has a test accuracy"


def test_80_columns_hold_the_model_the_loss_and_the_test_accuracy(run, tmp_path, monkeypatch):
    train(tmp_path / "runs", "loss=softmax_cross_entropy", "epochs=1", "name=overflow-linear")
    monkeypatch.setenv("COLUMNS", "80")
    heading, names, line = run("runs", "list")[1].splitlines()
    assert "test." in heading
    assert all(name in names.split() for name in ("model", "loss", "accuracy"))
    assert line.split()[2:4] == ["linear", "softmax"]
    assert len(line) <= 80


@pytest.mark.usefixtures("runs_dir")
def test_json_and_csv_hold_the_values_themselves(run):
    code, out, _ = run("runs", "list", "--json", "--sort", "learning_rate", "--limit", "1")
    (facts,) = json.loads(out)
    assert code == 0
    assert facts["run"] == "20261103-000000-linear-cccc"
    assert facts["data.preprocess"] == ["deskew"]
    assert facts["validation.loss"] == 0.5
    assert facts["validation"] == {"loss": 0.5, "accuracy": facts["validation.accuracy"]}
    out = run("runs", "list", "--csv", "--columns", "run,learning_rate,data.preprocess,runs")[1]
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["learning_rate"] for row in rows] == ["", "0.001", "0.1", "0.01"]
    assert rows[0]["runs"] == "12"
    assert rows[1]["data.preprocess"] == '["deskew"]'
    table = run("runs", "list")[1].splitlines()
    assert len(table) == len(run("runs", "list", "--csv")[1].splitlines()) + 1  # a heading of two


def test_an_empty_or_missing_folder(run, tmp_path):
    code, out, err = run("runs", "list", "--runs-dir", tmp_path / "nowhere", "--json")
    assert (code, out) == (0, "[]\n")
    assert "there is no run here yet" in err
    where = tmp_path / "empty"
    where.mkdir()
    for _ in range(2):
        code, out, err = run("runs", "list", "--runs-dir", where)
        assert (code, out) == (0, "")
        assert err == f"{where}: there is no run here yet\n"
        assert run("runs", "list", "--runs-dir", where, "--json")[:2] == (0, "[]\n")
        assert run("runs", "list", "--runs-dir", where, "--filter", "model = linear")[0] == 0
        assert run("runs", "list", "--runs-dir", where, "--filter", "modle = linear")[0] == 2


def test_damaged_runs_stay_listed(run, runs_dir):
    (runs_dir / "20261101-000000-linear-aaaa" / "config.yaml").write_text("model: [")
    (runs_dir / "20261102-000000-softmax-bbbb" / "status.json").write_text("{")
    (runs_dir / "20261103-000000-linear-cccc" / "environment.json").unlink()
    code, out, _ = run("runs", "list")
    assert code == 0
    assert len(names(out)) == 4
    lines = {line.split()[0][-4:]: line for line in out.splitlines()}
    assert lines["aaaa"].endswith("config.yaml")
    assert lines["bbbb"].endswith("status.json")
    assert lines["cccc"].endswith("environment.json")
    assert "failed" in lines["cccc"]
    assert names(run("runs", "list", "--status", "damaged")[1]) == ["cccc", "bbbb", "aaaa"]
    assert names(run("runs", "list", "--filter", "damaged contains config.yaml")[1]) == ["aaaa"]


def test_one_odd_value_does_not_silence_a_filter(run, runs_dir):
    make_run(runs_dir / "20261105-000000-odd-eeee", learning_rate="much")
    code, out, err = run("runs", "list", "--filter", "learning_rate > 0.01")
    assert (code, names(out)) == (0, ["bbbb"])
    assert "warning: a run is left out: filter, position 15: learning_rate is text" in err
    assert names(run("runs", "list", "--sort", "-learning_rate")[1])[0] == "eeee"


def test_nothing_reaches_the_terminal_that_could_steer_it(run, tmp_path):
    runs = tmp_path / "runs"
    evil = "\x1b[31m\x9b2J\u202e\r\nx"
    make_run(runs / f"a{evil.replace('/', '')}", model=evil, name=evil, **{"opt\x1b": 1})
    (runs / "b\udcff").mkdir()
    (runs / "b\udcff" / "status.json").write_text(json.dumps({"status": "\ud800\x1b"}))
    for words in ([], ["--json"], ["--csv"], ["--csv", "--columns", "run,model,name,status"]):
        code, out, err = run("runs", "list", *words)
        assert code == 0
        assert all(character.isprintable() or character == "\n" for character in out + err), words
    assert {facts["run"] for facts in json.loads(run("runs", "list", "--json")[1])} == {
        f"a{evil}",
        "b\udcff",
    }


def test_wide_letters_keep_the_columns_straight(run, tmp_path):
    make_run(tmp_path / "runs" / "a", model="線形", optimizer="x")
    make_run(tmp_path / "runs" / "b", model="linear", optimizer="x")
    wide, plain = run("runs", "list", "--columns", "model,optimizer")[1].splitlines()[1:]
    assert (wide, plain) == ("linear  x", "線形    x")


def test_equal_values_of_several_kinds_are_shown_as_they_are(run, tmp_path):
    for name, value in {"a": 1, "b": 1.5, "c": True, "d": "1"}.items():
        make_run(tmp_path / "runs" / name, momentum=value)
    out = run("runs", "list", "--columns", "momentum", "--sort", "run")[1]
    assert out.split() == ["momentum", "1", "1.5", "true", "1"]


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("learning_rate", 0.012345678, "0.01235"),
        ("learning_rate", 10**400, str(10**400)),
        ("momentum", math.inf, "inf"),
        ("name", "n" * 50, "n" * 39 + "…"),
        ("name", "", "\N{EN DASH}"),
        ("early_stopping", None, "\N{EN DASH}"),
    ],
)
def test_how_a_value_is_shown(key, value, told, run, tmp_path):
    make_run(tmp_path / "runs" / "a", **{key: value})
    assert run("runs", "list", "--columns", f"{key},run")[1].split()[-2:] == [told, "a"]


def test_numbers_that_json_does_not_know(run, tmp_path):
    make_run(tmp_path / "runs" / "a", momentum=math.nan, learning_rate=-math.inf)
    (facts,) = json.loads(run("runs", "list", "--json")[1])
    assert facts["momentum"] is None
    assert facts["learning_rate"] is None


ROWS = [
    {"run": "1", "status": "completed", "x": 2},
    {"run": "2", "status": "completed", "x": 10.5},
    {"run": "3", "status": "failed"},
    {"run": "4", "status": "completed", "x": math.nan},
    {"run": "5", "status": "completed", "x": "text"},
    {"run": "6", "status": "completed", "x": ["a"]},
    {"run": "7", "status": "completed", "x": True},
]


def test_values_of_all_kinds_are_sorted():
    assert "".join(facts["run"] for facts in arrange(ROWS, "x")) == "7125643"
    assert "".join(facts["run"] for facts in arrange(ROWS, "-x")) == "6521743"


def test_what_cannot_be_judged_is_told():
    selection = select(ROWS, parse("x > 1"))
    assert [facts["run"] for facts in selection.runs] == ["1", "2"]
    assert selection.warning
    assert selection.warning.startswith("3 runs are left out: filter")
    with pytest.raises(InputError, match="no order"):
        select(ROWS[4:], parse("x > 1"))


def test_the_keys_that_vary():
    rows = [{"run": "1", "a": 1, "b": 2, "name": "x"}, {"run": "2", "a": 1, "c": 3, "name": "y"}]
    assert varying_keys(rows) == ["b", "c"]
    assert varying_keys([]) == []


@pytest.mark.parametrize("epoch", ["", "nan", "inf", "-inf"])
def test_metrics_of_an_interrupted_run_without_a_last_epoch_are_none(run, runs_dir, epoch):
    folder = runs_dir / "20261101-000000-linear-aaaa"
    (folder / "summary.json").unlink()
    (folder / "status.json").write_text(json.dumps({"status": "interrupted"}))
    header = "epoch,train_loss,train_accuracy,validation_loss,validation_accuracy"
    row = f"{epoch},0.5,0.9,,"
    (folder / "metrics.csv").write_text(f"{header},learning_rate,seconds\n{row},0.1,1\n")
    code, out, _ = run("runs", "list", "--json")
    (facts,) = (one for one in json.loads(out) if one["run"] == folder.name)
    assert (code, "trained_epochs" in facts, "train.loss" in facts) == (0, False, False)


@pytest.mark.usefixtures("runs_dir")
def test_the_name_of_a_loss_is_told_from_its_values(run):
    code, _, err = run("runs", "list", "--filter", "loss < 0.5")
    assert code == 2
    assert "its values are train.loss, validation.loss, test.loss" in err


@pytest.mark.usefixtures("runs_dir")
@pytest.mark.parametrize(
    ("condition", "hint"),
    [
        ("test.accuracy > 85", "test.accuracy lies between 0 and 1: write 0.85 or 85%"),
        ("status = complete", "status: there is no 'complete'; did you mean 'completed'?"),
        ("status in (done, stopped)", "status: there is no"),
        ("optimizer = Adam", "optimizer: there is no 'Adam'; did you mean 'adam'? (adam, adamw,"),
        ("model contains conv", "model: there is no 'conv' (linear, pairwise, sigmoid"),
        ("learning_rate > 5", ""),
        (
            'learning_rate = "0.01"',
            "learning_rate is a number, and null where there is none: write 0.01",
        ),
        (
            "learning_rate in [0.01]",
            "learning_rate is a number, and null where there is none: write 0.01",
        ),
        ("epochs in {2}", "epochs is a number, and null where there is none: write 2"),
        ("epochs = true", "epochs is a number, and null where there is none: write 0.01"),
        ("train.loss = nan", "train.loss is a number, and null where there is none: write 0.01"),
        ("model = sigmoid", ""),
    ],
)
def test_a_filter_that_nothing_meets_is_explained(condition, hint, run):
    code, out, err = run("runs", "list", "--filter", condition)
    assert (code, out) == (0, "")
    first, *hints = err.splitlines()
    assert first.startswith("no run matches, of ")
    assert bool(hints) == bool(hint)
    assert all(hint in line for line in hints)


FACTS = ("status.json", "environment.json", "summary.json", "metrics.csv", "config.yaml")


@pytest.mark.parametrize(
    "name",
    ["status.json", "environment.json", "summary.json", "metrics.csv", "config.yaml",
     "model.safetensors", "predictions.npy"],
)  # fmt: skip
def test_a_file_as_large_as_no_run_has_it_hurts_nobody_else(name, run, tmp_path):
    """Read whole, the 20 GB that such a file claims to have would end the command."""
    good, bad = (make_run(tmp_path / "runs" / each) for each in ("good", "bad"))
    status = json.loads(bad.status.read_text())
    status["files"] = {name: "0" * 64} if name != "status.json" else {}
    bad.status.write_text(json.dumps(status))
    with (bad.path / name).open("ab") as file:
        file.truncate(20 << 30)
    for words in (
        ("list", "--json"),
        ("show", "bad"),
        ("export", "--all", "--to", tmp_path / "a.csv"),
    ):
        code, out, err = run("runs", *words, "--runs-dir", tmp_path / "runs")
        assert code in (0, 1, 2), err
        assert "fault of mnistlab" not in err
        if words[0] == "list":
            facts = {one["run"]: one for one in json.loads(out)}
            assert facts[good.name]["status"] == "completed"
            told = facts[bad.name].get("damaged", [])
            assert told == ([f"{name} is 21.5 GB"] if name in FACTS else [])
