"""A run trained again is the same, the same up to rounding, or says from where on it differs."""

import json
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

from mnistlab.console.printed_runs import describe_verification as describe
from mnistlab.core.losses import LOSSES, SquaredError
from mnistlab.datasets import load
from mnistlab.experiment.recorder import RunRecorder
from mnistlab.run_folders.files import write_json
from mnistlab.run_folders.safeguards import held_while_open
from mnistlab.store.verify import (
    DIFFERS,
    IDENTICAL,
    IMPOSSIBLE,
    WITHIN_TOLERANCE,
    _folder_aside,
    first_epoch_beyond,
    largest_difference,
    verify,
)
from tests.experiment.test_experiment import Recorder, train
from tests.experiment.test_resume import Interrupter, cut_short
from tests.sweep.helpers import sweep


def content(folder):
    return {path.name: path.read_bytes() for path in folder.path.iterdir() if path.is_file()}


def curves(losses, accuracies=None):
    gaps = [float("nan")] * len(losses)
    return {
        "epoch": list(range(1, len(losses) + 1)),
        "train_loss": losses,
        "train_accuracy": accuracies or gaps,
        "validation_loss": gaps,
        "validation_accuracy": gaps,
    }


@pytest.mark.parametrize(
    ("again", "epoch", "largest"),
    [
        (curves([2.0, 1.0]), None, 0.0),
        (curves([2.0, 1.0 + 1e-6]), None, 1e-6),
        (curves([2.0, 1.01]), 2, 0.0099),
        (curves([2.02, 1.01]), 1, 0.0099),
        (curves([2.0]), 2, 0.0),
        (curves([2.0, 1.0, 0.9]), 3, 0.0),
        (curves([2.0, float("inf")]), 2, float("inf")),
    ],
)
def test_the_first_epoch_beyond_the_tolerance(again, epoch, largest):
    known = curves([2.0, 1.0])
    assert first_epoch_beyond(known, again, 1e-4) == epoch
    assert largest_difference(known, again) == pytest.approx(largest, rel=0.01)


def test_overflows_at_the_same_place_are_the_same():
    known = curves([2.0, float("inf")])
    assert first_epoch_beyond(known, curves([2.0, float("inf")]), 1e-4) is None
    assert largest_difference(known, known) == 0.0


def test_accuracies_may_differ_by_a_tenth_of_a_point():
    known = curves([1.0], [0.9])
    assert first_epoch_beyond(known, curves([1.0], [0.9009]), 1e-4) is None
    assert first_epoch_beyond(known, curves([1.0], [0.902]), 1e-4) == 1


@pytest.mark.parametrize("words", [[], ["learning_rate=0.1", "epochs=9"]], ids=["ends", "diverges"])
def test_what_is_trained_again_is_identical_and_stays_as_it_was(tmp_path, words):
    folder = train("epochs=3", "optimizer=momentum", *words, tmp_path=tmp_path).folder
    before = content(folder)
    found = verify(folder, Recorder())
    assert (found.verdict, found.epoch, found.loss) == (IDENTICAL, None, 0.0)
    assert (found.damaged, dict(found.changed)) == ([], {})
    assert content(folder) == before
    assert len(list(folder.path.parent.iterdir())) == 2  # the run and `latest`


def test_a_run_of_a_sweep_is_the_same_up_to_rounding(tmp_path):
    folder = sweep(tmp_path, "learning_rate=linspace(0.001,0.02,16)", text="epochs: 3\n").folder
    found = verify(folder.run(9), Recorder())
    assert found.verdict in (WITHIN_TOLERANCE, IDENTICAL)
    assert 0 <= found.loss < 1e-5
    assert found.changed["stack_width"][1] == 1


def test_metrics_that_were_touched_up_are_found_out(tmp_path):
    folder = train("epochs=3", tmp_path=tmp_path).folder
    rows = folder.metrics.read_text().splitlines()
    cells = rows[2].split(",")
    cells[1] = "0.1"
    folder.metrics.write_text("\n".join([*rows[:2], ",".join(cells), *rows[3:]]) + "\n")
    found = verify(folder, Recorder())
    assert (found.verdict, found.epoch, found.damaged) == (DIFFERS, 2, ["metrics.csv"])


