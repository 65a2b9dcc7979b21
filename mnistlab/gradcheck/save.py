"""Keeps a gradient check as a folder: its report, its table, and a picture of its errors."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from mnistlab.core.diagnosis import place
from mnistlab.core.step_study import study_steps
from mnistlab.gradcheck.verdict import Report, Verdict
from mnistlab.plots import page
from mnistlab.plots.gradient_error import MOST, gradient_error
from mnistlab.runs import RunFolder, create_run_folder
from mnistlab.runs.atomic import write_json, write_text
from mnistlab.runs.environment import describe_environment


def save(report: Report, table: str, runs_dir: Path) -> RunFolder:
    """Write gradcheck.json, table.txt, plots/gradcheck.png and where it all came from.

    Raises RunFolderError where no folder can be made.
    """
    folder = create_run_folder(runs_dir, "gradcheck", latest=False)
    write_json(folder.environment, describe_environment())
    write_json(folder.path / "gradcheck.json", report.to_dict())
    write_text(folder.path / "table.txt", table)
    verdict = _most_telling(report)
    if verdict is not None:
        draw(verdict, folder.plot("gradcheck"))
    # last, so that it never precedes what it claims
    now = datetime.now(UTC).astimezone().isoformat(timespec="milliseconds")
    folder.write_status("completed" if report.passed else "failed", ended=now)
    return folder


def draw(verdict: Verdict, path: Path) -> None:
    """Draw the errors of one check."""
    check = verdict.check
    if check is None:
        raise ValueError("only a gradient that could be judged can be drawn")
    errors = np.abs(check.problem.analytic - check.numerical).ravel()
    tolerance = check.tolerance.ravel()
    order = np.argsort(-np.nan_to_num(errors - tolerance, nan=np.inf), kind="stable")[:MOST]
    shape = check.numerical.shape
    names = [place(tuple(int(i) for i in np.unravel_index(flat, shape))) for flat in order]
    figure = gradient_error(
        study_steps(check),
        names,
        errors[order],
        tolerance[order],
        title=f"Gradient check: {'passed' if verdict.passed else 'failed'}",
        details=verdict.what.replace("_", " "),
    )
    path.parent.mkdir(exist_ok=True)
    page.save_whole(figure, path)


def _most_telling(report: Report) -> Verdict | None:
    """Return the first failure that can be drawn, else the first check."""
    judged = [verdict for verdict in report.verdicts if verdict.check is not None]
    failed = [verdict for verdict in judged if not verdict.passed]
    return next(iter([*failed, *judged]), None)
