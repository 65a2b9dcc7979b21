"""Turns a wrongly typed command into one line that says what to type instead."""

from collections.abc import Sequence
from typing import Any

from mnistlab.errors import InputError


def explain(error: Any) -> str:
    """Return what is wrong with a command, given click's usage error."""
    command = error.ctx.command_path if error.ctx else "mnistlab"
    message = " ".join(error.format_message().split()).rstrip(".")
    message = f"{message[:1].lower()}{message[1:]}"
    hint = _hint(getattr(error, "option_name", None))
    place = command.removeprefix("mnistlab").strip()
    return f"{f'{place}: ' if place else ''}{message}{hint}; see {command} --help"


def missing_config(command: str, words: Sequence[str]) -> InputError:
    """Return what to say of a command that was given neither --config nor --resume."""
    files = [word for word in words if word.endswith((".yaml", ".yml"))]
    hint = f"; did you mean --config {files[0]}?" if files else ""
    return InputError(
        f"{command}: missing option '--config' / '-c'{hint}; see mnistlab {command} --help"
    )


def _hint(option: str | None) -> str:
    if option is not None:
        from mnistlab.config.load import valid_keys

        key = option.lstrip("-").replace("-", "_")
        if key in valid_keys():
            return f"; a config's key is set by {key}=VALUE, without dashes"
    return ""
