"""Compiles a report's Typst sources with its facts to a PDF and to a page, and writes both.

Typst sees a folder that holds its sources, the facts as JSON and the pictures, and nothing else;
so no text of a run is ever read as code. To the page that it makes are added our style sheet, our
scripts, their data, and a policy that lets nothing else run.
"""

import base64
import hashlib
import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnistlab.errors import MnistlabError, RunFolderError, shown
from mnistlab.report.records import clean
from mnistlab.report.report_facts import Facts, gather
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.files import write_bytes
from mnistlab.run_folders.places import check_outside_runs
from mnistlab.store.opening import RECORD, Given

FILES = {"html": "index.html", "pdf": "report.pdf"}
"""The formats of a report, and the file of each."""

SOURCES, PAGE, PROGRAMS = (Path(__file__).parent / name for name in ("typst", "page", "programs"))
SCRIPTS = ("runs", "draw")
"""The page's scripts in the order in which they are joined into one."""

# PDF/UA promises that a screen reader can read it all out, and typst refuses to promise it with a
# letter that no font has. The fonts in typst itself are the same on every machine, so they come
# first; a name in Chinese, say, is then looked for in the machine's own, and at last set as a box.
_ATTEMPTS: Sequence[tuple[bool, list[Any]]] = ((True, ["ua-1"]), (False, ["ua-1"]), (False, []))

Announce = Callable[[str], None]


@dataclass(frozen=True)
class ReportRequest:
    """What a report is about and what it is to become.

    `assignment` names the folders that the assignment's answers rest on, by the config's name;
    None for a report of any other runs. `full` adds the appendix to an assignment's PDF.
    """

    given: Sequence[Given]
    formats: Sequence[str]
    title: str
    author: str
    assignment: Mapping[str, RunFolder] | None = None
    full: bool = False


def check_place(out: Path, *, force: bool = False) -> None:
    """Raise an error unless a report can be made, and be written into the folder `out`.

    It is not written into a run folder, nor, without `force`, over files that no report wrote.
    """
    _import_typst()
    check_outside_runs(out, "report")
    ours = _files_of_report(out)
    for name in (RECORD, *FILES.values(), *(one.name for one in PROGRAMS.glob("*.py"))):
        if not force and name not in ours and (out / name).exists():
            raise RunFolderError(
                f"{out / name}: is there already and was not written by mnistlab; "
                "--force overwrites it"
            )
    there = next(folder for folder in (out, *out.absolute().parents) if os.path.lexists(folder))
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise RunFolderError(f"{out}: no report can be written here ({error.strerror})") from None


def write_report(
    request: ReportRequest, out: Path, announce: Announce, warn: Announce
) -> dict[str, Path]:
    """Write a report into a folder that was checked; return its files by format.

    `report.json` holds all facts; beside the assignment's answers lie the programs that they list.
    `announce` hears what is being written, `warn` what of it will
    not look as it should. Raises MnistlabError where typst cannot compile it, OSError where it
    cannot be written.
    """
    programs = sorted(PROGRAMS.glob("*.py")) if request.assignment is not None else []
    names = [RECORD, *(FILES[form] for form in request.formats), *(one.name for one in programs)]
    words = {
        "files": sorted({*names, *_files_of_report(out)}),
        "title": clean(request.title) or "Report",  # without one it would be no accessible PDF
        "author": clean(request.author),
        "date": time.strftime("%Y-%m-%d"),
    }
    facts = gather(request.given, request.assignment, words)
    out.mkdir(parents=True, exist_ok=True)  # late, as an empty folder would be one without runs
    write_bytes(out / RECORD, facts.record)
    for program in programs:
        write_bytes(out / program.name, program.read_bytes())
    for form in request.formats:
        announce(f"writing {out / FILES[form]}")
        if form == "html":
            html = _compile(facts, form, full=request.full, own_fonts=True, standards=[])
            made = complete_page(html.decode(), facts.page).encode()
        else:
            made = _render_pdf(facts, request.full, warn)
        write_bytes(out / FILES[form], made)
    return {form: out / FILES[form] for form in request.formats}


