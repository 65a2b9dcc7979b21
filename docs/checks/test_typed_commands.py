"""What README and docs/ tell to type works with the built wheel, in a folder that is empty."""

import shlex
import shutil
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

from mnistlab.datasets import load
from tests.pages import PAGES, ROOT, Command, read_page, run_page, typed, words_of

MINI = ["data.dataset=mnist-mini", "data.validation=1000", "epochs=2"]

# Rows of tables that this test cannot type: they fetch data, or train for minutes.
LEFT_OUT = {
    "mnistlab report": "without names it trains the assignment's runs on MNIST",
    "mnistlab data fetch mnist --from ~/downloads": "wants the four files",
    "mnistlab data verify mnist": "wants the four files",
    "mnistlab data path mnist": "wants the four files",
    "mnistlab gradcheck --config softmax": "wants MNIST",
}

# What pages need that is not part of mnistlab.
NEEDS = {"recipes.md": ("mlflow", "huggingface_hub")}


def quick(command, files):
    """Return which kind of folder `latest` has to be for a row of a table, and what is typed.

    A command that trains on MNIST trains on the small dataset instead, and no plots are drawn
    that the page does not show.
    """
    words = typed(command)
    if isinstance(words, str) or words[0] != "mnistlab":
        return None, words
    words = words[1:]
    trains = words[0] in ("train", "sweep") and "--resume" not in words
    names_data = any(word.startswith("data.dataset=") or word in files for word in words)
    is_small = names_data and not command.is_row
    if trains and "--dry-run" not in words and "--print-config" not in words:
        if not is_small:
            words = [word for word in words if not word.startswith(("data.dataset=", "epochs="))]
            axes = ["learning_rate=0.01,0.02", "batch_size=50,100"] if "assignment" in words else []
            if axes:
                words[words.index("--config") + 1] = "linear"
            words += [*axes, *(MINI if "runs/latest/config.yaml" not in words else [])]
        words += [] if "--no-plots" in words or "plot:" in command.shown else ["--no-plots"]
    elif words[:2] == ["train", "--resume"] and "plot:" not in command.shown:
        words += ["--no-plots"]
    elif trains and not is_small:
        words += [*MINI[:2], *(["epochs=2"] if words[0] == "train" else [])]
    if "--folds" in words:
        words = [word for word in words if word not in MINI[1:2]]
    words += ["--yes"] if words[:2] == ["runs", "delete"] else []
    if not command.is_row:
        return None, ["mnistlab", *words]
    kinds = {"runs list latest", "runs show latest/3", "runs plot latest/3"}
    line = command.line.removeprefix("mnistlab ")
    is_of_sweep = line in kinds or words[0] == "sweep" or "latest SWEEP/3" in line
    words = [word.replace("20261123-0615", "RUN") for word in words]
    return "sweep" if is_of_sweep else "run", ["mnistlab", *words]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Return the folder that the built wheel is installed in."""
    place = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(place), str(ROOT)]
    subprocess.run([*pip, *build], check=True, capture_output=True)
    (wheel,) = place.glob("*.whl")
    target = ["install", "--no-deps", "--no-index", "--target", str(place / "site"), str(wheel)]
    subprocess.run([*pip, *target], check=True, capture_output=True)
    return place / "site"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Return a home folder that the pages share: caches are filled once."""
    return tmp_path_factory.mktemp("home")


BEGIN = [
    *(f"train -c linear {' '.join(MINI)} --runs-dir class/{who}" for who in ("ann", "bob")),
    f"sweep -c linear learning_rate=0.01,0.02 batch_size=50,100 {' '.join(MINI)}",
    f"train -c linear {' '.join(MINI)}",
]
"""What is done before the rows of a table: they are about runs that are there."""


PAGES_WITH_COMMANDS = [page for page in map(read_page, PAGES) if page.commands]


@pytest.mark.parametrize("page", PAGES_WITH_COMMANDS, ids=lambda page: page.name)
def test_what_a_page_says_works_in_an_empty_folder(page, installed, home, tmp_path):
    for module in NEEDS.get(page.name, ()):
        if find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    for name in page.files:
        named = (name, name[: name.find("/") + 1] or name)
        assert any(one in command.line for command in page.commands for one in named), (
            f"{name} is not used"
        )
    work = tmp_path / "work"
    has_rows = any(command.is_row for command in page.commands)
    prepare(work, students=("ann", "bob") if has_rows else ())
    steps = [
        (command, quick(command, page.files))
        for command in page.commands
        if not (command.is_row and command.line in LEFT_OUT)
    ]
    if has_rows:
        begin = [shlex.split(f"mnistlab {line} --no-plots") for line in BEGIN]
        steps = [*((Command(" ".join(words)), (None, words)) for words in begin), *steps]
    package, outcomes = run_page(page, steps, work, installed, home)
    assert package.is_relative_to(installed)
    for (command, (_, words)), outcome in zip(steps, outcomes, strict=True):
        said = f"{outcome.out}\n{outcome.err}"
        code = command.code or (is_wrong_on_purpose(words) if command.is_row else 0)
        assert outcome.code == code, (words, said)
        missing = words_of(command.shown) - words_of(said)
        assert not missing, f"{command.line}: the page shows {sorted(missing)}, which is not said"


def is_wrong_on_purpose(words):
    """Return the exit code of a row: 1 for the gradients that are wrong."""
    return int(("--break" in words and "list" not in words) or "class/" in words)


def test_what_is_left_out_stands_somewhere():
    lines = {command.line for page in PAGES_WITH_COMMANDS for command in page.commands}
    assert set(LEFT_OUT) <= lines
    assert len(lines) > 80


_GRADIENT = """import numpy as np
def cross_entropy(a, y):
    return np.log(np.sum(np.exp(a - a.max()))) + a.max() - a[y]
def gradient(a, y):
    g = np.exp(a - a.max()) / np.sum(np.exp(a - a.max()))
    g[y] SIGN 1
    return g
"""


def prepare(work, students):
    """Put what the commands take beside them: a picture, a gradient, data and a class's folder."""
    work.mkdir()
    for student in students:
        (work / "class" / student).mkdir(parents=True)
        sign = {"ann": "+=", "bob": "-="}[student]
        (work / "class" / student / "softmax.py").write_text(_GRADIENT.replace("SIGN", sign))
    (work / "softmax.py").write_text(_GRADIENT.replace("SIGN", "-="))
    (work / "mine.yaml").write_text("epochs: 3\n")
    picture = Image.new("L", (28, 28))
    for row in range(6, 22):
        picture.putpixel((14, row), 255)
        picture.putpixel((15, row), 255)
    picture.save(work / "seven.png")
    shutil.copytree(ROOT / "mnistlab" / "datasets" / "mini", work / "my-images")
    data = load("mnist-mini", validation=0)
    arrays = {
        "x_train": data.train.images, "y_train": data.train.labels,
        "x_test": data.test.images, "y_test": data.test.labels,
    }  # fmt: skip
    np.savez(work / "mine.npz", **arrays)
