"""The commands: each parses its words, imports what it needs and calls one function."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Annotated

import typer

import mnistlab
from mnistlab import interrupts
from mnistlab.cli import (
    config,
    data,
    gradcheck,
    report,
    run_actions,
    runs,
    sweep,
    train,
)
from mnistlab.cli.options import echo, explain_usage
from mnistlab.console import results_apart
from mnistlab.errors import InputError, Interrupted

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Every command has its own --help. --debug, anywhere, shows the traceback of an error.",
)


def _version(wanted: bool) -> None:
    if wanted:
        echo(f"mnistlab {mnistlab.__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Train and compare shallow classifiers: a config becomes a run that can be repeated."""


app.command(
    "train", no_args_is_help=True, short_help="Train a config; leave a run folder with plots."
)(train.train)
app.command(
    "sweep", no_args_is_help=True, short_help="Train many configs together; name the best."
)(sweep.sweep)
app.command("gradcheck", short_help="Prove gradients; say what is wrong with one.")(
    gradcheck.gradcheck
)
app.command("report", short_help="Write a report on runs: a page and a PDF.")(report.report)
app.add_typer(runs.app, name="runs")
assert run_actions  # noqa: S101 - it adds commands to those of `runs`
app.add_typer(data.app, name="data")
app.add_typer(config.app, name="config")


def run(words: Sequence[str]) -> int:
    """Run one command and return its exit code.

    Raises InputError for a wrongly typed one, and Interrupted for a signal: typer turns every
    KeyboardInterrupt, wherever it came, into the code 130.
    """
    for word in words:
        if "\0" in word:  # which only a caller within the process can hand over
            raise InputError(f"{word!r}: no word of a command can hold this character")
    has_plugin = any(word.startswith("--plugin") for word in words)
    try:
        with results_apart() if has_plugin else nullcontext():
            code: int = app(words, prog_name="mnistlab", standalone_mode=False) or 0
    except SystemExit as stop:  # click's answer to a reader that went away
        if isinstance(stop.__context__, BrokenPipeError):
            raise stop.__context__ from None
        raise
    except Exception as error:
        # click's own errors; its module is typer's affair
        if not hasattr(error, "format_message"):
            raise
        if type(error).__name__ == "NoArgsIsHelpError":
            echo(error.format_message(), err=True)
            return 2
        if not hasattr(error, "ctx"):
            raise InputError(error.format_message()) from None
        raise InputError(explain_usage(error)) from None
    signum = interrupts.received()
    if code == Interrupted().exit_code and signum is not None:
        raise interrupts.interrupted(signum)
    return code