def _files_of_report(out: Path) -> list[str]:
    """Return the files in a folder that its report.json says are a report's."""
    try:
        found = json.loads((out / RECORD).read_bytes())
    except (OSError, ValueError, RecursionError):
        return []
    files = found.get("files") if isinstance(found, dict) else None
    return [RECORD, *map(str, files)] if isinstance(files, list | dict) else []


def _import_typst() -> Any:
    try:
        import typst  # noqa: PLC0415 - an extra
    except ImportError:
        raise MnistlabError(
            "a report needs typst, which is not installed: pip install 'mnistlab[report]'"
        ) from None
    return typst


def _compile(facts: Facts, form: str, *, full: bool, own_fonts: bool, standards: Any) -> bytes:
    """Return what typst makes of the sources; raise MnistlabError where it cannot."""
    typst = _import_typst()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for source in (*SOURCES.glob("*.typ"), *PROGRAMS.glob("*.py")):
            (root / source.name).write_bytes(source.read_bytes())
        for file, picture in facts.pictures.items():
            (root / file).write_bytes(picture)
        (root / "facts.json").write_bytes(facts.record)
        inputs = {"format": form, "full": "yes" if full else "no"}
        try:
            compiler = typst.Compiler(
                root / "report.typ", root=root, package_path=root, package_cache_path=root,
                ignore_system_fonts=own_fonts, sys_inputs=inputs,
            )  # fmt: skip
            made: bytes = compiler.compile(format=form, pdf_standards=standards)
        except typst.TypstError as error:
            what = "page" if form == "html" else "PDF"
            raise MnistlabError(f"typst cannot make the {what}: {shown(error.message)}") from None
        return made


def _render_pdf(facts: Facts, full: bool, warn: Announce) -> bytes:
    problem = None
    for own_fonts, standards in _ATTEMPTS:
        try:
            made = _compile(facts, "pdf", full=full, own_fonts=own_fonts, standards=standards)
        except MnistlabError as error:
            problem = problem or error
            continue
        if not standards:
            warn(f"the PDF is not accessible to screen readers: {problem}")
        return made
    assert problem is not None  # noqa: S101 - there are attempts
    raise problem


# Typst's own style attributes, which the policy forbids; `<` in a text or an attribute is escaped.
_STYLED = re.compile(r'(<(?:img|span)\b[^<]*?) style="(display: block|white-space: pre-wrap)"')
_META = """<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">"""


def complete_page(html: str, data: Mapping[str, Any]) -> str:
    """Return typst's HTML with our style sheet, our scripts, their data and the policy."""
    html = _STYLED.sub(lambda tag: tag[1] + (' class="spaced"' if "pre" in tag[2] else ""), html)
    html = html.replace("<pre>", '<pre tabindex="0">')
    html = html.replace("<mo>\N{COMBINING CIRCUMFLEX ACCENT}</mo>", "<mo>^</mo>")  # sits better
    own_style = re.sub(r"/\*.*?\*/\n?", "", (PAGE / "page.css").read_text("utf-8"))
    script = "\n".join((PAGE / f"{name}.js").read_text("utf-8") for name in SCRIPTS)
    head, start, rest = html.partition("<style>")
    math_style, _, _ = rest.partition("</style>")
    styles = " ".join(f"'{_sha256(style)}'" for style in (math_style, own_style))
    policy = (
        f"default-src 'none'; img-src data:; style-src {styles}; script-src '{_sha256(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    meta = _META.format(policy=policy)
    head = head.replace('<meta charset="utf-8">', f'<meta charset="utf-8">{meta}', 1)
    html = f"{head}{start}{rest}".replace("</head>", f"<style>{own_style}</style></head>", 1)
    code = f'<script type="application/json" id="data">{_safe_json(data)}</script>'
    return html.replace("</body>", f"{code}<script>{script}</script></body>")


def _safe_json(data: Mapping[str, Any]) -> str:
    """Return JSON that can stand inside a <script>: no character in it ends or opens a tag."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return re.sub("[<>&]", lambda sign: f"\\u{ord(sign[0]):04x}", text)


def _sha256(source: str) -> str:
    """Return a source's hash as a Content-Security-Policy names it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