@pytest.mark.parametrize("name", ["model", "predictions"])
def test_a_file_that_was_exchanged_is_found_out(tmp_path, name):
    folder = train("epochs=2", tmp_path=tmp_path).folder
    other = train("epochs=2", "learning_rate=0.02", tmp_path=tmp_path / "other").folder
    getattr(folder, name).write_bytes(getattr(other, name).read_bytes())
    found = verify(folder, Recorder())
    assert (found.verdict, found.epoch) == (DIFFERS, None)
    assert found.damaged == [getattr(folder, name).name]


def test_a_whole_forgery_is_found_out(tmp_path):
    folder = train("epochs=2", tmp_path=tmp_path).folder
    other = train("epochs=2", "learning_rate=0.02", tmp_path=tmp_path / "other").folder
    folder.model.write_bytes(other.model.read_bytes())
    folder.write_status("completed", checksums=folder.compute_checksums())
    found = verify(folder, Recorder())
    assert (found.verdict, found.damaged) == (DIFFERS, [])


def test_data_that_has_changed_is_named(tmp_path):
    mini = load("mnist-mini", validation=0)
    arrays = {
        "x_train": np.array(mini.train.images), "y_train": np.array(mini.train.labels),
        "x_test": np.array(mini.test.images), "y_test": np.array(mini.test.labels),
    }  # fmt: skip
    data = tmp_path / "data.npz"
    np.savez(data, **arrays)
    folder = train(f"data.dataset={data}", "epochs=2", tmp_path=tmp_path).folder
    arrays["x_train"][:50] = 255
    np.savez(data, **arrays)
    found = verify(folder, Recorder())
    assert (found.verdict, found.epoch) == (DIFFERS, 1)
    assert "data_sha256" in found.changed


def test_code_that_has_changed_shows_from_the_epoch_on_where_it_matters(tmp_path, monkeypatch):
    class OtherSquaredError(SquaredError):
        calls = 0

        def gradient(self, outputs, targets):
            type(self).calls += 1
            change = 1.01 if type(self).calls > 60 else 1.0  # 50 steps an epoch
            return super().gradient(outputs, targets) * change

    folder = train("epochs=3", tmp_path=tmp_path).folder
    monkeypatch.setitem(LOSSES, "squared_error", OtherSquaredError())
    found = verify(folder, Recorder())
    assert (found.verdict, found.epoch) == (DIFFERS, 2)


def test_a_summary_that_was_touched_up_is_found_out_though_its_hash_is_right(tmp_path):
    folder = train("epochs=2", tmp_path=tmp_path).folder
    summary = folder.read_summary()
    for key, value in (("test", 0.95), ("validation", 0.99)):
        forged = {**summary, key: {**summary[key], "accuracy": value}}
        write_json(folder.summary, forged)
        folder.write_status("completed", checksums=folder.compute_checksums())
        found = verify(folder, Recorder())
        assert (found.verdict, found.damaged, found.epoch) == (DIFFERS, [], None)
        assert dict(found.summary) == {f"{key}.accuracy": (value, summary[key]["accuracy"])}
        assert f"summary.json says {key}.accuracy {value}" in describe(found)


def test_a_run_that_is_said_to_have_ended_otherwise_is_found_out(tmp_path):
    folder = train("epochs=9", "learning_rate=0.1", tmp_path=tmp_path).folder
    folder.write_status("completed", checksums=folder.compute_checksums())
    found = verify(folder, Recorder())
    assert found.verdict == DIFFERS
    assert "is said to be completed; trained again it is diverged" in describe(found)


def test_a_status_that_vouches_for_nothing_is_told(tmp_path):
    folder = train("epochs=1", tmp_path=tmp_path).folder
    folder.write_status("completed")
    found = verify(folder, Recorder())
    assert (found.verdict, found.vouched) == (IDENTICAL, False)
    assert "vouches for no file" in describe(found)


def test_what_has_not_ended_has_nothing_to_verify(tmp_path):
    folder = cut_short(tmp_path, ["epochs=5"], 2)
    found = verify(folder, Recorder())
    assert found.verdict == IMPOSSIBLE
    assert "it is interrupted" in found.reason
    assert "runs resume" in found.reason
    folder.status.write_text("{")
    assert "damaged" in verify(folder, Recorder()).reason


