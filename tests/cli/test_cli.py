"""The command line as its users meet it: output, exit codes, messages, signals."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mnistlab import __version__, errors
from mnistlab.__main__ import main
from mnistlab.run_folders import RunFolder, files
from mnistlab.sweeps.sweep_file import is_sweep_file
from tests.digits import write_digits

CONFIGS = Path(__file__).parents[2] / "configs"
SHIPPED = [path for path in sorted(CONFIGS.glob("*.yaml")) if not is_sweep_file(path)]
MINI = ["data.dataset=mnist-mini", "data.validation=1000", "epochs=1"]


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "mini.yaml"
    path.write_text("epochs: 2\ndata: {dataset: mnist-mini, validation: 1000}\n")
    return path


def start(*arguments, **named):
    return subprocess.Popen(
        [sys.executable, "-m", "mnistlab", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **named,
    )


def test_train_prints_the_result_and_where_it_is(run, config, tmp_path):
    code, out, err = run("train", "--config", config)
    assert code == 0
    assert re.search(r"test +0\.\d{4} +\d\d\.\d\d%", out)
    path = re.search(r"run folder: (\S+)", out)[1]
    assert Path(path).parent == tmp_path / "runs"
    assert all(Path(plot).is_file() for plot in re.findall(r"plot: (\S+)", out))
    assert len(re.findall("plot: ", out)) == 4
    assert "epoch 1/2  training loss" in err


def test_json_is_one_document_with_the_contracts_keys(run, config):
    code, out, _ = run("train", "--config", config, "--json", "--no-plots")
    summary = json.loads(out)
    assert code == 0
    assert summary.keys() >= {
        *("run", "path", "status", "epochs", "train", "validation", "test", "seconds"),
    }
    assert summary["epochs"] == 2
    assert summary["status"] == "completed"
    assert summary["train"].keys() == summary["test"].keys() == {"loss", "accuracy"}
    assert summary["seconds"].keys() == {"total", "train", "evaluate"}
    assert not (Path(summary["path"]) / "plots").exists()


def test_quiet_says_nothing_but_the_document_and_errors(run, config, tmp_path):
    assert run("train", "-c", config, "-q", "--no-plots") == (0, "", "")
    warned = run("train", "-c", config, "-q", "--no-plots", "learning_rate=0.0256", "epochs=1")
    assert warned == (0, "", "")
    assert run("train", "--resume", "latest", "-q") == (0, "", "")
    code, out, err = run("train", "-c", config, "-q", "--no-plots", "--json")
    assert (code, err, json.loads(out)["status"]) == (0, "", "completed")
    sweep = ("sweep", "-c", config, "--no-plots", "learning_rate=0.01,0.02", "epochs=1", "-q")
    assert run(*sweep) == (0, "", "")
    assert run("sweep", "--resume", "latest", "-q") == (0, "", "")
    assert run("runs", "verify", "latest/0", "-q") == (0, "", "")
    code, out, err = run("train", "-c", tmp_path / "none.yaml", "-q")
    assert (code, out) == (2, "")
    assert "there is no such file" in err


def test_a_name_and_a_place_can_be_given(run, config, tmp_path):
    elsewhere = tmp_path / "else where"
    _, out, _ = run(
        *("train", "-c", config, "--name", "tall-1", "--runs-dir", elsewhere),
        *("--no-plots", "--json", "epochs=1"),
    )
    summary = json.loads(out)
    assert "-tall-1-" in summary["run"]
    assert Path(summary["path"]).parent == elsewhere
    assert summary["epochs"] == 1


def test_print_config_and_dry_run_leave_nothing(run, config, tmp_path):
    code, out, _ = run("train", "-c", config, "--print-config", "learning_rate=1e-3")
    assert code == 0
    assert "learning_rate: 0.001\n" in out
    code, out, _ = run("train", "-c", config, "--dry-run", "learning_rate=0.5")
    assert code == 0
    assert re.search(r"steps +100\n", out)
    assert "beyond the stability limit" in out
    code, out, _ = run("train", "-c", config, "--dry-run", "--json", "--exact-limit")
    assert json.loads(out)["learning_rate_limit"] == pytest.approx(0.025, rel=0.05)
    assert not (tmp_path / "runs").exists()


@pytest.mark.usefixtures("drawn_here")
def test_divergence_is_one_sentence_and_exit_1(run, config):
    code, out, err = run("train", "-c", config, "learning_rate=0.1")
    assert code == 1
    assert "learning_curves.png" in out
    warning, *_, error = err.splitlines()
    assert warning.startswith("warning: learning rate 0.1 is beyond the stability limit")
    assert re.match(r"mnistlab: error: the run diverged: the loss overflowed float32 in", error)
    code, out, err = run("train", "-c", config, "--json", "--no-plots", "learning_rate=0.1")
    assert code == 1
    assert json.loads(out)["train"]["loss"] is None
    code, _, err = run(
        *("train", "-c", config, "-q", "--no-plots", "learning_rate=1e30"),
        *("model=linear", "loss=softmax_cross_entropy", "weight_decay=1e10"),
    )
    assert code == 1
    assert "try a smaller learning rate" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--config", "none.yaml"], "none.yaml: there is no such file"),
        (["train", "--config", "n" * 300 + ".yaml"], "n.yaml: File name too long"),
        (["train"], "Missing option '--config'|Usage"),
        (["train", "-c", "{config}", "lr=1"], "unknown key 'lr'"),
        (["train", "-c", "{config}", "learning_rate=0.1,0.2"], "mnistlab sweep"),
        (["train", "-c", "{config}", "--name", "a/b"], "--name: name must be letters"),
        (["train", "-c", "{config}", "data.dataset=mnit"], "did you mean 'mnist'"),
        (["train", "-c", "{config}", "batch_size=9999"], "batch_size 9999 is larger"),
        (
            ["train", "-c", "{config}", "--runs-dir", "{config}"],
            r"\(it is a file\); choose another place",
        ),
        (["train", "-c", "{config}", "--plugin", "no.py"], "no.py: there is no such file"),
        (["train", "-c", "{config}", "--colour"], "no such option"),
        (["teach"], "no such command 'teach'"),
        (["trian"], r"no such command 'trian'. Did you mean 'train'\? See mnistlab --help"),
        (["train", "--config", ""], "--config is empty"),
        (["train", "-c", "{config}", "--runs-dir="], "--runs-dir is empty"),
        (["gradcheck", "--target", ""], "--target is empty"),
        (["report", ""], "an argument is empty"),
        (["train", "--config", "."], r"\.: is a folder, not a config file"),
        (["sweep", "--config", "/"], "/: is a folder, not a config file"),
        (["config", "validate", "none.yaml"], None),
        (["config", "show", "epochs=0"], "epochs must be at least 1"),
    ],
)
def test_wrong_use_is_exit_2_with_a_message_and_no_folder(
    run, config, tmp_path, arguments, message
):
    code, _, err = run(*(argument.format(config=config) for argument in arguments))
    assert code == 2
    if message:
        assert re.search(message, err)
    assert "Traceback" not in err
    assert not (tmp_path / "runs").exists()


def test_config_commands(run, config, tmp_path):
    code, out, _ = run("config", "show", "--config", config, "--json", "seed=4")
    assert code == 0
    assert (json.loads(out)["seed"], json.loads(out)["epochs"]) == (4, 2)
    code, out, _ = run("config", "show")
    assert "learning_rate: 0.01\n" in out
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("epochs: 0\n")
    code, out, _ = run("config", "validate", config, wrong)
    assert code == 2
    assert out.splitlines()[0] == f"{config}: valid"
    assert "line 1: epochs must be at least 1" in out
    code, out, _ = run("config", "validate", config, "--json")
    assert (code, json.loads(out)) == (0, [{"file": str(config), "error": None}])
    code, out, _ = run("config", "schema")
    assert json.loads(out)["properties"]["epochs"]["minimum"] == 1


def test_version_and_help(run):
    assert run("--version")[:2] == (0, f"mnistlab {__version__}\n")
    for command in (["-h"], ["train", "--help"], ["data", "-h"], ["config", "schema", "-h"]):
        code, out, _ = run(*command)
        assert code == 0
        assert "Usage: mnistlab" in out


def test_debug_shows_the_traceback(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["mnistlab", "train", "-c", "none.yaml", "--debug"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_an_unforeseen_error_is_one_message(run, config, monkeypatch):
    def fail(*_arguments, **_named):
        raise KeyError("surprise")

    monkeypatch.setattr("mnistlab.experiment.prepare", fail)
    code, _, err = run("train", "-c", config)
    assert code == 1
    assert err == (
        "mnistlab: error: unexpected KeyError: 'surprise'; "
        "this is a fault of mnistlab, --debug shows where\n"
    )


def test_a_full_disk_is_named_with_its_path(run, config, monkeypatch):
    write = files.write_bytes

    def fail(path, content):
        if path.name == "predictions.npy":
            raise OSError(28, "No space left on device", str(path))
        write(path, content)

    monkeypatch.setattr(files, "write_bytes", fail)
    code, _, err = run("train", "-c", config, "-q", "--no-plots")
    assert code == 1
    told = r"mnistlab: error: \S+/predictions\.npy: No space left on device; to go on: .+\n"
    assert re.fullmatch(told, err)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_config_runs(run, path):
    few = [f"data.dataset={write_digits(300, 100, 100)}", "data.validation=100", "epochs=1"]
    # with fewer steps an epoch, what diverges would not in one
    data = MINI if path.stem == "linear_overflow" else few
    code, out, _ = run("train", "-c", path, "--json", "--no-plots", *data)
    assert (code, json.loads(out)["status"]) == (
        (1, "diverged") if path.stem == "linear_overflow" else (0, "completed")
    )


def test_importing_the_command_line_loads_nothing_heavy():
    heavy = {"numpy", "matplotlib", "yaml", "rich", "pydantic", "safetensors", "pooch", "requests"}
    code = "import sys, mnistlab.cli as cli, mnistlab.__main__; cli.make_app(); print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not heavy & {name.partition(".")[0] for name in loaded}


def test_training_alone_loads_no_matplotlib(config):
    code = (
        "import sys; sys.argv = ['mnistlab', 'train', '-c', sys.argv[1], '-q', '--no-plots']\n"
        "from mnistlab.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: print(*sys.modules)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code, str(config)], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "numpy" in loaded
    assert not {"matplotlib", "requests"} & set(loaded)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_saves_the_run_and_ends_with_its_code(config, tmp_path, number, code):
    process = start("train", "-c", config, "epochs=100000", "evaluate_every=1")
    with process:
        assert process.stderr.readline().startswith("epoch      1/100000")
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert process.returncode == code
    assert err.splitlines()[-1].startswith("mnistlab: interrupted; to go on: mnistlab train")
    assert "Traceback" not in err + out
    folder = RunFolder((tmp_path / "runs" / "latest").resolve())
    assert json.loads(folder.status.read_text())["status"] == "interrupted"
    assert folder.read_summary()["status"] == "interrupted"
    assert folder.checkpoint.exists()
    assert not [path for path in folder.path.iterdir() if path.name.startswith(".")]
    assert not children_of(folder)


@pytest.mark.parametrize("delay", [0.0, 0.25, 0.6])  # make stress tries many
def test_ctrl_c_at_any_moment_leaves_no_run_marked_running(config, tmp_path, delay):
    code = (
        "import sys; from mnistlab.__main__ import main\n"
        "sys.argv = ['mnistlab', 'train', '-c', sys.argv[1], 'epochs=100000']\n"
        "print('up', flush=True); main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout.readline() == "up\n"
        time.sleep(delay)
        process.send_signal(signal.SIGINT)
        try:
            _, err = process.communicate(timeout=30)
        finally:
            process.kill()  # else a run that goes on would be waited for
    if delay:  # before that the interpreter itself may answer
        assert process.returncode == 130
        assert "Traceback" not in err
    for path in (tmp_path / "runs").glob("2*"):
        assert json.loads((path / "status.json").read_text())["status"] == "interrupted"
        assert not children_of(RunFolder(path))


@pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
@pytest.mark.parametrize("has_plugin", [False, True])
def test_a_killed_run_leaves_no_process(run, config, tmp_path, has_plugin):
    """A long run is evaluated by a second process, which nobody is left to end.

    With a plugin there is none, as it would wait for ever for threads that the plugin has.
    """
    (tmp_path / "own.py").write_text("")
    own = ["--plugin", tmp_path / "own.py"] if has_plugin else []
    process = start("train", "-c", config, "--no-plots", *own, "epochs=100000")
    with process:
        for line in process.stderr:
            if line.startswith("epoch"):
                break
        tasks = Path(f"/proc/{process.pid}/task")
        children = [word for task in tasks.glob("*/children") for word in task.read_text().split()]
        process.kill()
        process.wait()
    if has_plugin:
        assert children == []
        return
    assert len(children) == 1
    status = Path(f"/proc/{children[0]}/status")
    for _ in range(500):
        if not status.exists() or "State:\tZ" in status.read_text():
            break
        time.sleep(0.01)
    else:
        os.kill(int(children[0]), signal.SIGKILL)
        pytest.fail("it is still there")
    code, out, _ = run("runs", "show", "latest", "--json")
    assert (code, json.loads(out)["status"]["status"]) == (0, "interrupted")


def children_of(folder):
    """Return the processes that still work on a run folder, on Linux."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if str(folder.path) in words and entry.parent.name != str(os.getpid()):
            found.append(words)
    return found


