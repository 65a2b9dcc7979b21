"""What the tests of reports share: pages taken apart, PDFs read, run folders harmed."""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import pytest

from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.folder import SweepFolder, is_sweep
from mnistlab.run_folders.places import run_paths


@dataclass
class Element:
    tag: str
    attributes: dict
    text: str = ""


class Parsed(HTMLParser):
    """A page's elements in their order, its text, and what its scripts and styles hold."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.words, self._open = [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append(Element(tag, dict(attrs)))
        self._open.append(self.elements[-1])

    def handle_endtag(self, tag):
        while self._open and self._open.pop().tag != tag:
            pass

    def handle_data(self, data):
        if self._open:
            self._open[-1].text += data
        if not (self._open and self._open[-1].tag in ("script", "style")):
            self.words.append(data)

    def all(self, tag):
        return [element for element in self.elements if element.tag == tag]

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    @property
    def shape(self):
        """What of the page is markup: tags with the names of their attributes."""
        return [(element.tag, sorted(element.attributes)) for element in self.elements]

    @property
    def data(self):
        (found,) = (one.text for one in self.all("script") if "type" in one.attributes)
        return json.loads(found)

    def numbers(self):
        """Return run, key, exact value and shown text of each number that is a run's."""
        return [
            (one.attributes["data-run"], one.attributes["data-key"],
             float(one.attributes["value"]), one.text)
            for one in self.all("data")
            if "data-run" in one.attributes
        ]  # fmt: skip


def read_page(folder):
    return Parsed((Path(folder) / "index.html").read_text())


def read_facts_file(folder):
    return json.loads((Path(folder) / "report.json").read_text())


def as_number(shown):
    """Return a shown number as the number that it stands for, and half of its last digit."""
    digits = shown.replace("\N{MINUS SIGN}", "-").removesuffix("%")
    scale = 100 if shown.endswith("%") else 1
    whole, _, exponent = digits.partition("e")
    unit = 10.0 ** (int(exponent or 0) - len(whole.partition(".")[2]))
    return float(digits) / scale, 0.51 * unit / scale


def tool(name, *arguments):
    """Return what a tool of poppler prints; skip the test where it is not installed."""
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed (package poppler-utils)")
    done = subprocess.run([name, *map(str, arguments)], capture_output=True, check=True)
    return done.stdout.decode()


def squeeze(text):
    """Return a text without white space: where a PDF breaks its lines says nothing."""
    return re.sub(r"\s+", "", text)


def pdf_text(path):
    return squeeze(tool("pdftotext", "-layout", path, "-"))


def folders(runs_dir):
    """Return every run and sweep of a runs folder by its name, those inside sweeps too."""
    found = {}
    for path in run_paths(runs_dir):
        folder = SweepFolder(path) if is_sweep(path) else RunFolder(path)
        found[folder.name] = folder
        if isinstance(folder, SweepFolder):
            found |= {run.name: run for run in map(folder.run, folder.runs())}
    return found


def the_run(runs_dir, name):
    """Return the folder of the run that was trained from a config of this name."""
    (path,) = (path for path in run_paths(runs_dir) if f"-{name}-" in path.name)
    return path


def copy_run(source, path):
    shutil.copytree(source, path)
    return SweepFolder(path) if is_sweep(path) else RunFolder(path)


def rewrite(path, change):
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def vouch(folder):
    """Let the status vouch for the files as they now are."""
    rewrite(folder.status, lambda status: status.update(files=folder.compute_checksums()))
