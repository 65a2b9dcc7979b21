"""The PDF: short, accessible, the same bytes for the same facts, its pictures drawn once."""

import io
import re
import zlib
from pathlib import Path

import pytest
from PIL import Image

from mnistlab.report.attachments import Pictures
from mnistlab.report.render import ReportRequest, _render_pdf, write_report
from mnistlab.report.report_facts import Facts, gather
from mnistlab.run_folders import RunFolder
from mnistlab.store.opening import of_folders
from tests.report.helpers import copy_run, pdf_text, the_run, tool
from tests.store.folders import make_run

pytestmark = pytest.mark.usefixtures("its_data")
WORDS = {"title": "T", "author": "A", "date": "2026-01-01"}


@pytest.fixture
def pdf(reported):
    return reported.folder / "report.pdf"


@pytest.fixture
def softmax(reported, tmp_path):
    return copy_run(the_run(reported.runs, "softmax"), tmp_path / "softmax")


def pages(path):
    return int(re.search(r"^Pages: +(\d+)$", tool("pdfinfo", path), re.MULTILINE)[1])


def test_the_assignment_takes_at_most_twelve_pages(pdf):
    assert 5 <= pages(pdf) <= 12


def test_a_small_table_stands_on_one_page_with_its_caption(pdf):
    headers = []
    for page in range(1, pages(pdf) + 1):
        text = tool("pdftotext", "-layout", "-f", page, "-l", page, pdf, "-")
        lines = [line.split() for line in text.splitlines() if line.strip()]
        for number, words in enumerate(lines):
            if words[:2] in (["Class", "Point"], ["Rank", "Learning"], ["Split", "Loss"]):
                headers.append(words[0])
                assert ["Table"] in [line[:1] for line in lines[max(0, number - 2) : number]]
    assert sorted(headers) == ["Class", "Rank", "Split"]


@pytest.mark.usefixtures("small")
def test_full_adds_an_appendix(reported, run, tmp_path, pdf):
    words = ["--runs-dir", reported.runs, "--out", tmp_path, "--author", "A", "--format", "pdf"]
    code, _, err = run("report", "--full", *words)
    assert code == 0, err
    assert pages(tmp_path / "report.pdf") > pages(pdf)
    text = pdf_text(tmp_path / "report.pdf")
    for word in ("Allruns", "Wherethenumberscomefrom", "Trials,thebestfirst"):
        assert word in text
        assert word not in pdf_text(pdf)


def test_it_is_accessible_and_says_who_made_it(pdf):
    said = tool("pdfinfo", pdf)
    assert re.search(r"^Title: +Classification with linear regression", said, re.MULTILINE)
    assert re.search(r"^Author: +A. Student$", said, re.MULTILINE)
    assert re.search(r"^Tagged: +yes$", said, re.MULTILINE)
    assert "595.276 x 841.89 pts (A4)" in said
    assert b"<pdfuaid:part>1</pdfuaid:part>" in pdf.read_bytes()
    for page in range(1, pages(pdf) + 1):
        assert f"{page}of{pages(pdf)}" in pdf_text(pdf)


def test_fonts_are_those_of_typst_and_embedded(pdf):
    rows = [line.split() for line in tool("pdffonts", pdf).splitlines()[2:]]
    assert len(rows) >= 4
    for row in rows:
        assert re.search(r"\+(LibertinusSerif|NewCMMath|NewComputerModern|DejaVuSansMono)", row[0])
        assert row[-5:-2] == ["yes", "yes", "yes"]  # embedded, subset, with its Unicode


def test_formulas_and_pictures_have_words(pdf):
    content = pdf.read_bytes()
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", content, re.DOTALL):
        try:
            content += zlib.decompress(stream)
        except zlib.error:
            continue
    spoken = re.findall(rb"/Alt ?[(<]", content)
    assert len(spoken) > 100
    assert b"Loss and error rate after each epoch: linear" in content


def test_the_same_facts_give_the_same_bytes(softmax):
    facts = gather(of_folders([softmax]), None, WORDS)
    first, second = (_render_pdf(facts, False, pytest.fail) for _ in range(2))
    assert first == second
    assert re.findall(rb"D:(\d{8})", first)[0] == b"20260101"


