"""Keeps a gradient check as a folder: its report, its table, and a picture of its errors."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from mnistlab.gradcheck.check import Check
from mnistlab.gradcheck.diagnosis import place
from mnistlab.gradcheck.differences import complex_step
from mnistlab.gradcheck.verdicts import Report, Verdict
from mnistlab.plots import MOST_STUDIED, StepStudy, gradient_error, save_picture
from mnistlab.run_folders import RunFolder, create_run_folder
from mnistlab.run_folders.environment import describe_environment
from mnistlab.run_folders.files import write_json, write_text


def save(report: Report, table: str, runs_dir: Path) -> RunFolder:
    """Write gradcheck.json, table.txt, plots/gradcheck.png and where it all came from.

    Raises RunFolderError where no folder can be made.
    """
    folder = create_run_folder(runs_dir, "gradcheck", latest=False)
    write_json(folder.environment, describe_environment())
    write_json(folder.path / "gradcheck.json", report.to_dict())
    write_text(folder.path / "table.txt", table)
    verdict = _verdict_to_draw(report)
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
    order = np.argsort(-np.nan_to_num(errors - tolerance, nan=np.inf), kind="stable")[:MOST_STUDIED]
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
    save_picture(figure, path)


def study_steps(check: Check) -> StepStudy:
    """Return the errors by step size in the coordinate whose derivative is largest."""
    problem, differences = check.problem, check.differences
    line = problem.line
    flat = int(np.argmax(np.abs(np.nan_to_num(differences.value))))
    steps = 10.0 ** -np.arange(0, 15.01, 0.25)
    at = np.full(len(steps), flat)
    with np.errstate(all="ignore"):
        here = line(at[:1], np.zeros(1))
        above, below = line(at, steps), line(at, -steps)
        forward, central = (above - here) / steps, (above - below) / (2 * steps)
        exact = complex_step(line, problem.point.size)
        reference = differences.value[flat] if exact is None else exact[flat]
        size = float(np.nanmax(np.abs(differences.value))) or 1.0
        by_complex = None
        if exact is not None:
            by_complex = np.abs(line(at, 1j * steps).imag / steps - reference) / size
    index = tuple(int(i) for i in np.unravel_index(flat, problem.point.shape))
    estimate = abs(float(differences.value[flat]) - float(reference)) / size
    return StepStudy(
        index=index,
        steps=steps,
        forward=np.abs(forward - reference) / size,
        central=np.abs(central - reference) / size,
        complex=by_complex,
        chosen=(float(differences.step[flat]), estimate),
        exact=exact is not None,
    )


def _verdict_to_draw(report: Report) -> Verdict | None:
    """Return the first failure that can be drawn, else the first check."""
    judged = [verdict for verdict in report.verdicts if verdict.check is not None]
    failed = [verdict for verdict in judged if not verdict.passed]
    return next(iter([*failed, *judged]), None)
