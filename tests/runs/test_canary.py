"""Opening somebody else's run folder runs nothing of it, wherever one stands."""

import io
import os
import pickle
import shutil
import zipfile
from pathlib import Path

import pytest
import safetensors.numpy

from mnistlab.plots import import_matplotlib
from tests.runs.audited import LINEAR, MINI, run_audited, train_both
from tests.runs.test_paths import FIRST, MANY, SECOND, check_refused, commands_that_take_a_run

SPRUNG = "sprung"

# Names that are imported by Python, by what mnistlab uses, or by tools that look around.
MODULES = (
    *("__init__", "__main__", "sitecustomize", "usercustomize", "conftest", "setup", "mnistlab"),
    *("random", "json", "csv", "numpy", "yaml", "typer", "rich", "pydantic", "safetensors", "PIL"),
    *("matplotlib", "matplotlib_inline", "filelock", "encodings", "threadpoolctl", "platformdirs"),
)


class Trap:
    """Runs code when it is unpickled."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def __reduce__(self):
        return Path.touch, (self._place / SPRUNG,)


def spring(place: Path) -> str:
    return f"import pathlib; pathlib.Path({str(place / SPRUNG)!r}).touch()\n"


def plant_code(folder: Path, place: Path) -> None:
    """Put files into a run folder that somebody's import, start or look around would run."""
    for name in MODULES:
        (folder / f"{name}.py").write_text(spring(place))
    for name in ("mnistlab", "numpy", "plots", "yaml"):
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "__init__.py").write_text(spring(place))
    (folder / "evil.pth").write_text(spring(place))
    (folder / "mnistlab.egg-link").write_text(".\n")
    (folder / "matplotlibrc").write_text(
        "backend: module://random\ntext.usetex: True\naxes.facecolor: red\n"
    )
    (folder / ".mnistlab").write_text(f"plugin: {folder}/random.py\n")
    (folder / "mnistlab.toml").write_text(f"plugin = '{folder}/random.py'\n")
    (folder / "pyproject.toml").write_text("[tool.mnistlab]\nplugin = 'random.py'\n")
    (folder / "plots" / "extra.py").write_text(spring(place))
    with zipfile.ZipFile(folder / "plots" / "sitecustomize.zip", "w") as archive:
        archive.writestr("__main__.py", spring(place))
    (folder / "log.txt").write_text("\x1b]0;owned\x07\x1b[2J")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return train_both(tmp_path_factory.mktemp("trained"))


@pytest.fixture
def place(tmp_path, trained):
    """Return a folder with two runs and a sweep of a hostile person."""
    run, sweep = trained
    for name, source in ((FIRST, run), (SECOND, run), (MANY, sweep)):
        shutil.copytree(source, tmp_path / "runs" / name)
        plant_code(tmp_path / "runs" / name, tmp_path)
    plant_code(tmp_path / "runs" / MANY / "runs" / "0", tmp_path)
    return tmp_path


def commands(name, config):
    return [
        ("runs", "list"),
        ("runs", "list", "--json", "--filter", "learning_rate > 0"),
        ("runs", "show", name),
        ("runs", "show", f"{MANY}/0"),
        ("runs", "show", MANY),
        ("runs", "diff", name, SECOND),
        ("runs", "compare", name, SECOND, "--to", "picture.png"),
        ("runs", "predict", name, "0", "--save", "seen.png"),
        ("runs", "export", "--all", "--to", "out.json", "--force"),
        ("runs", "verify", name),
        ("runs", "resume", name),
        ("train", "--resume", name, "epochs=2", "--no-plots", "-q"),
        ("sweep", "--resume", MANY, "--no-plots", "-q"),
        ("config", "validate", config),
        ("train", "--config", config, "-q", "--no-plots"),
        ("data", "list"),
    ]


def test_every_command_that_opens_a_run_is_tried_here():
    tried = {words[1] for words in commands(FIRST, Path()) if words[0] == "runs"}
    alone = {"plot"}  # in a test of its own
    assert tried == commands_that_take_a_run() - {"delete"} - alone


