"""Turns a wrongly typed command into one line that says what to type instead."""

from collections.abc import Sequence
from typing import Any


def explain(error: Any, words: Sequence[str]) -> str:
    """Return what is wrong with the command `words`, given click's usage error."""
    command = error.ctx.command_path if error.ctx else "mnistlab"
    message = " ".join(error.format_message().split()).rstrip(".")
    message = f"{message[:1].lower()}{message[1:]}"
    hint = _hint(getattr(error, "option_name", None), message, words)
    place = command.removeprefix("mnistlab").strip()
    return f"{f'{place}: ' if place else ''}{message}{hint}; see {command} --help"


def _hint(option: str | None, message: str, words: Sequence[str]) -> str:
    files = [word for word in words if word.endswith((".yaml", ".yml"))]
    if "--config" in message and message.startswith("missing") and files:
        return f"; did you mean --config {files[0]}?"
    if option is not None:
        from mnistlab.config.load import valid_keys

        key = option.lstrip("-").replace("-", "_")
        if key in valid_keys():
            return f"; a config's key is set by {key}=VALUE, without dashes"
    return ""
