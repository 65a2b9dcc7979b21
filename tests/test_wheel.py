"""What the README tells to type works with the built wheel, in a folder that is empty."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mnistlab.datasets import load

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MINI = ["data.dataset=mnist-mini", "data.validation=1000", "epochs=2"]

# Those that this test cannot type: they fetch data, train for minutes, or belong to a checkout.
LEFT_OUT = {
    "report": "without names it trains the assignment's runs on MNIST",
    "data fetch mnist --from ~/downloads": "wants the four files",
    "data verify mnist": "wants the four files",
    "data path mnist": "wants the four files",
    "gradcheck --config softmax": "wants MNIST",
}

_DRIVER = """
import contextlib, glob, io, json, sys
from pathlib import Path
import mnistlab
from mnistlab.__main__ import main

def newest(kind):
    runs = sorted(Path("runs").glob("2*"), reverse=True)
    return next(run.name for run in runs if (run / "plan.json").exists() == (kind == "sweep"))

outcomes = []
for kind, words in json.load(sys.stdin):
    words = [one for word in words for one in (sorted(glob.glob(word)) or [word])]
    if Path("runs").exists() and kind:
        latest = Path("runs/latest")
        latest.unlink(missing_ok=True)
        latest.symlink_to(newest(kind))
        words = [word.replace("SWEEP", newest("sweep")).replace("RUN", newest("run"))
                 for word in words]
    sys.argv = ["mnistlab", *words]
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code
    for stream in (out, err):
        stream.flush()
    said = [stream.buffer.getvalue().decode() for stream in (out, err)]
    outcomes.append([words, code, *said])
Path("outcomes.json").write_text(json.dumps([mnistlab.__file__, outcomes]))
"""


def readme_commands():
    """Return the commands of the README's table and consoles, in their order."""
    for line in README.splitlines():
        typed = re.findall(r"`mnistlab ([^`\n]+)`", line) if line.startswith("| ") else []
        if line.startswith("$ mnistlab "):
            typed = [part.removeprefix("mnistlab ") for part in line[2:].split("; ")]
        for command in typed:
            yield re.sub(r" (\| tail -1|> \S+)$", "", command)


def prepared(command):
    """Return which kind of folder `latest` has to be, and the words, made quick."""
    words = shlex.split(command)
    trains = words[0] in ("train", "sweep") and "--resume" not in words
    if trains and "--dry-run" not in words and "--print-config" not in words:
        own = ("epochs=",) if "data.dataset=bars" in command else ("data.dataset=", "epochs=")
        words = [word for word in words if not word.startswith(own)]
        axes = ["learning_rate=0.01,0.02", "batch_size=50,100"] if "assignment" in words else []
        config = words.index("--config") + 1
        if axes:
            words[config] = "linear"
        small = MINI if "runs/latest/config.yaml" not in words else []
        small = small[2:] if "data.dataset=bars" in command else small
        words = [*words, *axes, *small, *([] if "--no-plots" in words else ["--no-plots"])]
    elif trains:
        words += [*MINI[:2], *(["epochs=2"] if words[0] == "train" else [])]
    kinds = {"runs list latest", "runs show latest/7", "runs plot latest/7"}
    is_of_sweep = command in kinds or words[0] == "sweep" or "latest SWEEP/7" in command
    words = [word.replace("20261123-0615", "RUN") for word in words]
    words += ["--yes"] if words[:2] == ["runs", "delete"] else []
    words = [word.replace("latest/7", "latest/3").replace("SWEEP/7", "SWEEP/2") for word in words]
    return "sweep" if is_of_sweep else "run", words


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


def test_what_the_readme_says_works_in_an_empty_folder(installed, tmp_path):
    (tmp_path / "home").mkdir()
    work = tmp_path / "work"
    prepare(work)
    commands = [command for command in readme_commands() if command not in LEFT_OUT]
    assert len(commands) > 50
    assert set(LEFT_OUT) <= set(readme_commands())
    begin = [
        *(
            (None, ["train", "-c", "linear", *MINI, "--runs-dir", f"class/{who}"])
            for who in ("ann", "bob")
        ),
        (None, ["sweep", "-c", "linear", "learning_rate=0.01,0.02", "batch_size=50,100", *MINI]),
        (None, ["train", "-c", "linear", *MINI]),
    ]
    done = subprocess.run(
        [sys.executable, "-P", "-c", _DRIVER],
        input=json.dumps([*begin, *map(prepared, commands)]),
        cwd=work,
        env={
            **{key: value for key, value in os.environ.items() if "COV" not in key},
            "PYTHONPATH": str(installed),
            "HOME": str(tmp_path / "home"),
            "MNISTLAB_DATA_DIR": str(tmp_path / "data"),
            "MNISTLAB_RUNS_DIR": "runs",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    package, outcomes = json.loads((work / "outcomes.json").read_text())
    assert Path(package).is_relative_to(installed)
    for words, code, _, err in outcomes:
        is_wrong = "--break" in words and "list" not in words
        is_wrong = is_wrong or ("--target" in words and "softmax.py" not in words)
        assert code == int(is_wrong), (words, code, err)


_GRADIENT = """import numpy as np
def cross_entropy(a, y):
    return np.log(np.sum(np.exp(a - a.max()))) + a.max() - a[y]
def gradient(a, y):
    g = np.exp(a - a.max()) / np.sum(np.exp(a - a.max()))
    g[y] SIGN 1
    return g
"""


def prepare(work):
    """Put what the commands take beside them: a picture, a gradient, data and a class's folder."""
    for student in ("ann", "bob"):
        (work / "class" / student).mkdir(parents=True)
        sign = {"ann": "+=", "bob": "-="}[student]
        (work / "class" / student / "softmax.py").write_text(_GRADIENT.replace("SIGN", sign))
    (work / "softmax.py").write_text(_GRADIENT.replace("SIGN", "-="))
    for code in re.findall(r"```python\n(.*?)```", README, re.DOTALL):
        name = code.partition("\n")[0].removeprefix("# ")
        (work / name).write_text(code)
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
