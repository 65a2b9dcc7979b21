"""The pages that `make docs` has built are complete and need no network; the tour is executed."""

import json
import re
from pathlib import Path

import pytest

from mnistlab.config.load import valid_keys
from mnistlab.run_folders.folder import RunFolder, SweepFolder
from tests.pages import PAGES, ROOT

DOCS = ROOT / "docs"
TEXTS = {path.name: path.read_text(encoding="utf-8") for path in PAGES}


@pytest.fixture(scope="module")
def built():
    """Return the folder of the pages."""
    folder = DOCS / "_build" / "html"
    assert folder.is_dir(), "build the documentation first: make docs"
    return folder


def test_the_built_pages_name_every_key_and_every_file(built):
    keys = (built / "configs.html").read_text(encoding="utf-8")
    for key in valid_keys():
        assert f">{key}<" in keys, key
    for folder in (RunFolder(Path("run")), SweepFolder(Path("run"))):
        for name in dir(folder):
            value = getattr(folder, name)
            if isinstance(value, Path) and name not in ("lock_file", "path"):
                assert f"`{value.name}" in TEXTS["run-folders.md"], value.name
    shipped = TEXTS["configs.md"] + TEXTS["sweeps.md"]
    for config in (ROOT / "configs").rglob("*.yaml"):
        assert f"`{config.name}`" in shipped


def test_the_built_pages_load_nothing_from_elsewhere(built):
    pages = list(built.glob("*.html"))
    assert len(pages) > len(PAGES) - 1
    for page in pages:
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|img|link|iframe)[^>]*(?:src|href)=\"([^\"]+)\"", text)
        assert not [one for one in loaded if re.match(r"(?:https?:)?//", one)], page.name


def test_the_tour_is_kept_without_outputs_and_shows_them_where_it_is_built(built):
    kept = json.loads((DOCS / "tour.ipynb").read_text(encoding="utf-8"))
    cells = [cell for cell in kept["cells"] if cell["cell_type"] == "code"]
    assert not any(cell["outputs"] or cell["execution_count"] for cell in cells)
    page = (built / "tour.html").read_text(encoding="utf-8")
    assert len(re.findall(r'<img[^>]*src="[^"]*[.]png"', page)) == 4
    assert page.count('class="output text_html"') >= 5