def test_letters_that_no_font_has_are_warned_of_and_set_as_boxes(tmp_path):
    said = []
    request = ReportRequest(
        of_folders([make_run(tmp_path / "run")]), ["pdf"], "\U0001d800 title", ""
    )
    files = write_report(request, tmp_path, print, said.append)
    assert files["pdf"].read_bytes().startswith(b"%PDF")
    assert len(said) == 1
    assert "not accessible to screen readers" in said[0]


def test_a_fault_of_typst_is_one_clear_message():
    from mnistlab.errors import MnistlabError  # noqa: PLC0415

    with pytest.raises(MnistlabError, match=r"^typst cannot make the PDF: .+") as caught:
        _render_pdf(Facts({"title": "T"}, {}, {}), False, print)
    assert "\n" not in str(caught.value)


# Pictures.


def test_plots_come_from_the_folder_and_are_drawn_where_it_has_none(softmax):
    found = Pictures()
    told = found.of(softmax, "softmax")
    assert [one["plot"] for one in told] == [
        *("learning_curves", "confusion_matrix", "weights", "mistakes")
    ]
    ours = Image.open(io.BytesIO(found.files[told[1]["file"]]))
    theirs = Image.open(io.BytesIO(softmax.plot("confusion_matrix").read_bytes()))
    assert ours.size == theirs.size
    assert ours.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    softmax.plot("weights").unlink()
    softmax.plot("mistakes").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\x00" * 100)
    found = Pictures()
    forms = {one["plot"]: Path(one["file"]).suffix for one in found.of(softmax, "softmax")}
    assert forms == {
        "learning_curves": ".png",
        "confusion_matrix": ".png",
        "weights": ".svg",
        "mistakes": ".svg",
    }


def bomb(path):
    header = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (60_000).to_bytes(4, "big") * 2
    path.write_bytes(header + b"\x08\x02\x00\x00\x00" + b"\x00" * 4)


@pytest.mark.parametrize("harm", [bomb, lambda path: path.write_bytes(b"<svg onload='x'/>")])
def test_what_is_no_picture_is_drawn_anew(softmax, harm):
    harm(softmax.plot("weights"))
    found = Pictures()
    (one,) = (one for one in found.of(softmax, "t") if one["plot"] == "weights")
    assert found.files[one["file"]].lstrip().startswith(b"<?xml")


def test_what_is_hidden_in_a_picture_does_not_come_along(softmax):
    from PIL.PngImagePlugin import PngInfo  # noqa: PLC0415

    info = PngInfo()
    info.add_text("Comment", "secret words")
    with Image.open(softmax.plot("weights")) as picture:
        picture.save(softmax.plot("weights"), pnginfo=info)
    assert b"secret" in softmax.plot("weights").read_bytes()
    found = Pictures()
    found.of(softmax, "t")
    assert not any(b"secret" in one for one in found.files.values())


def test_a_picture_that_cannot_be_drawn_is_told_and_ends_nothing(softmax, tmp_path):
    softmax.plot("weights").unlink()
    softmax.model.write_bytes(b"x")
    facts = gather(of_folders([softmax]), None, WORDS)
    (entry,) = facts.document["runs"]
    (problem,) = (one["problem"] for one in entry["pictures"] if "problem" in one)
    assert "model.safetensors" in problem
    (tmp_path / "r.pdf").write_bytes(_render_pdf(facts, False, pytest.fail))
    assert "Thisfigurecouldnotbedrawn" in pdf_text(tmp_path / "r.pdf")


def test_a_sharp_picture_is_one_svg_of_outlines_the_same_each_time(reported):
    linear = RunFolder(the_run(reported.runs, "linear"))
    first, second = Pictures(), Pictures()
    for one in (first, second):
        assert one.sharp(linear, "learning_curves", "t")["file"] == "0.svg"
    assert first.files == second.files
    svg = first.files["0.svg"]
    assert b"<text" not in svg
    assert not re.search(rb'href="(?!#|data:)', svg)
