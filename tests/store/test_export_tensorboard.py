"""Event files hold each epoch's metrics once, in the form that TensorBoard reads."""

import calendar
import math
import os
import signal
import struct
import sys

import pytest
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData

from mnistlab.run_folders.folder import METRICS_COLUMNS
from tests.digits import write_digits
from tests.store.folders import everything_in, make_run, make_sweep, names_in, write_state

HEADER = ",".join(METRICS_COLUMNS) + "\n"
ROWS = ("1,0.5,0.75,0.625,0.5,0.25,2.0\n", "2,,,,,0.125,1.0\n", "3,inf,nan,-inf,nan,0.125,0.5\n")
STARTED = calendar.timegm((2026, 11, 23, 17, 43, 12)) + 0.739  # what `write_state` says
FILE = "events.out.tfevents.0.mnistlab"


def crc32c(data):
    """Return the CRC-32C (Castagnoli) of bytes, bit by bit as RFC 3720 defines it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(data):
    """Return the checksum of a TFRecord: the CRC, rotated right by 15 bits, plus a constant."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17 & 0xFFFFFFFF) + 0xA282EAD8) & 0xFFFFFFFF


def events_in(path):
    """Return the events of a file whose every record is whole."""
    content, events = path.read_bytes(), []
    while content:
        (length,), (crc,) = struct.unpack("<Q", content[:8]), struct.unpack("<I", content[8:12])
        data, end = content[12 : 12 + length], content[12 + length : 16 + length]
        assert (crc, end) == (masked(content[:8]), struct.pack("<I", masked(data)))
        events.append(Event.FromString(data))
        content = content[16 + length :]
    return events


def scalars_in(path):
    """Return tag, step, time since the run's start and value of every scalar."""
    return [
        (value.tag, event.step, round(event.wall_time - STARTED, 3), value.simple_value)
        for event in events_in(path)
        for value in event.summary.value
        if value.HasField("simple_value")
    ]


def hparams_in(path):
    """Return what stands for the page HPARAMS, by its kind."""
    found = {}
    for event in events_in(path):
        for value in event.summary.value:
            if value.tag.startswith("_hparams_/"):
                assert value.metadata.plugin_data.plugin_name == "hparams"
                data = HParamsPluginData.FromString(value.metadata.plugin_data.content)
                kind = value.tag.removeprefix("_hparams_/")
                found[kind] = getattr(data, kind)
    return found


@pytest.fixture
def export(run, tmp_path):
    """Return a function that exports to a folder and returns what the command says."""

    def export(*words, to="tb"):
        return run("runs", "export", *words, "--to", tmp_path / to, "--format", "tensorboard")

    return export


@pytest.fixture
def made(tmp_path):
    """Return the folder of a run with three epochs, which has diverged."""
    metrics = HEADER + "".join(ROWS)
    folder = make_run(tmp_path / "runs" / "a", status="diverged", metrics=metrics)
    folder.summary.write_text('{"epochs": 3, "test": {"loss": 0.5, "accuracy": 0.75}}')
    return folder


def test_the_checksum_is_that_of_the_standard():
    assert crc32c(b"123456789") == 0xE3069283


def test_every_number_once_by_epoch_with_its_time(export, made, tmp_path):
    assert export("a") == (0, f"{tmp_path / 'tb'}: 1 run\n", "")
    first, *_ = events_in(tmp_path / "tb" / "a" / FILE)
    assert first.file_version == "brain.Event:2"
    found = scalars_in(tmp_path / "tb" / "a" / FILE)
    assert found[:6] == [
        ("loss/train", 1, 2.0, 0.5),
        ("loss/validation", 1, 2.0, 0.625),
        ("accuracy/train", 1, 2.0, 0.75),
        ("accuracy/validation", 1, 2.0, 0.5),
        ("learning_rate", 1, 2.0, 0.25),
        ("seconds", 1, 2.0, 2.0),
    ]
    # the second epoch was not evaluated, in the third the loss overflowed
    assert found[6:8] == [("learning_rate", 2, 3.0, 0.125), ("seconds", 2, 3.0, 1.0)]
    third = {tag: value for tag, step, at, value in found[8:14] if (step, at) == (3, 3.5)}
    assert (third["loss/train"], third["loss/validation"]) == (math.inf, -math.inf)
    assert math.isnan(third["accuracy/train"])
    assert math.isnan(third["accuracy/validation"])
    # the end is a minute after the start
    assert found[14:] == [("loss/test", 3, 60.0, 0.5), ("accuracy/test", 3, 60.0, 0.75)]
    assert made.metrics.exists()