def run_in(cwd, place, words):
    return run_audited(words, cwd=cwd, scratch=place / "scratch", MNISTLAB_RUNS_DIR=place / "runs")


def check_nothing_ran(outcomes, place, data=""):
    """Assert that no code from the runs folder was run, nor read, but for the file `data`."""
    assert not (place / SPRUNG).exists()
    runs = str(place / "runs")
    for outcome in outcomes:
        for kind, *paths in outcome.events:
            if kind in ("import", "exec"):
                assert not any(os.path.realpath(path).startswith(runs) for path in paths), outcome
            if kind == "open":
                (path,) = paths or ("",)
                assert not path.startswith(runs) or _is_data(path) or path == data, outcome
            assert kind not in ("pickle.find_class", "os.system"), outcome


def _is_data(path):
    return Path(path).suffix not in (".py", ".pyc", ".pth", ".zip") and not path.endswith(
        ("matplotlibrc", ".mnistlab", "toml")
    )


@pytest.mark.parametrize(
    ("where", "every"), [(FIRST, 1), ("", 3)], ids=["in the run", "in its parent"]
)
def test_code_that_lies_in_a_run_is_never_run(place, where, every):
    cwd = place / "runs" / where
    words = commands(FIRST, place / "runs" / FIRST / "config.yaml")
    outcomes = run_in(cwd, place, words[::every])
    check_nothing_ran(outcomes, place)
    for outcome in outcomes:
        assert outcome.code == 0, outcome


def test_nor_is_it_when_plots_are_drawn(place):
    cwd = place / "runs" / FIRST
    outcomes = run_in(cwd, place, [("runs", "plot", FIRST), ("runs", "plot", MANY)])
    check_nothing_ran(outcomes, place)
    for outcome in outcomes:
        assert outcome.code == 0, outcome
        assert ".png" in outcome.out


def test_a_pipe_for_settings_is_not_waited_for(place):
    """Else matplotlib would wait for its settings where one stands."""
    (place / "runs" / FIRST / "matplotlibrc").unlink()
    os.mkfifo(place / "runs" / FIRST / "matplotlibrc")
    (outcome,) = run_in(place / "runs" / FIRST, place, [("runs", "plot", SECOND)])
    assert outcome.code == 0, outcome


