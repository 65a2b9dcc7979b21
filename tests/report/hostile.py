"""Texts that try to become something else: markup, code, commands to a terminal, another layout.

`HOSTILE` holds them all; each is to be shown as the text that it is, wherever a user may write.
"""

import json
from pathlib import Path

_SIZES = ("x" * 10_000, "word " * 2_000, "(" * 500, "<div>" * 300, "[" * 300, "\\" * 300)

HOSTILE = (*json.loads(Path(__file__).with_name("hostile.json").read_text()), *_SIZES)
"""At least 200 texts."""

assert len(set(HOSTILE)) >= 200