@pytest.mark.usefixtures("made")
def test_the_config_is_there_for_the_page_hparams(export, tmp_path):
    assert export("a")[0] == 0
    found = hparams_in(tmp_path / "tb" / "a" / FILE)
    values = found["session_start_info"].hparams
    assert values["learning_rate"].number_value == 0.01
    assert values["model"].string_value == "linear"
    assert values["data.dataset"].string_value == "mnist-mini"
    assert values["data.preprocess"].string_value == '["deskew"]'
    assert not {"run", "status", "name", "test.loss"} & set(values)
    assert found["session_start_info"].start_time_secs == STARTED
    assert found["session_end_info"].status == 2  # failure
    assert found["session_end_info"].end_time_secs == STARTED + 60


def test_a_run_that_diverged_in_training(run, export, tmp_path):
    small = [f"data.dataset={write_digits()}", "data.validation=200", "--no-plots", "-q"]
    assert run("train", "-c", "linear", "learning_rate=900", *small)[0] == 1
    assert export("latest")[0] == 0
    (file,) = (tmp_path / "tb").glob(f"*/{FILE}")
    values = {tag: value for tag, _, _, value in scalars_in(file)}
    assert not math.isfinite(values["loss/train"])
    assert values["learning_rate"] == 900


def test_a_sweep_has_a_folder_for_each_run_and_others_stay(export, made, tmp_path):
    sweep = make_sweep(tmp_path / "runs" / "s")
    for number in sweep.runs():
        sweep.run(number).metrics.write_text(HEADER + ROWS[0])
    (tmp_path / "tb" / "mine").mkdir(parents=True)
    (tmp_path / "tb" / "mine" / "events.out.tfevents.1.mine").write_text("mine")
    assert export("s", made.name)[:2] == (0, f"{tmp_path / 'tb'}: 3 runs\n")
    assert names_in(tmp_path / "tb") == ["a", "mine", "s"]
    assert names_in(tmp_path / "tb" / "s") == ["0", "1"]
    for number, rate in ((0, 0.01), (1, 0.1)):
        file = tmp_path / "tb" / "s" / str(number) / FILE
        assert len(scalars_in(file)) == 6
        found = hparams_in(file)
        assert found["session_start_info"].hparams["learning_rate"].number_value == rate
        assert found["session_end_info"].status == 1  # success
    assert (tmp_path / "tb" / "mine" / "events.out.tfevents.1.mine").read_text() == "mine"


def test_exported_again_nothing_is_doubled(export, made, tmp_path):
    file = tmp_path / "tb" / "a" / FILE
    made.metrics.write_text(HEADER + ROWS[0])
    write_state(made, "interrupted")
    assert export("a")[0] == 0
    short = file.read_bytes()
    assert export("a")[0] == 0
    assert file.read_bytes() == short
    # the run has gone on, and whoever has the file open sees the rest in it
    made.metrics.write_text(HEADER + ROWS[0] + ROWS[1])
    write_state(made, "completed")
    with file.open("rb") as opened:
        assert opened.read() == short
        assert export("a")[0] == 0
        assert short + opened.read() == file.read_bytes() != short
    assert [scalar[:2] for scalar in scalars_in(file)][6:8] == [
        ("learning_rate", 2),
        ("seconds", 2),
    ]
    # an export that was cut short is completed, one of other numbers is replaced
    whole = file.read_bytes()
    file.write_bytes(whole[:-5])
    assert export("a")[0] == 0
    assert file.read_bytes() == whole
    made.metrics.write_text(HEADER + ROWS[0].replace("0.5", "0.25"))
    assert export("a")[0] == 0
    assert scalars_in(file)[0] == ("loss/train", 1, 2.0, 0.25)
    assert len(scalars_in(file)) == 6 + 2  # those of the test split
    assert names_in(file.parent) == [FILE]


@pytest.fixture
def between_looks(monkeypatch):
    """Return a function that takes what is to happen instead of the waits, one after the other."""

    def between_looks(*steps):
        happening = iter(steps)
        monkeypatch.setattr("mnistlab.store.export.time.sleep", lambda _: next(happening)())

    return between_looks


def test_follow_goes_on_as_the_run_trains_until_it_has_ended(export, made, tmp_path, between_looks):
    file = tmp_path / "tb" / "a" / FILE
    made.metrics.unlink()
    write_state(made, "running")
    seen = []

    def look():
        seen.append([scalar[:2] + scalar[3:] for scalar in scalars_in(file)][::6])

    def add_first_and_half_of_the_second():
        assert not file.exists()
        made.metrics.write_text(HEADER + ROWS[0] + ROWS[1][:5])

    def add_the_other_half_and_change_what_was_read():
        look()
        changed = ROWS[0].replace("0.5", "9.5", 1)
        made.metrics.write_text(HEADER + changed + ROWS[1])

    def end():
        look()
        made.metrics.write_text(made.metrics.read_text() + ROWS[2])
        write_state(made, "diverged")

    between_looks(
        add_first_and_half_of_the_second, add_the_other_half_and_change_what_was_read, end
    )
    with made.locked():
        code, out, err = export("a", "--follow")
    assert (code, out, err) == (0, f"{tmp_path / 'tb'}: 1 run\n", "")
    # only what is new is read, so the changed first line is not seen
    assert seen == [
        [("loss/train", 1, 0.5)],
        [("loss/train", 1, 0.5), ("learning_rate", 2, 0.125)],
    ]
    followed = file.read_bytes()
    assert export("a")[0] == 0
    assert file.read_bytes() == followed
    found = scalars_in(file)
    assert (found[0], len(found)) == (("loss/train", 1, 2.0, 9.5), 6 + 2 + 6 + 2)


