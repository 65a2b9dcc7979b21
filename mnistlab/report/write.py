"""The main path of a report: from run folders to a page, a PDF and Markdown beside each other."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mnistlab
from mnistlab.errors import MnistlabError, RunFolderError
from mnistlab.report.answers import AssignmentRuns, answer_sections
from mnistlab.report.collect import ReportRun, ReportSweep, collect
from mnistlab.report.document import Report, Section
from mnistlab.report.markdown import render_markdown
from mnistlab.report.page import render_page
from mnistlab.report.pdf import render_pdf
from mnistlab.report.pictures import Pictures
from mnistlab.report.sections import (
    featured,
    section_of_comparison,
    section_of_run,
    section_of_sweep,
    table_of_runs,
)
from mnistlab.runs import RunFolder
from mnistlab.runs.atomic import write_bytes, write_json

FORMATS = ("html", "pdf", "md")
"""What a report can be written as."""

FILES = {"html": "index.html", "pdf": "report.pdf", "md": "report.md"}

_RECORD = "report.json"
"""Says what the files beside it were made from, so that they need not be made again."""


@dataclass(frozen=True)
class Request:
    """What a report is about and what it is to become.

    `assignment` names the folders that the assignment's answers rest on, by the config's name;
    None for a report of any other runs.
    """

    folders: Sequence[RunFolder]
    formats: Sequence[str]
    title: str
    author: str
    assignment: Mapping[str, RunFolder] | None = None


@dataclass(frozen=True)
class Written:
    """The files of a report by format, and those formats that could not be written, with why."""

    files: dict[str, Path]
    failed: dict[str, str]
    is_new: bool


def write_report(
    request: Request, out: Path, announce: Callable[[str], None], *, anew: bool = False
) -> Written:
    """Write a report into a folder, unless it holds just this one already.

    Raises RunFolderError where nothing can be written.
    """
    date = time.strftime("%Y-%m-%d")
    fingerprint = _fingerprint(request, date)
    files = {form: out / FILES[form] for form in request.formats}
    if not anew and _is_there(out, fingerprint, files):
        return Written(files, {}, is_new=False)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunFolderError(f"{out}: no report can be written here ({error.strerror})") from None
    content = _Content.of(request)
    pictures = Pictures()
    failed: dict[str, str] = {}
    for form in request.formats:
        announce(f"writing {files[form]}")
        try:
            write_bytes(files[form], _RENDERERS[form](content, request, date, pictures, out))
        except MnistlabError as error:
            failed[form] = str(error)
    made = {form: path for form, path in files.items() if form not in failed}
    if not failed:
        digests = {path.name: _sha256(path) for path in made.values()}
        write_json(out / _RECORD, {"made_from": fingerprint, "files": digests})
    return Written(made, failed, is_new=True)


@dataclass(frozen=True)
class _Content:
    runs: Sequence[ReportRun]
    sweeps: Sequence[ReportSweep]
    answers: Sequence[Section]

    @classmethod
    def of(cls, request: Request) -> "_Content":
        runs, sweeps = collect(request.folders)
        if request.assignment is None:
            return cls(runs, sweeps, [])
        everything: list[ReportRun | ReportSweep] = [*runs, *sweeps]
        by_place = {one.folder.path: one for one in everything}
        named = {name: by_place.get(folder.path) for name, folder in request.assignment.items()}
        return cls(runs, sweeps, answer_sections(AssignmentRuns(**named)))  # type: ignore[arg-type]

    def for_paper(self) -> list[Section]:
        """Return all sections: on paper nothing can be asked for."""
        shown = featured(self.runs)
        sections = [*self.answers, table_of_runs(self.runs, self.sweeps)]
        sections += [section_of_run(run) for run in shown]
        sections += [section_of_sweep(sweep) for sweep in self.sweeps]
        complete = [run for run in shown if run.predictions is not None]
        if len(complete) >= 2:
            sections.append(section_of_comparison(complete[0], complete[-1]))
        return sections

    def for_page(self) -> list[Section]:
        """Return the sections of the page, which shows runs and comparisons in its own way."""
        curves = [section_of_run(run, ["learning_curves"]) for run in featured(self.runs)]
        sweeps = [section_of_sweep(sweep) for sweep in self.sweeps]
        heading = [Section("Runs and sweeps one by one", [])] if curves or sweeps else []
        return [*self.answers, *heading, *curves, *sweeps]


def _page(content: _Content, request: Request, date: str, pictures: Pictures, _out: Path) -> bytes:
    report = Report(request.title, request.author, date, content.for_page())
    return render_page(report, content.runs, content.sweeps, pictures).encode()


def _pdf(content: _Content, request: Request, date: str, pictures: Pictures, _out: Path) -> bytes:
    return render_pdf(Report(request.title, request.author, date, content.for_paper()), pictures)


def _markdown(
    content: _Content, request: Request, date: str, pictures: Pictures, out: Path
) -> bytes:
    report = Report(request.title, request.author, date, content.for_paper())
    return render_markdown(report, pictures, out).encode()


_RENDERERS: dict[str, Callable[[_Content, Request, str, Pictures, Path], bytes]] = {
    "html": _page,
    "pdf": _pdf,
    "md": _markdown,
}


def _fingerprint(request: Request, date: str) -> str:
    """Return the SHA-256 of all that a report is made from: words, runs' files, and the code."""
    made_from: dict[str, Any] = {
        "title": request.title,
        "author": request.author,
        "date": date,
        "assignment": sorted(request.assignment or ()),
        "runs": [
            [str(folder.path), folder.read_status()["status"], folder.digests()]
            for folder in request.folders
        ],
        "code": _code_sha256(),
    }
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()


def _code_sha256() -> str:
    digest = hashlib.sha256(mnistlab.__version__.encode())
    package = Path(mnistlab.__file__).parent
    kinds = {".py", ".j2", ".css", ".js", ".typ"}
    for path in sorted(path for path in package.rglob("*") if path.suffix in kinds):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _is_there(out: Path, fingerprint: str, files: Mapping[str, Path]) -> bool:
    try:
        record = json.loads((out / _RECORD).read_bytes())
        return bool(
            record["made_from"] == fingerprint
            and all(record["files"][path.name] == _sha256(path) for path in files.values())
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