def test_color_and_columns_are_respected(run, config, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "50")
    _, out, _ = run("train", "-c", config, "-q", "--no-plots")
    assert "\x1b" not in out
    assert all(len(line) <= 50 for line in out.splitlines() if "run folder" not in line)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (
            ["train", "a.yaml"],
            "train: missing option '--config' / '-c'; did you mean --config a.yaml?",
        ),
        (["train", "-c", "a", "--epochs", "3"], "a config's key is set by epochs=VALUE"),
        (["config", "show", "a.yaml"], "a.yaml: there is no such file"),
        (["runs", "list", "--limit", "1.5"], "'--limit': '1.5' is not a whole number; see"),
        (["runs", "list", "--limit", "0"], "invalid value for '--limit': must be at least 1"),
        (["gradcheck", "--scale", "much"], "'--scale': 'much' is not a number; see"),
        (["gradcheck", "--scale", "inf"], "'--scale': must be between 1e-06 and 1000000.0; see"),
        (["gradcheck", "--scale", "nan"], "'--scale': must be a number, not nan; see"),
        (["gradcheck", "--timeout", "nan"], "'--timeout': must be a number, not nan; see"),
        (["data", "check", "mnist-mini", "--validation", "nan"], "must be a number, not nan; see"),
        (["data", "fetch"], "data fetch: missing argument 'NAME'; see mnistlab data fetch --help"),
    ],
)
def test_a_wrongly_typed_command_gets_one_line_that_helps(run, words, hint):
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert hint in err
    assert err.startswith("mnistlab: error: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_that_typer_swallows_keeps_its_code(run, monkeypatch, number, code):
    def swallow(*_arguments, **_named):
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
        return 130

    monkeypatch.setattr("mnistlab.cli.make_app", lambda _: swallow)
    monkeypatch.setattr(errors._State, "received", None)
    assert run("train") == (code, "", "mnistlab: interrupted\n")


@pytest.mark.parametrize("redirection", [">&-", "2>&-", "2>/dev/full"])
def test_a_closed_stream_does_not_fail_a_run(config, redirection, tmp_path):
    words = [sys.executable, "-m", "mnistlab", "train", "--no-plots", "--config", str(config)]
    command = f"{shlex.join(words)} {redirection}"
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    result = subprocess.run(
        ["/bin/sh", "-c", command], capture_output=True, text=True, check=False, env=environment
    )
    assert result.returncode == 0, result.stderr
    folder = RunFolder((tmp_path / "runs" / "latest").resolve())
    assert folder.read_status()["status"] == "completed"


def test_a_plugin_may_print_without_spoiling_the_json(config, tmp_path):
    talker = tmp_path / "talker.py"
    talker.write_text("print('hello')\n")
    process = start("train", "--config", config, "--plugin", talker, "--json", "-q")
    out, err = process.communicate()
    assert process.returncode == 0
    assert json.loads(out)["status"] == "completed"
    assert err == "hello\n"


def test_a_file_name_need_not_be_utf8(config, tmp_path):
    odd = tmp_path / os.fsdecode(b"caf\xe9.yaml")
    odd.write_bytes(config.read_bytes())
    process = start("train", "--config", odd, "--json", "--no-plots", "-q")
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert "caf" in json.loads(out)["run"]


def test_print_config_with_json_is_json(run, config):
    code, out, _ = run("train", "--config", config, "--print-config", "--json")
    assert code == 0
    assert json.loads(out)["epochs"] == 2


def test_a_config_that_names_a_loss_of_ones_own_can_be_checked(run, config, tmp_path):
    plugin = tmp_path / "mine.py"
    plugin.write_text(
        "from mnistlab.core.losses import LOSSES, SquaredError\nLOSSES.add('own', SquaredError())\n"
    )
    with config.open("a") as file:
        file.write("loss: own\n")
    code, out, _ = run("config", "validate", config)
    assert code == 2
    assert "one of your own needs --plugin FILE.py" in out
    code, out, _ = run("config", "validate", config, "--plugin", plugin)
    assert (code, out) == (0, f"{config}: valid\n")
