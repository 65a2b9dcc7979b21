"""The commands: each parses its words, imports what it needs and calls one function."""

import importlib
import itertools
import re
from collections.abc import Sequence
from contextlib import nullcontext
from functools import cache
from typing import Annotated, Any

import typer

import mnistlab
from mnistlab.cli.options import echo
from mnistlab.console import results_apart
from mnistlab.errors import InputError, Interrupted, interrupted, received_signal

_COMMANDS = {
    "train": "Train a config; leave a run folder with plots.",
    "sweep": "Train many configs together; name the best.",
    "gradcheck": "Prove gradients; say what is wrong with one.",
    "report": "Write a report on runs: a page and a PDF.",
}
"""What each command is called, its module and its function too, and what it does."""

_MAY_BE_EMPTY = ("--author", "--title")

_GROUPS = {"runs": "run_actions", "data": "inputs", "config": "inputs"}
"""Where the groups of commands are made."""


@cache
def make_app(word: str | None = None) -> typer.Typer:
    """Return the command line, with all commands or only the one that is called `word`."""
    app = typer.Typer(
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog="Every command has its own --help. --debug, anywhere, shows the traceback of an "
        "error.",
    )
    app.callback()(_main)
    wanted = {word} & {*_COMMANDS, *_GROUPS} or {*_COMMANDS, *_GROUPS}
    for name, text in _COMMANDS.items():
        if name in wanted:
            command = getattr(importlib.import_module(f"mnistlab.cli.{name}"), name)
            needs_words = name in ("train", "sweep")
            app.command(name, no_args_is_help=needs_words, short_help=text)(command)
    for name, module in _GROUPS.items():
        if name in wanted:
            group = importlib.import_module(f"mnistlab.cli.{module}")
            app.add_typer(getattr(group, f"{name}_app"), name=name)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        echo(f"mnistlab {mnistlab.__version__}")
        raise typer.Exit


def _main(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Train and compare shallow classifiers: a config becomes a run that can be repeated."""


def run(words: Sequence[str]) -> int:
    """Run one command and return its exit code.

    Raises InputError for a wrongly typed one, and Interrupted for a signal: typer turns every
    KeyboardInterrupt, wherever it came, into the code 130.
    """
    for word in words:
        if "\0" in word:  # which only a caller within the process can hand over
            raise InputError(f"{word!r}: no word of a command can hold this character")
    for before, word in itertools.pairwise(("", *words)):
        is_unset = word.startswith("--") and word.endswith("=")
        option = word[:-1] if is_unset else before if before.startswith("--") else "an argument"
        if (is_unset or not word) and option not in _MAY_BE_EMPTY:  # as a path it would be "."
            raise InputError(f"{option} is empty; leave it out, or write its value")
    has_plugin = any(word.startswith("--plugin") for word in words)
    try:
        with results_apart() if has_plugin else nullcontext():
            app = make_app(next(iter(words), None))
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
        raise InputError(_explain_usage(error)) from None
    signum = received_signal()
    if code == Interrupted().exit_code and signum is not None:
        raise interrupted(signum)
    return code


_PLAIN_WORDS = {
    r"is not a valid int\S*( range)?": "is not a whole number",
    r"is not a valid float( range)?": "is not a number",
    r"\S+ is not in the range x>=(\S+)": r"must be at least \1",
    r"\S+ is not in the range (\S+)<=x<=(\S+)": r"must be between \1 and \2",
}
"""What typer says of a number, as a pattern, and how we say it."""


def _explain_usage(error: Any) -> str:
    """Return what is wrong with a wrongly typed command, given click's usage error."""
    command = error.ctx.command_path if error.ctx else "mnistlab"
    message = " ".join(error.format_message().split()).rstrip(".")
    message = f"{message[:1].lower()}{message[1:]}"
    for pattern, plain in _PLAIN_WORDS.items():
        message = re.sub(pattern, plain, message)
    hint, option = "", getattr(error, "option_name", None)
    if option is not None:
        from mnistlab.config.load import valid_keys

        key = option.lstrip("-").replace("-", "_")
        if key in valid_keys():
            hint = f"; a config's key is set by {key}=VALUE, without dashes"
    place = command.removeprefix("mnistlab").strip()
    see = " See" if message.endswith("?") else f"{hint}; see"
    return f"{f'{place}: ' if place else ''}{message}{see} {command} --help"
