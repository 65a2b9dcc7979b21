"""`mnistlab gradcheck`: checks gradients, ours and a user's own."""

import errno
import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnistlab.cli.options import (
    RUNS,
    AsJson,
    Plugins,
    RunsDir,
    check_number,
    config_option,
    echo,
    echo_json,
)

if TYPE_CHECKING:
    from mnistlab.gradcheck.check import Check, Options
    from mnistlab.gradcheck.user_file import Names
    from mnistlab.gradcheck.verdicts import Report


def _complete_mistake(incomplete: str) -> list[str]:
    from mnistlab.gradcheck.mistakes import MISTAKES

    return [name for name in ("list", *MISTAKES) if name.startswith(incomplete)]


def gradcheck(
    points: Annotated[
        int, typer.Option(min=1, metavar="N", help="Random points for each gradient.")
    ] = 3,
    classes: Annotated[int, typer.Option(min=2, metavar="N", help="Classes.")] = 10,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Decides the points.")] = 0,
    scale: Annotated[
        float,
        typer.Option(
            min=1e-6,
            max=1e6,
            metavar="X",
            help="The spread of random pre-activations.",
            callback=check_number,
        ),
    ] = 1.0,
    method: Annotated[
        str,
        typer.Option(
            metavar="central|complex",
            help="The judge: extrapolated central differences, or the complex step.",
        ),
    ] = "central",
    everything: Annotated[
        bool,
        typer.Option(
            "--all", help="Check every model with every loss, by all parameters and in batches."
        ),
    ] = False,
    config: Annotated[
        Path | None,
        config_option("Check just what this config, a file or a shipped one, would train."),
    ] = None,
    target: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE|FOLDER",
            help="Check a loss and a gradient of your own; several files, or a folder of .py and "
            ".ipynb files, give a line each.",
        ),
    ] = None,
    more: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE]...", help="More files for --target.")
    ] = None,
    timeout: Annotated[
        float,
        typer.Option(
            min=0.1,
            metavar="SECONDS",
            help="For each of several targets.",
            callback=check_number,
        ),
    ] = 20.0,
    csv: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a row for each target to this CSV file."),
    ] = None,
    loss: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The loss in --target: a function or Class.method."),
    ] = None,
    gradient: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The gradient in --target: a function or Class.method."),
    ] = None,
    signature: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="The arguments of --target's functions in order, out of a, y, W, b, X, reg, as in "
            "'y, a'.",
        ),
    ] = None,
    plugin: Plugins = None,
    mistake: Annotated[
        str | None,
        typer.Option(
            "--break",
            metavar="NAME",
            help="Make this mistake on purpose; `list` lists them.",
            autocompletion=_complete_mistake,
        ),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--save", help="Leave a folder with report, table and plot.")
    ] = False,
    runs_dir: RunsDir = RUNS,
    as_json: AsJson = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the verdict only.")] = False,
) -> None:
    """Compare gradients with numerical ones, and say what is wrong with a false one.

    Without options: the softmax cross-entropy at three random points. Exit codes: 0 all
    gradients are right; 1 one is wrong; 2 none is wrong but a file cannot be judged, or a wrong
    option.
    """
    if mistake == "list":
        _list_mistakes(as_json=as_json)
        return

    from mnistlab.errors import InputError, UnknownNameError
    from mnistlab.gradcheck import suites, verdicts
    from mnistlab.gradcheck.check import METHODS, Options
    from mnistlab.gradcheck.own_file import judge
    from mnistlab.gradcheck.user_file import Names

    targets = [*(target or []), *(more or [])]
    named = loss or gradient or signature or csv or more
    _refuse_contradictions(everything, config, target, named, mistake)
    if method not in METHODS:
        raise UnknownNameError("method", method, METHODS)
    options = Options(points, classes, seed, scale, method, mistake)
    options.made()  # an unknown mistake is refused before anything starts
    names = Names(loss, gradient, signature)
    names.roles()  # and so is a signature
    is_plain = len(targets) == 1 and targets[0].suffix != ".ipynb" and not targets[0].is_dir()
    if targets and (not is_plain or quiet or csv is not None):
        if keep:
            raise InputError("gradcheck: --save keeps the check of one file, without --csv or -q")
        _grade(targets, names, options, timeout, csv, as_json=as_json, quiet=quiet)
        return
    lines: list[str] = []

    def say(text: Iterable[str]) -> None:
        for line in text:
            lines.append(line)
            if not (as_json or quiet):
                echo(line)

    if targets:
        report = judge(targets[0], options, names)
        say([report.title, *verdicts.points(report.verdicts)])
    else:
        title, checks = _suite(everything, config, options, quiet=quiet or as_json)
        if everything or config is not None:
            shown, checks = itertools.tee(checks)
            say([title, ""])
            say(verdicts.table(shown, suites.ANSWERS))
            found = list(checks)
        else:
            found = list(checks)
            say([title, *verdicts.points(found)])
        report = verdicts.Report(title, found, [] if config else suites.probe_ours(options))
    if mistake and report.passed:
        raise InputError(
            f"gradcheck: {mistake} cannot be made in what was checked; try it without other options"
        )
    say(verdicts.summary(report))
    _finish(report, lines, runs_dir if keep else None, as_json=as_json, quiet=quiet)


