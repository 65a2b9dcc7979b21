"""The PDF: its numbers, its letters and its fonts, and that no text becomes anything else."""

import json
import re
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnistlab.errors import MnistlabError
from mnistlab.report.document import Code, Listing, Number, Paragraph, Section, Table
from mnistlab.report.document import Report as ReportDocument
from mnistlab.report.numbers import numbers_of
from mnistlab.report.pdf import render_pdf
from mnistlab.report.pictures import Pictures
from mnistlab.report.plain import visible
from tests.report.hostile import HOSTILE
from tests.report.paper import blocks_with, cannot_draw, picture, report_of, sample, tool

typst = pytest.importorskip("typst", reason="typst is not installed (extra pdf)")

WIDTH, MARGIN = 595.28, 70.87  # points: A4, and 25 mm
LONG = (
    "20261123-182052-a_run_with_a_very_long_name-0315/plots/learning_curves.png",
    "x" * 500,
    "a_b" * 200,
    "<div>" * 100,
    "mnistlab train --config '/home/somebody/runs/20261123-182052-linear-0315/config.yaml'",
)
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=60)


@pytest.fixture
def render(tmp_path):
    """Return a function that writes a report as PDF and returns the file."""

    def render(report):
        path = tmp_path / "report.pdf"
        path.write_bytes(render_pdf(report, Pictures()))
        return path

    return render


def words_of(path):
    """Return all text of a PDF without white space."""
    return squeeze(tool("pdftotext", "-raw", path, "-"))


def squeeze(text):
    return "".join(text.split())


def has_letters(text):
    """Return whether the fonts of typst have all letters of a text, written left to right."""
    return all(ord(letter) < 0x250 for letter in visible(text))


def test_numbers_in_text_table_and_caption_are_those_of_the_report(render):
    report = sample()
    text = tool("pdftotext", "-layout", render(report), "-")
    shown = [number["shown"] for number in numbers_of(report)]
    assert len(shown) == 7
    for number in set(shown):
        assert len(re.findall(rf"(?<![\d.]){re.escape(number)}(?!\d)", text)) == shown.count(number)


def test_attachment_says_where_each_number_comes_from(render, tmp_path):
    report = sample()
    tool("pdfdetach", "-saveall", "-o", tmp_path, render(report))
    numbers = json.loads((tmp_path / "numbers.json").read_bytes())
    assert numbers == numbers_of(report)
    assert numbers[1] == {
        "run": "20261123-182052-linear-0315",
        "key": "test.1",
        "value": 1 / 7,
        "shown": "0.1429",
    }


def test_title_author_and_day_are_on_the_page_and_in_the_file(render):
    path = render(sample())
    text = words_of(path)
    assert text.startswith("HandwrittendigitsAdaLovelaceandEmmyNoether2026-11-23Question1")
    said = tool("pdfinfo", path)
    assert re.search(r"^Title: +Handwritten digits$", said, re.MULTILINE)
    assert re.search(r"^Author: +Ada Lovelace and Emmy Noether$", said, re.MULTILINE)
    assert re.search(r"^Tagged: +yes$", said, re.MULTILINE)
    assert "595.276 x 841.89 pts (A4)" in said


def test_pages_are_counted(render):
    long = [Paragraph(["word " * 600])] * 3
    path = render(report_of(*long))
    pages = int(re.search(r"^Pages: +(\d+)$", tool("pdfinfo", path), re.MULTILINE)[1])
    assert pages > 1
    for page in range(1, pages + 1):
        text = tool("pdftotext", "-layout", "-f", page, "-l", page, path, "-")
        assert re.search(rf"^Ada Lovelace, Digits +{page} of {pages}$", text, re.MULTILINE)


def test_fonts_are_those_of_typst_and_embedded(render):
    rows = [line.split() for line in tool("pdffonts", render(sample())).splitlines()[2:]]
    assert len(rows) >= 3
    for row in rows:
        assert re.search(r"\+(LibertinusSerif|NewCMMath|DejaVuSansMono)", row[0])
        assert row[-5:-2] == ["yes", "yes", "yes"]  # embedded, subset, with its Unicode


def test_line_plots_stay_lines(render):
    assert len(tool("pdfimages", "-list", render(sample())).splitlines()) == 2  # the heading alone


def test_pictures_and_formulas_have_their_alternative_text():
    pdf = render_pdf(sample(), Pictures())
    spoken = [text.decode() for text in re.findall(rb"/Alt\((.*?)\)/A", pdf)]
    assert spoken.count("a falling line") == 1
    assert r"\\hat{\\mathbf{y}}" in spoken  # as PDF writes a backslash
    assert len(spoken) == 1 + 3  # a formula in the text, and two equations


