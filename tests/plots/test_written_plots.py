"""`runs plot` writes PNG, SVG and PDF, one plot or all, into the run or elsewhere."""

import re
import shutil

import pytest
from PIL import Image

from mnistlab.core import Registry
from mnistlab.plots import PLOTS, write_plots
from tests.store.folders import train


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return train(tmp_path_factory.mktemp("trained"), "epochs=1")


@pytest.fixture
def draw(trained, tmp_path, run):
    """Return a function that calls `runs plot` on a copy of a run: code, lines, errors."""
    shutil.copytree(trained.path, tmp_path / "runs" / trained.path.name)

    def draw(*words):
        code, out, err = run("runs", "plot", "latest", *words)
        return code, [line.removeprefix("plot: ") for line in out.splitlines()], err

    return draw


SIGNS = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}


@pytest.mark.parametrize("kind", SIGNS)
def test_every_kind_lies_beside_the_pngs(draw, trained, tmp_path, kind):
    code, files, err = draw("--format", kind)
    assert (code, err) == (0, "")
    plots = tmp_path / "runs" / trained.path.name / "plots"
    assert sorted(path.name for path in plots.iterdir()) == sorted(f"{n}.{kind}" for n in PLOTS)
    assert len(files) == len(PLOTS)
    assert all(path.read_bytes().startswith(SIGNS[kind]) for path in plots.iterdir())


def test_a_pdf_takes_all_plots_and_is_the_same_each_time(draw, tmp_path):
    assert draw("--to", tmp_path / "all.pdf")[0] == 0
    first = (tmp_path / "all.pdf").read_bytes()
    assert len(re.findall(rb"/Type /Page\b", first)) == len(PLOTS)
    assert draw("--to", tmp_path / "all.pdf")[0] == 2  # it is there
    assert draw("--to", tmp_path / "all.pdf", "--force")[0] == 0
    assert (tmp_path / "all.pdf").read_bytes() == first


def test_a_picture_takes_one_plot(draw, tmp_path):
    code, _, err = draw("--to", tmp_path / "one.png")
    assert code == 2
    assert "choose it with --only learning_curves|confusion_matrix" in err
    assert draw("--to", tmp_path / "one.png", "--only", "weights")[0] == 0
    with Image.open(tmp_path / "one.png") as picture:
        assert picture.format == "PNG"


def test_a_folder_takes_a_file_each(draw, tmp_path):
    (tmp_path / "figures").mkdir()
    code, files, _ = draw("--to", tmp_path / "figures", "--format", "svg", "--only", "weights")
    assert (code, files) == (0, [str(tmp_path / "figures" / "weights.svg")])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--format", "jpg"], "unknown format 'jpg'"),
        (["--only", "weight"], "unknown plot 'weight'; did you mean 'weights'?"),
        (["--to", "x.jpg"], "a picture's name ends in"),
        (["--to", "x.pdf", "--format", "png"], "is no png"),
        (["--to", "nowhere/x.pdf"], "there is no folder nowhere"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(draw, words, said):
    code, files, err = draw(*words)
    assert (code, files) == (2, [])
    assert said in err


def test_a_plot_that_fails_is_named(trained, tmp_path, monkeypatch):
    from mnistlab.errors import MnistlabError  # noqa: PLC0415
    from mnistlab.plots import plot_registries  # noqa: PLC0415

    plots = Registry("plot")
    plots.add("own", lambda _: 1 / 0)
    monkeypatch.setattr(plot_registries, "PLOTS", plots)
    with pytest.raises(MnistlabError, match="own could not be drawn: ZeroDivisionError"):
        write_plots(trained, "png", to=tmp_path)
