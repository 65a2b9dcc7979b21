"""Renders a report as one HTML file that works offline and takes nothing from elsewhere.

The page is a pure view: what comes from a run is text, in the markup as in the data of its
scripts, and its Content-Security-Policy lets nothing run but the scripts that are named by hash.
"""

import base64
import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mnistlab.report import document
from mnistlab.report.collect import ReportRun, ReportSweep
from mnistlab.report.featured import choose_featured
from mnistlab.report.formula import Formula, equation_mathml
from mnistlab.report.page_data import embed, find_test_sets, test_set_of
from mnistlab.report.page_pictures import FeaturedRun
from mnistlab.report.page_table import Column, build_table, embed_facts
from mnistlab.report.relations import at_relation, split_at_relations

TEMPLATES = Path(__file__).parent / "templates"

SCRIPTS = (
    *("packed", "theme", "scrolling", "filter", "table", "statistics", "compare"),
    *("digit", "drawing", "try", "start"),
)
"""The page's scripts in the order in which they are joined into one."""

PARTS = {
    "runs": "All runs",
    "featured": "Weights, confusion and mistakes",
    "compare": "Compare two runs",
    "try": "Try it",
}
"""What follows the report's sections: the ids and headings of the page's own parts."""

# The names by which blocks.html.j2 knows the parts of a report.
_MACROS: Mapping[type, str] = {
    document.Paragraph: "paragraph",
    document.Derivation: "derivation",
    document.Listing: "listing",
    document.Table: "table",
    document.Picture: "picture",
    document.Number: "number",
    document.Math: "math",
    document.Code: "code",
    str: "text",
}

# What HTML has no place for, and the marks that turn the direction of all that follows.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


class Drawings(Protocol):
    """What draws a report's figures."""

    def svg(self, picture: document.Picture) -> bytes | None:
        """Return a figure as SVG, None where it cannot be drawn."""
        ...


@dataclass
class Heading:
    """An entry of the table of contents."""

    id: str
    title: str
    parts: list["Heading"] = field(default_factory=list)


def render_page(
    report: document.Report,
    runs: Sequence[ReportRun],
    sweeps: Sequence[ReportSweep],
    pictures: Drawings,
) -> str:
    """Return the page of a report: its sections, then all runs to sort, compare and try."""
    featured = choose_featured(runs, sweeps)
    sets = find_test_sets(featured.runs)
    shown = [
        FeaturedRun(run, test_set_of(run, sets), number) for number, run in enumerate(featured.runs)
    ]
    facts = embed_facts(runs, sweeps)
    data = {**embed(featured.runs, sets), "facts": facts}
    style, script = Markup(_style()), Markup(_script())  # noqa: S704 - the package's own files
    environment = _environment(pictures)
    page: str = environment.get_template("page.html.j2").render(
        report=report,
        sections=[(f"section-{at}", section) for at, section in enumerate(report.sections, 1)],
        contents=_contents(report.sections),
        parts=PARTS,
        table=build_table(runs, sweeps),
        filter_keys=facts["keys"],
        featured=shown,
        completed=featured.completed,
        has_sweeps=bool(sweeps),
        data=Markup(safe_json(data)),  # noqa: S704 - has no < > &
        style=style,
        script=script,
        style_hash=sha256_source(style),
        script_hash=sha256_source(script),
    )
    return page


def safe_json(data: Any) -> str:
    """Return JSON that can stand inside a <script>: no character in it ends or opens a tag.

    Numbers that are not finite become null. Everything beyond ASCII is escaped, and with it the
    line separators that JavaScript once took for ends of lines.
    """
    text = json.dumps(_finite(data), separators=(",", ":"), allow_nan=False, ensure_ascii=True)
    return re.sub("[<>&]", lambda sign: f"\\u{ord(sign[0]):04x}", text)


def sha256_source(content: str) -> str:
    """Return how a Content-Security-Policy names an inline script or style."""
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"


def clean(value: Any) -> Any:
    """Return text without what has no place in HTML or would reorder the text around it.

    Such characters are written as Python writes them; markup and all else stay as they are.
    """
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return _UNSEEN.sub(lambda sign: repr(sign[0])[1:-1], value)


def _finite(data: Any) -> Any:
    if isinstance(data, float) and not math.isfinite(data):
        return None
    if isinstance(data, Mapping):
        return {str(clean(str(key))): _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return clean(data) if isinstance(data, str | int | float | None) else str(clean(str(data)))


def _environment(pictures: Drawings) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=clean,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["macro_of"] = lambda part: _MACROS[type(part)]
    environment.globals["mathml"] = _mathml
    environment.globals["at_relation"] = at_relation
    environment.globals["split_at_relations"] = split_at_relations
    environment.globals["classes_of"] = _classes_of
    environment.globals["picture_url"] = lambda picture: _picture_url(pictures, picture)
    return environment


def _mathml(formula: Formula, display: bool = False) -> Markup:
    return Markup(equation_mathml(formula, display=display))  # noqa: S704 - formulas escape text


def _classes_of(column: Column) -> str:
    """Return the classes of a column's cells: flush right, and shown on demand alone."""
    kinds = {"n": column.numeric, "extra": column.extra, column.key: not column.numeric}
    return " ".join(name for name, holds in kinds.items() if holds)


def _picture_url(pictures: Drawings, picture: document.Picture) -> str | None:
    drawn = pictures.svg(picture)
    if drawn is None:
        return None
    return "data:image/svg+xml;base64," + base64.b64encode(drawn).decode()


def _contents(sections: Sequence[document.Section]) -> list[Heading]:
    """Return the table of contents: parts lie inside the question before them.

    A section is called by its label, unless another has the same.
    """
    labels = Counter(section.label for section in sections)
    found: list[Heading] = []
    for at, section in enumerate(sections, 1):
        is_told = section.label and labels[section.label] == 1
        heading = Heading(f"section-{at}", section.label if is_told else section.title)
        (found[-1].parts if found and section.level > 1 else found).append(heading)
    return [*found, *(Heading(name, title) for name, title in PARTS.items())]


def _style() -> str:
    return (TEMPLATES / "page.css").read_text("utf-8")


def _script() -> str:
    parts = [(TEMPLATES / f"{name}.js").read_text("utf-8") for name in SCRIPTS]
    return '"use strict";\n' + "\n".join(parts)