def test_a_verification_that_is_cut_short_advises_nothing(tmp_path):
    folder = train("epochs=3", tmp_path=tmp_path).folder
    with pytest.raises(KeyboardInterrupt) as caught:
        verify(folder, Interrupter(1))
    assert not getattr(caught.value, "__notes__", [])


def test_the_command_says_so_and_its_code_tells(run, tmp_path, monkeypatch):
    runs = tmp_path / "runs"
    folder = train("epochs=2", tmp_path=tmp_path).folder
    code, out, _ = run("runs", "verify", "latest", "--runs-dir", runs)
    assert (code, out.splitlines()[0]) == (0, f"{folder.name}: identical")
    changed = RunRecorder.add_epoch

    def note(self, record, position):
        record.train.loss[position] *= 1 + (record.epoch == 2) * 0.1
        return changed(self, record, position)

    monkeypatch.setattr(RunRecorder, "add_epoch", note)
    code, out, err = run("runs", "verify", "latest", "--runs-dir", runs)
    assert (code, f"{folder.name}: differs from epoch 2" in out) == (1, True)
    assert err.endswith(f"mnistlab: error: not the same came out for {folder.name}\n")
    code, out, _ = run("runs", "verify", "latest", "latest", "--runs-dir", runs, "-q", "--json")
    assert code == 1
    assert [one["epoch"] for one in json.loads(out)] == [2]
    code, out, _ = run("runs", "verify", "nothing", "--runs-dir", runs)
    assert (code, out) == (2, "")
    assert run("runs", "verify", "--runs-dir", runs)[0] == 2


def test_one_that_cannot_be_verified_stops_no_other(run, tmp_path):
    runs = tmp_path / "runs"
    done = sweep(tmp_path, "learning_rate=0.005,0.01", text="epochs: 1\n").folder
    train("epochs=2", tmp_path=tmp_path)
    done.run(0).config.write_text("a: [")
    code, out, err = run("runs", "verify", "--all", "--runs-dir", runs, "-q", "--json")
    verdicts = {one["run"].rpartition("/")[2]: one["verdict"] for one in json.loads(out)}
    assert code == 2
    assert len(verdicts) == 3
    assert verdicts["0"] == IMPOSSIBLE
    assert {verdicts["1"]} <= {IDENTICAL, WITHIN_TOLERANCE}
    assert f"cannot be verified: {done.name}/0" in err


def test_resume_is_one_command_for_runs_and_sweeps(run, tmp_path):
    folder = cut_short(tmp_path, ["epochs=5"], 2)
    runs = ["--runs-dir", folder.path.parent, "--no-plots", "-q"]
    code, out, _ = run("runs", "resume", "latest", *runs, "--json")
    assert (code, json.loads(out)["epochs"]) == (0, 5)
    code, out, _ = run("runs", "resume", "latest", "epochs=6", *runs, "--json")
    assert (code, json.loads(out)["epochs"]) == (0, 6)
    done = sweep(tmp_path, "learning_rate=0.005,0.01", text="epochs: 1\n").folder
    (done.run(1).model).unlink()
    code, out, _ = run("runs", "resume", done.name, *runs, "--json")
    assert (code, json.loads(out)["completed"]) == (0, 2)
    assert done.run(1).model.exists()
    code, _, err = run("runs", "resume", done.name, "epochs=3", *runs)
    assert (code, "--needed" in err) == (2, True)


def test_what_a_killed_verification_left_is_removed_by_the_next(tmp_path, monkeypatch):
    aside = tmp_path / "aside"
    aside.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(aside))
    killed, young, held = (aside / f"mnistlab-verify-{name}" for name in ("a", "b", "c"))
    for folder in (killed, young, held):
        folder.mkdir()
        (folder / "run").mkdir()
    for folder in (killed, held):
        os.utime(folder, (1, 1))
    with held_while_open(held), _folder_aside() as mine:
        assert {path.name for path in aside.iterdir()} == {young.name, held.name, Path(mine).name}
    assert not Path(mine).exists()


def test_a_verification_that_fails_promises_no_folder(tmp_path, monkeypatch):
    trained = train(tmp_path=tmp_path).folder

    class Teller(Recorder):
        def __init__(self):
            super().__init__()
            self.messages = []

        def message(self, text):
            self.messages.append(text)

    told = Teller()
    monkeypatch.setattr("mnistlab.experiment.training.evaluate", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        verify(trained, told)
    assert told.messages == []