@pytest.mark.usefixtures("made")
def test_follow_returns_at_once_where_nothing_trains(export, tmp_path, between_looks):
    between_looks()
    assert export("a", "--follow")[0] == 0
    assert len(scalars_in(tmp_path / "tb" / "a" / FILE)) == 16


def test_follow_sees_the_runs_of_a_sweep_come(export, tmp_path, between_looks):
    sweep = make_sweep(tmp_path / "runs" / "s", rates=(0.01,))
    sweep.run(0).metrics.write_text(HEADER + ROWS[0])
    write_state(sweep, "running")

    def add_a_run():
        assert names_in(tmp_path / "tb" / "s") == ["0"]
        make_run(sweep.run(1).path, metrics=HEADER + ROWS[0])

    def end():
        assert names_in(tmp_path / "tb" / "s") == ["0", "1"]
        write_state(sweep, "completed")

    between_looks(add_a_run, end)
    with sweep.locked():
        assert export("s", "--follow")[:2] == (0, f"{tmp_path / 'tb'}: 2 runs\n")


def test_ctrl_c_ends_following_and_leaves_a_whole_file(export, made, tmp_path, between_looks):
    write_state(made, "running")
    between_looks(lambda: os.kill(os.getpid(), signal.SIGINT))
    with made.locked():
        code, out, err = export("a", "--follow")
    assert (code, out) == (130, "")
    assert "interrupted" in err
    assert len(scalars_in(tmp_path / "tb" / "a" / FILE)) == 14


def test_what_cannot_be_read_is_told(export, made, tmp_path):
    make_run(tmp_path / "runs" / "b", metrics=HEADER + "1,2\n")
    make_run(tmp_path / "runs" / "c")
    code, out, err = export("--all")
    assert (code, out) == (0, f"{tmp_path / 'tb'}: 1 run\n")
    assert "warning: b: missing or damaged: metrics.csv" in err
    assert "warning: c: missing or damaged: metrics.csv" in err
    assert names_in(tmp_path / "tb") == [made.name]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--to", "file", "--format", "tensorboard"], "file: is a file"),
        (["--to", "no/tb", "--format", "tensorboard"], "there is no folder no"),
        (["--to", "runs", "--format", "tensorboard"], "no event file can be written into a run"),
        (["--to", "runs/a/tb", "--format", "tensorboard"], "can be written into a run folder"),
        (["--to", "other", "--format", "tensorboard"], "other/a/notes.txt: is no export of a"),
        (["--to", "links", "--format", "tensorboard"], "links/a: is no folder"),
        (["--to", "linked", "--format", "tensorboard"], f"linked/a/{FILE}: is no export of a"),
        (["--to", "tb", "--format", "tensorbord"], "did you mean 'tensorboard'?"),
        (["--to", "tb", "--format", "tensorboard", "--epochs"], "--epochs goes with a .csv"),
        (["--to", "x.csv", "--follow"], "--follow goes with --format tensorboard"),
        (["--to", "x.csv", "--format", "json"], "x.csv: is no json; its name must end in .json"),
    ],
)
@pytest.mark.usefixtures("made")
def test_what_is_refused(words, told, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("mine")
    for name in ("other", "links", "linked"):
        (tmp_path / name).mkdir()
    (tmp_path / "other" / "a").mkdir()
    (tmp_path / "other" / "a" / "notes.txt").write_text("mine")
    (tmp_path / "links" / "a").symlink_to("..")
    (tmp_path / "linked" / "a").mkdir()
    (tmp_path / "linked" / "a" / FILE).symlink_to("../../file")
    before = everything_in(tmp_path)
    code, out, err = run("runs", "export", "a", *words)
    assert (code, out) == (2, "")
    assert told in err
    assert everything_in(tmp_path) == before


@pytest.mark.usefixtures("made")
def test_without_the_extra_it_is_told(export, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX.proto.event_pb2", None)
    code, out, err = export("a")
    assert (code, out) == (2, "")
    assert "pip install 'mnistlab[tensorboard]'" in err
    assert not (tmp_path / "tb").exists()