def test_same_report_gives_the_same_bytes():
    assert render_pdf(sample(), Pictures()) == render_pdf(sample(), Pictures())


@pytest.mark.parametrize(("date", "days"), [("2024-02-03", {b"20240203"}), ("soon", set())])
def test_its_only_time_is_the_day_of_the_report(date, days):
    times = re.findall(rb"D:(\d{8})(\d*)", render_pdf(report_of(date=date), Pictures()))
    assert {day for day, _ in times} == days
    assert all(not clock.strip(b"0") for _, clock in times)


def test_date_in_words_is_shown(render):
    assert "inautumn" in words_of(render(report_of(date="in autumn")))


def test_picture_that_cannot_be_drawn_leaves_a_note(render):
    text = words_of(render(report_of(picture("My plot", cannot_draw), Paragraph(["The end"]))))
    assert "Myplot(itcouldnotbedrawn:thereisno[red]ink[/red]left)" in text
    assert "Theend" in text


def test_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "typst", None)
    with pytest.raises(MnistlabError, match=re.escape("pip install 'mnistlab[pdf]'")):
        render_pdf(sample(), Pictures())


def test_hostile_texts_are_shown_as_they_are(render):
    texts = [text for text in HOSTILE if has_letters(text)]
    assert len(texts) > 200
    sections = []
    for at, text in enumerate(texts):
        blocks = [
            Paragraph(
                [f"<{at}p>", text, f"<{at}n>", Number("", "", 0, text), f"<{at}c>", Code(text)]
            ),
            Listing(f"<{at}l>{text}", f"<{at}s>{text}"),
            Table([f"<{at}h>{text}"], []),
            Table([""], [[[f"<{at}t>{text}", f"</{at}>"]]]),
            picture(f"<{at}f>{text}", cannot_draw),
        ]
        sections.append(Section(f"<{at}>{text}", blocks, 1 + at % 2))
    path = render(ReportDocument("T", "A", "", sections))
    assert b"<pdfuaid:part>1</pdfuaid:part>" in path.read_bytes()
    text_shown = words_of(path)
    # a page may end within a text
    text_shown = re.sub(r"A,T\d+of\d+", "", text_shown)
    for at, text in enumerate(texts):
        line = squeeze(visible(text))
        code = squeeze(visible(text, lines=True))
        for mark in ("", "p", "n", "c", "s", "f"):
            assert f"<{at}{mark}>{line}" in text_shown, (at, mark, text)
        assert f"<{at}l>{code}" in text_shown, (at, "listing", text)
        assert f"<{at}t>{line}</{at}>" in text_shown, (at, "cell", text)
        # a column's head stands on each page, so that it is cut if it is long
        assert f"<{at}h>{line[:100]}" in text_shown, (at, "head", text)


def test_long_caption_goes_on_on_the_next_page(render):
    text = words_of(render(report_of(picture("word " * 1500 + "last"))))
    assert text.count("word") == 1500
    assert "last" in text


@pytest.mark.parametrize("text", LONG)
def test_long_words_are_broken_at_the_margin(render, text):
    path = render(ReportDocument(text, text, text, [Section(text, blocks_with(text))]))
    boxes = tool("pdftotext", "-bbox", path, "-")
    right = [float(edge) for edge in re.findall(r'xMax="([\d.]+)"', boxes)]
    assert max(right) <= WIDTH - MARGIN + 1


@pytest.mark.parametrize("texts", [HOSTILE[at::5] for at in range(5)])
def test_hostile_texts_in_title_author_and_date(texts):
    for text in texts:
        pdf = render_pdf(ReportDocument(text, text, text, []), Pictures())
        assert pdf.startswith(b"%PDF")


def test_letters_that_no_font_has_are_named():
    said = []
    report = report_of(Paragraph(["\U0001d800 and \U0001d801, again \U0001d800"]))  # sign writing
    assert render_pdf(report, Pictures(), said.append).startswith(b"%PDF")
    assert said == ["the PDF shows boxes: no font here has \U0001d800 \U0001d801"]


def test_nothing_is_said_of_letters_that_are_there():
    said = []
    render_pdf(sample(), Pictures(), said.append)
    assert said == []


def test_hostile_texts_without_letters_for_them_compile():
    others = [text for text in HOSTILE if not has_letters(text)]
    assert len(others) > 5
    sections = [Section(text, blocks_with(text)) for text in others]
    assert render_pdf(ReportDocument("T", "A", "", sections), Pictures()).startswith(b"%PDF")


@settings(max_examples=25)
@given(text=ANY_TEXT)
def test_any_text_compiles(text):
    blocks = [block for block in blocks_with(text) if type(block).__name__ != "Picture"]
    report = ReportDocument(text, text, text, [Section(text, blocks)])
    assert render_pdf(report, Pictures()).startswith(b"%PDF")
