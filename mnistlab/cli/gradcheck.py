"""`mnistlab gradcheck`: checks gradients, ours and a user's own."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnistlab.cli.options import Plugins, echo, echo_json

if TYPE_CHECKING:
    from mnistlab.gradcheck.suites import Options
    from mnistlab.gradcheck.verdicts import Report, Verdict


def gradcheck(
    points: Annotated[
        int, typer.Option(min=1, metavar="N", help="Random points for each gradient.")
    ] = 3,
    classes: Annotated[int, typer.Option(min=2, metavar="N", help="Classes.")] = 10,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Decides the points.")] = 0,
    scale: Annotated[
        float,
        typer.Option(min=1e-6, max=1e6, metavar="X", help="The spread of random pre-activations."),
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
        typer.Option(
            "--config", "-c", metavar="FILE", help="Check just what this config would train."
        ),
    ] = None,
    target: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.py", help="Check a loss and a gradient of your own, taking (a, y)."
        ),
    ] = None,
    loss: Annotated[
        str | None, typer.Option(metavar="NAME", help="The loss function in --target.")
    ] = None,
    gradient: Annotated[
        str | None, typer.Option(metavar="NAME", help="The gradient function in --target.")
    ] = None,
    plugin: Plugins = None,
    mistake: Annotated[
        str | None,
        typer.Option(
            "--break", metavar="NAME", help="Make this mistake on purpose; `list` lists them."
        ),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--save", help="Leave a folder with report, table and plot.")
    ] = False,
    runs_dir: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Where --save goes (default: $MNISTLAB_RUNS_DIR or runs)."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the report as one JSON document.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the verdict only.")] = False,
) -> None:
    """Compare gradients with numerical ones, and say what is wrong with a false one.

    Without options: the softmax cross-entropy at three random points. Exit codes: 0 all
    gradients are right; 1 one is not; 2 a wrong option or a file that cannot be used.
    """
    from mnistlab.console import gradients
    from mnistlab.gradcheck.mistakes import MISTAKES

    if mistake == "list":
        if as_json:
            echo_json({name: made.sentence for name, made in MISTAKES.items()})
        else:
            _print(gradients.mistakes(MISTAKES))
        return
    _refuse_contradictions(everything, config, target, loss or gradient, mistake)

    from mnistlab.errors import InputError, UnknownNameError
    from mnistlab.gradcheck import own_file, suites
    from mnistlab.gradcheck.check import METHODS
    from mnistlab.gradcheck.problems import describe
    from mnistlab.gradcheck.verdicts import Report
    from mnistlab.plugins import load_plugins

    if method not in METHODS:
        raise UnknownNameError("method", method, METHODS)
    load_plugins(plugin or [])
    options = suites.Options(points, classes, seed, scale, method, mistake)
    options.made()  # an unknown mistake is refused before anything starts
    lines: list[str] = []

    def say(text: Iterator[str]) -> None:
        for line in text:
            lines.append(line)
            if not (as_json or quiet):
                echo(line)

    if target is not None:
        report = own_file.judge(target, loss, gradient, options)
        say(iter([report.title]))
        say(gradients.points(report.verdicts))
    elif everything or config is not None:
        title, verdicts = _wide_suite(config, options, quiet=quiet or as_json)
        found: list[Verdict] = []
        say(iter([title, ""]))
        say(gradients.table(_noting(verdicts, found), suites.ANSWERS))
        probes = suites.probe_ours(options) if everything else []
        report = Report(title, found, probes)
    else:
        case = suites.default_case(options)
        title = f"{describe(case)}; {classes} classes, {_in_words(method)}"
        verdicts = suites.check_default(options)
        report = Report(title, list(verdicts), suites.probe_ours(options))
        say(iter([title]))
        say(gradients.points(report.verdicts))
    if mistake and report.passed:
        raise InputError(
            f"gradcheck: {mistake} cannot be made in what was checked; try it without other options"
        )
    say(gradients.summary(report))
    _finish(report, lines, keep=keep, runs_dir=runs_dir, as_json=as_json, quiet=quiet)


def _refuse_contradictions(
    everything: bool,
    config: Path | None,
    target: Path | None,
    named: str | None,
    mistake: str | None,
) -> None:
    from mnistlab.errors import InputError

    chosen = [
        option
        for option, given in (("--all", everything), ("--config", config), ("--target", target))
        if given
    ]
    if len(chosen) > 1:
        raise InputError(f"gradcheck: {' and '.join(chosen)} exclude each other")
    if named and not target:
        raise InputError("gradcheck: --loss and --gradient name functions of a --target file")
    if mistake and target:
        raise InputError("gradcheck: --break works on our own gradients, not on those of --target")


def _wide_suite(
    config: Path | None, options: "Options", *, quiet: bool
) -> tuple[str, "Iterator[Verdict]"]:
    from mnistlab.gradcheck import suites

    if config is None:
        title = (
            f"every model with every loss; {options.classes} classes, {_in_words(options.method)}"
        )
        return title, suites.check_all(options)

    from mnistlab.config.load import load_config
    from mnistlab.console.progress import fetch_progress

    settled = load_config(config)
    lifted = "" if settled.dtype == "float64" else f"; {settled.dtype} is lifted to float64"
    title = f"what {config} trains, {_in_words(options.method)}{lifted}"
    return title, suites.check_config(settled, options, fetch_progress(quiet))


def _noting(verdicts: "Iterator[Verdict]", found: "list[Verdict]") -> "Iterator[Verdict]":
    for verdict in verdicts:
        found.append(verdict)
        yield verdict


def _in_words(method: str) -> str:
    return {"central": "extrapolated central differences", "complex": "complex step"}[method]


def _finish(
    report: "Report",
    lines: list[str],
    *,
    keep: bool,
    runs_dir: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    from mnistlab.runs import default_runs_dir

    document = report.to_dict()
    if keep:
        from mnistlab.gradcheck.save import save

        folder = save(report, "\n".join([*lines, ""]), runs_dir or default_runs_dir())
        document["path"] = str(folder.path)
    if as_json:
        echo_json(document)
    elif quiet:
        echo("passed" if report.passed else "FAILED")
    if keep and not as_json:
        echo(f"gradcheck folder: {folder.path}")
    if not report.passed:
        raise typer.Exit(1)


def _print(lines: Iterator[str]) -> None:
    for line in lines:
        echo(line)