def _list_mistakes(*, as_json: bool) -> None:
    from mnistlab.gradcheck.mistakes import MISTAKES

    sentences = {name: mistake.sentence for name, mistake in MISTAKES.items()}
    if as_json:
        echo_json(sentences)
        return
    width = max(map(len, sentences))
    for name, sentence in sentences.items():
        echo(f"{name:<{width}}  {sentence}")


def _refuse_contradictions(
    everything: bool,
    config: Path | None,
    target: Sequence[Path] | None,
    named: object,
    mistake: str | None,
) -> None:
    from mnistlab.errors import InputError

    options = {"--all": everything, "--config": config, "--target": target}
    chosen = [option for option, given in options.items() if given]
    if len(chosen) > 1:
        raise InputError(f"gradcheck: {' and '.join(chosen)} exclude each other")
    if named and not target:
        raise InputError(
            "gradcheck: files, --loss, --gradient, --signature and --csv go with --target, which "
            "is missing"
        )
    if mistake and target:
        raise InputError("gradcheck: --break works on our own gradients, not on those of --target")


def _suite(
    everything: bool, config: Path | None, options: "Options", *, quiet: bool
) -> tuple[str, "Iterator[Check]"]:
    """Return what is checked in words, and the checks as they are asked for."""
    from mnistlab.gradcheck import suites
    from mnistlab.gradcheck.mistakes import Case

    words = {"central": "extrapolated central differences", "complex": "complex step"}
    method = words[options.method]
    if config is not None:
        from mnistlab.config.load import load_config
        from mnistlab.console.progress import fetch_progress

        settled = load_config(config)
        lifted = "" if settled.dtype == "float64" else f"; {settled.dtype} is lifted to float64"
        checks = suites.check_config(settled, options, fetch_progress(quiet))
        return f"what {config} trains, {method}{lifted}", checks
    if everything:
        title = f"every model with every loss; {options.classes} classes, {method}"
        return title, suites.check_all(options)
    mistake = options.made()
    case = Case() if mistake is None else mistake.shown_by
    return f"{case}; {options.classes} classes, {method}", suites.check_case(case, options)


def _grade(
    targets: Sequence[Path],
    names: "Names",
    options: "Options",
    timeout: float,
    csv: Path | None,
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    """Judge several files, and end with the exit code of the worst."""
    from dataclasses import asdict

    from mnistlab.gradcheck.grading import find_files, grade, lines_of
    from mnistlab.gradcheck.verdicts import UNJUDGED, WRONG
    from mnistlab.run_folders.files import to_csv, write_text
    from mnistlab.store.facts import csv_cell

    files = find_files(targets)
    if csv is not None:  # a table that cannot be written is told before the files are judged
        _try_to_write(csv)
    judged, kept = itertools.tee(grade(files, names, options, timeout))
    if as_json:
        echo_json({"targets": [asdict(one) for one in judged]})
    else:
        for line in lines_of(judged, quiet=quiet):
            echo(line)
    found = list(kept)
    if csv is not None:
        rows = [{key: csv_cell(cell) for key, cell in asdict(one).items()} for one in found]
        write_text(csv, to_csv(list(rows[0]), rows))
    verdicts = {one.verdict for one in found}
    if verdicts & {WRONG, UNJUDGED}:
        raise typer.Exit(1 if WRONG in verdicts else 2)


def _try_to_write(path: Path) -> None:
    """Raise InputError where no file can be written at a path, and leave what is there."""
    from mnistlab.errors import InputError, shown
    from mnistlab.run_folders.files import temporary_name

    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        beside = temporary_name(path)
        beside.touch(exist_ok=False)
        beside.unlink()
    except OSError as error:
        raise InputError(f"--csv {shown(path)}: cannot be written: {error.strerror}") from None


def _finish(
    report: "Report", lines: list[str], runs_dir: Path | None, *, as_json: bool, quiet: bool
) -> None:
    """Leave a folder in `runs_dir` if there is one, and the exit code."""
    document = report.to_dict()
    if runs_dir is not None:
        from mnistlab.gradcheck.verdicts import save

        path = save(report, "\n".join([*lines, ""]), runs_dir)
        document["path"] = str(path)
    if as_json:
        echo_json(document)
    elif quiet:
        echo("passed" if report.passed else "FAILED")
    if runs_dir is not None and not as_json:
        echo(f"gradcheck folder: {path}")
    if not report.passed:
        raise typer.Exit(1 if report.verdict == "wrong" else 2)
