"""What the tests of the page share: quick runs, a small report about them, and the page itself."""

import base64
import json
import re
import zlib
from dataclasses import dataclass
from html.parser import HTMLParser

import numpy as np

from mnistlab.report.collect import collect
from mnistlab.report.document import (
    Code,
    Derivation,
    Equation,
    Listing,
    Math,
    Number,
    Paragraph,
    Picture,
    Report,
    Section,
    Table,
)
from mnistlab.report.formula import fence, row
from mnistlab.report.page import render_page
from tests.store.trained import train

SETTINGS = (
    ("name=plain",),
    ("name=straight", "loss=softmax_cross_entropy", "data.preprocess=[deskew]"),
    ("name=scaled", "loss=softmax_cross_entropy", "data.preprocess=[standardize]"),
    ("name=squashed", "model=sigmoid", "optimizer=adam", "learning_rate=0.003", "epochs=5"),
)


LONG = Math(row(*["a", "+", "b", "=", "c", "+", "d", "≈"] * 4, "e"))
"""A formula that is no line of a phone."""


class Stub:
    """Draws every figure as one small SVG, or none."""

    def __init__(self, *, works=True):
        self.works = works

    def svg(self, _picture):
        svg = (
            b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 4"><path d="M0 0h9v4"/></svg>'
        )
        return svg if self.works else None


def train_all(runs_dir):
    return [train(runs_dir, *words) for words in SETTINGS]


def report_of(runs, word="a word"):
    """Return a report with every kind of block, which says `word` wherever text can stand."""
    numbers = [
        Number(run.name, "test.accuracy", run.facts["test.accuracy"], "some %")
        for run in runs
        if "test.accuracy" in run.facts
    ]
    blocks = [
        Paragraph([word, *numbers, Code(word), Math(row("a", "=", fence("b"))), LONG]),
        Derivation(
            [
                Equation(row("a", "=", "b"), word),
                Equation(row("a", "+", "b", "+", "c", "=", "d"), word),
                Equation(row("=", "e")),
            ]
        ),
        Listing(word, word),
        Table([word, "n"], [[[word], ["1"]]], word, frozenset({1})),
        Picture("figure", lambda: None, [word], word),
    ]
    sections = [Section(word, blocks), Section(word, blocks[:1], level=2)]
    return Report(f"Title {word}", f"Author {word}", "2026-11-23", sections)


def page_of(folders, word="a word", pictures=None):
    runs, sweeps = collect(folders)
    return render_page(report_of(runs, word), runs, sweeps, pictures or Stub())


@dataclass
class Element:
    tag: str
    attributes: dict


class Parsed(HTMLParser):
    """A page's elements in their order, its text, and what its scripts and styles hold."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.text, self.inline = [], [], {}
        self._last = None
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self._last = Element(tag, dict(attrs))
        self.elements.append(self._last)

    def handle_endtag(self, _tag):
        self._last = None

    def handle_data(self, data):
        self.text.append(data)
        if self._last and self._last.tag in ("script", "style"):
            kind = self._last.attributes.get("type", self._last.tag)
            self.inline[kind] = self.inline.get(kind, "") + data

    def all(self, tag):
        return [element.attributes for element in self.elements if element.tag == tag]

    @property
    def shape(self):
        """What of the page is markup: tags with the names of their attributes."""
        return [(element.tag, sorted(element.attributes)) for element in self.elements]

    @property
    def data(self):
        return json.loads(self.inline["application/json"])


def unpack(text, dtype):
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype)


def words(text):
    return re.sub(r"\s+", " ", text)
