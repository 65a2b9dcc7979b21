"""What a run folder says is read as a run may say it, or not at all."""

import json
import shutil

import pytest

from mnistlab.errors import RunFolderError
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.files import read_json
from tests.store.folders import make_run, make_sweep


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"seed": 9223372036854775807}', {"seed": 2**63 - 1}),
        ('{"least": -9223372036854775808}', {"least": -(2**63)}),
        ('{"seed": 9223372036854775808}', None),
        ('{"a": [{"b": -9223372036854775809}]}', None),
        (f'{{"loss": 1{"0" * 400}}}', None),
        (f'{{"loss": 1{"0" * 5000}}}', None),
        ("[1]", None),
        ("[" * 100_000, None),
    ],
)
def test_a_json_file_says_what_64_bits_hold(tmp_path, text, expected):
    path = tmp_path / "x.json"
    path.write_text(text)
    assert read_json(path) == expected


def test_a_folder_says_nothing(tmp_path):
    assert read_json(tmp_path) is None
    assert read_json(tmp_path / "none") is None


def test_a_number_beyond_all_others_makes_a_summary_a_damaged_one(run, tmp_path):
    folder = make_run(tmp_path / "runs" / "20261101-a")
    summary = json.loads(folder.summary.read_text())
    summary["train"]["loss"] = 10**400
    folder.summary.write_text(json.dumps(summary))
    with pytest.raises(RunFolderError, match=r"summary\.json: is missing or cannot be read"):
        folder.read_summary()
    code, out, err = run("runs", "show", "latest", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["summary"] is None
    code, out, _ = run("runs", "list", "--json")
    assert code == 0
    assert json.loads(out)[0]["damaged"] == ["summary.json"]


@pytest.mark.parametrize(
    "name", ["status.json", "summary.json", "environment.json", "metrics.csv", "model.safetensors"]
)
def test_a_folder_in_place_of_a_file_is_shown_as_damaged_and_can_be_deleted(run, tmp_path, name):
    folder = make_run(tmp_path / "runs" / "20261101-a", metrics="epoch\n")
    folder.write_status(
        "completed", checksums=folder.compute_checksums() | {"model.safetensors": "0" * 64}
    )
    (folder.path / name).unlink(missing_ok=True)
    (folder.path / name).mkdir()
    code, out, err = run("runs", "show", "latest", "--json")
    assert (code, "unexpected" in err, "directory" in err) == (0, False, False)
    assert name in json.loads(out)["damaged"]
    assert run("runs", "delete", "latest", "--yes")[0] == 0
    assert not folder.path.exists()


def test_a_run_is_one_of_a_sweep_if_it_lies_in_one(tmp_path):
    runs = tmp_path / "runs"
    sweep = make_sweep(runs / "20261104-sweep")
    assert sweep.run(1).name == "20261104-sweep/1"
    shutil.copytree(sweep.run(1).path, runs / "7")
    assert RunFolder(runs / "7").name == "7"


def test_a_run_that_is_called_by_a_number_is_a_run_like_any_other(run, tmp_path):
    make_run(tmp_path / "runs" / "7")
    assert json.loads(run("runs", "show", "7", "--json")[1])["run"] == "7"
    assert run("runs", "delete", "7", "--yes")[0] == 0