def test_matplotlib_is_imported_from_a_folder_that_is_gone(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    import_matplotlib()
    monkeypatch.chdir(tmp_path)
    import_matplotlib()
    assert Path.cwd() == tmp_path


CONFIGS = [
    "!!python/object/apply:os.system ['touch {place}/sprung']\n",
    "model: !!python/object/apply:os.system ['touch {place}/sprung']\n",
    "model: !!python/name:os.system\n",
    "name: !!python/module:random\n",
    "plugin: {folder}/random.py\n",
    "plugins: [{folder}/random.py]\n",
    "model: random.Trap\n",
    "model: {folder}/random.py\n",
    "loss: __import__('random')\n",
    "data: {{preprocess: [random.spring]}}\n",
    "data: {{dataset: {folder}/random.py}}\n",
]


def test_a_config_names_no_code(place):
    for number, text in enumerate(CONFIGS):
        folder = place / "runs" / f"2026020{number}-evil"
        shutil.copytree(place / "runs" / FIRST, folder)
        (folder / "config.yaml").write_text(text.format(place=place, folder=folder))
        (folder / "predictions.npy").unlink()
    names = [f"2026020{number}" for number in range(len(CONFIGS))]
    words = [
        command
        for name in names
        for command in (
            ("train", "-q", "--no-plots", "--config", place / "runs" / f"{name}-evil/config.yaml"),
            ("train", "--no-plots", "--resume", name),
            ("runs", "verify", name),
            ("runs", "show", name),
        )
    ]
    outcomes = run_in(place / "runs" / FIRST, place, [*words, ("runs", "list")])
    check_nothing_ran(outcomes, place, data=f"{folder}/random.py")  # no data, but looked at
    for outcome in outcomes:
        assert outcome.code in (0, 1, 2), outcome
        assert "unexpected" not in outcome.err, outcome
        if "--config" in outcome.arguments:
            check_refused(outcome)


def traps(place: Path) -> dict[str, bytes]:
    """Return files that run code if they are unpickled."""
    import numpy as np  # noqa: PLC0415 - the rest needs none of it

    plain = pickle.dumps(Trap(place))
    objects = io.BytesIO()
    np.save(objects, np.array([Trap(place)], object), allow_pickle=True)
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:  # as torch.save writes them
        archive.writestr("archive/data.pkl", plain)
    noted = safetensors.numpy.save({"W": np.zeros((2, 2))}, {"snapshot": plain.hex()})
    return {"plain": plain, "objects": objects.getvalue(), "zipped": zipped.getvalue(), "s": noted}


def test_no_file_is_ever_unpickled(place):
    words = []
    for number, content in enumerate(traps(place).values()):
        folder = place / "runs" / f"2026020{number}-evil"
        shutil.copytree(place / "runs" / FIRST, folder)
        for name in ("predictions.npy", "model.safetensors", "checkpoint.safetensors"):
            (folder / name).write_bytes(content)
        (folder / "metrics.csv").write_bytes(content)
        (folder / "status.json").write_text('{"status": "interrupted"}')
        name = f"2026020{number}"
        words += [
            ("runs", "show", name),
            ("runs", "diff", name, FIRST),
            ("runs", "compare", name, FIRST),
            ("runs", "predict", name, "0"),
            ("runs", "verify", name),
            ("runs", "resume", name, "--no-plots"),
            ("runs", "export", name, "--to", "out.json", "--force"),
            ("train", "-c", LINEAR, f"data.dataset={folder}/predictions.npy", "--no-plots"),
        ]
    words.append(("runs", "plot", "20260201"))  # NumPy's own form; it starts a process
    outcomes = run_in(place, place, words)
    check_nothing_ran(outcomes, place)
    for outcome in outcomes:
        assert "unexpected" not in outcome.err, outcome


def test_what_a_run_says_moves_no_cursor(place):
    folder = place / "runs" / "20260201-\x1b[31mred"
    shutil.copytree(place / "runs" / FIRST, folder)
    (folder / "status.json").write_text('{"status": "failed", "error": "\\u001b[2J\\u0007\\u202e"}')
    (folder / "environment.json").write_text('{"key": "\\u001b[2J", "mnistlab": "\\u001b[2J"}')
    config = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(f'{config}"x\\e[2J": "\\e[2J"\n'.replace("one", "a"))
    outcomes = run_in(
        place,
        place,
        [
            ("runs", "list"),
            ("runs", "list", "--csv", "--columns", "run,status,error,key"),
            ("runs", "show", "20260201"),
            ("runs", "compare", "20260201", FIRST),
            ("runs", "diff", "20260201", FIRST),
            ("runs", "predict", "20260201", "0"),
            ("runs", "verify", "20260201"),
            ("runs", "resume", "20260201", "--no-plots"),
        ],
    )
    for outcome in outcomes:
        for character in ("\x1b[2J", "\x1b[31m", "\x07", "\u202e"):
            assert character not in outcome.out + outcome.err, outcome.arguments


def test_code_that_is_run_is_seen(place):
    """The traps work, and so does the ear."""
    with open(place / "trap", "wb") as file:  # noqa: PTH123 - in one go with the next line
        pickle.dump(Trap(place), file)
    pickle.loads((place / "trap").read_bytes())  # noqa: S301 - that is the point
    assert (place / SPRUNG).exists()
    (place / SPRUNG).unlink()
    plugin = place / "runs" / FIRST / "random.py"
    words = ("train", "-c", LINEAR, *MINI, "--dry-run", "--plugin", plugin)
    (outcome,) = run_in(place, place, [words])
    assert (place / SPRUNG).exists()
    with pytest.raises(AssertionError):
        check_nothing_ran([outcome], place)
    (place / SPRUNG).unlink()
    with pytest.raises(AssertionError):
        check_nothing_ran([outcome], place)
