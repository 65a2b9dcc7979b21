"""The main path of a report: from run folders to a page, a PDF and Markdown beside each other."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mnistlab.errors import MnistlabError
from mnistlab.report.answers import AssignmentRuns, answer_sections
from mnistlab.report.collect import ReportRun, ReportSweep, collect
from mnistlab.report.document import Report, Section
from mnistlab.report.featured import choose_featured
from mnistlab.report.markdown import render_markdown
from mnistlab.report.page import render_page
from mnistlab.report.pdf import render_pdf
from mnistlab.report.pictures import Pictures
from mnistlab.report.place import Place, fingerprint
from mnistlab.report.provenance import section_of_provenance
from mnistlab.report.sections import (
    section_of_run,
    section_of_sweep,
    section_of_the_rest,
    table_of_runs,
)
from mnistlab.report.side_by_side import section_of_comparison
from mnistlab.runs import RunFolder
from mnistlab.runs.files import write_bytes

FORMATS = ("html", "pdf", "md")
"""What a report can be written as."""

FILES = {"html": "index.html", "pdf": "report.pdf", "md": "report.md"}


_Tell = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """What a report is about and what it is to become.

    `assignment` names the folders that the assignment's answers rest on, by the config's name;
    None for a report of any other runs. `plugins` are the user's own files that were loaded.
    """

    folders: Sequence[RunFolder]
    formats: Sequence[str]
    title: str
    author: str
    assignment: Mapping[str, RunFolder] | None = None
    plugins: Sequence[Path] = ()


@dataclass(frozen=True)
class Written:
    """The files of a report by format, and those formats that could not be written, with why."""

    files: dict[str, Path]
    failed: dict[str, str]
    is_new: bool


def check_place(out: Path, formats: Sequence[str], *, force: bool = False) -> None:
    """Raise RunFolderError unless a report can be written into a folder.

    It is not written into a run folder, nor, without `force`, over files that no report wrote.
    """
    Place(out).check([FILES[form] for form in formats], force=force)


def write_report(
    request: Request, out: Path, announce: _Tell, warn: _Tell, *, anew: bool = False
) -> Written:
    """Write a report into a folder that was checked, unless it holds just this one already.

    `announce` hears what is being written, `warn` what of it will not look as it should.
    Raises RunFolderError where nothing can be written.
    """
    date, place = time.strftime("%Y-%m-%d"), Place(out)
    made_from = _made_from(request, date)
    files = {form: out / FILES[form] for form in request.formats}
    if not anew and place.holds(made_from, files):
        return Written(files, {}, is_new=False)
    place.claim([path.name for path in files.values()])
    content = _Content.of(request)
    pictures, report = Pictures(), Report(request.title, request.author, date, [])
    failed: dict[str, str] = {}
    for form in request.formats:
        announce(f"writing {files[form]}")
        try:
            write_bytes(files[form], _RENDERERS[form](content, report, pictures, out, warn))
        except MnistlabError as error:
            failed[form] = str(error)
    made = {form: path for form, path in files.items() if form not in failed}
    is_whole = not (failed or content.lacked or pictures.failed)
    place.record(made_from if is_whole else None, made)
    return Written(made, failed, is_new=True)


def _made_from(request: Request, date: str) -> str:
    words = {
        "title": request.title,
        "author": request.author,
        "date": date,
        "assignment": sorted(request.assignment or ()),
    }
    return fingerprint(words, request.folders, request.plugins)


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

    @property
    def lacked(self) -> bool:
        """Whether data or an optimum was missing that another day might be there."""
        everything: list[ReportRun | ReportSweep] = [*self.runs, *self.sweeps]
        return any(one.shelf.lacked for one in everything)

    def for_paper(self, *, attached: bool = False) -> list[Section]:
        """Return all sections: on paper nothing can be asked for."""
        sections = [*self.answers, table_of_runs(self.runs, self.sweeps)]
        sections += self._one_by_one()
        complete = [run for run in self._completed() if run.predictions is not None]
        if len(complete) >= 2:
            sections.append(section_of_comparison(complete[0], complete[-1]))
        origin = section_of_provenance(self.runs, self.sweeps, attached=attached)
        return [*sections, origin]

    def for_page(self) -> list[Section]:
        """Return the sections of the page, which shows runs and comparisons in its own way."""
        one_by_one = self._one_by_one(["learning_curves"])
        heading = [Section("Runs and sweeps one by one", [])] if one_by_one else []
        origin = section_of_provenance(self.runs, self.sweeps)
        return [*self.answers, *heading, *one_by_one, origin]

    def _completed(self) -> Sequence[ReportRun]:
        return choose_featured(self.runs, self.sweeps).runs

    def _one_by_one(self, pictures: Sequence[str] | None = None) -> list[Section]:
        shown = choose_featured(self.runs, self.sweeps, unfinished=True).runs
        named = {run.place for run in shown}
        rest = [run for run in self.runs if run.place not in named]
        if pictures is None:
            sections = [section_of_run(run) for run in shown]
        else:
            sections = [section_of_run(run, pictures) for run in shown]
        sections += [section_of_the_rest(rest, len(shown))] if rest else []
        return sections + [section_of_sweep(sweep) for sweep in self.sweeps]


def _page(content: _Content, report: Report, pictures: Pictures, _out: Path, _warn: _Tell) -> bytes:
    whole = replace(report, sections=content.for_page())
    return render_page(whole, content.runs, content.sweeps, pictures).encode()


def _pdf(content: _Content, report: Report, pictures: Pictures, _out: Path, warn: _Tell) -> bytes:
    return render_pdf(replace(report, sections=content.for_paper(attached=True)), pictures, warn)


def _markdown(
    content: _Content, report: Report, pictures: Pictures, out: Path, _warn: _Tell
) -> bytes:
    return render_markdown(replace(report, sections=content.for_paper()), pictures, out).encode()


_RENDERERS: dict[str, Callable[[_Content, Report, Pictures, Path, _Tell], bytes]] = {
    "html": _page,
    "pdf": _pdf,
    "md": _markdown,
}
