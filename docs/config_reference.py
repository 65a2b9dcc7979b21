"""Writes the reference of a config's keys from the schema that checks them."""

from collections.abc import Mapping
from typing import Any

from mnistlab.config.schema import config_type

PLACE = "<!-- the keys, from the schema -->"
"""What a page has in place of the reference."""

_TYPES = {
    "string": "text",
    "number": "number",
    "integer": "whole number",
    "array": "list",
    "null": "null",
}
_LARGE = {2**63: "2⁶³", 10**9: "10⁹"}
_BOUNDS = (
    (("minimum", "ge"), "at least"),
    (("exclusiveMinimum", "gt"), "above"),
    (("maximum", "le"), "at most"),
    (("exclusiveMaximum", "lt"), "below"),
)


def config_reference() -> str:
    """Return the keys as a definition list in Markdown: type, bounds, default, names, meaning."""
    schema = config_type().model_json_schema()
    nested = schema["properties"]["data"]["$ref"].rpartition("/")[2]
    keys = {key: one for key, one in schema["properties"].items() if key != "data"}
    inside = schema["$defs"][nested]["properties"]
    parts = ["### Keys at the top", *(_entry(key, one) for key, one in keys.items())]
    parts += ["### Keys of `data`", *(_entry(f"data.{key}", one) for key, one in inside.items())]
    return "\n\n".join(parts)


def _entry(key: str, described: Mapping[str, Any]) -> str:
    """Return a key with what can be its value, and what it means."""
    choices = [described, *described.get("anyOf", ())]
    types = [one["type"] for one in choices if "type" in one]
    if "number" in types and "integer" in types:
        types.remove("integer")
    allowed = ", ".join(
        [
            " or ".join(dict.fromkeys(_TYPES[one] for one in types if one != "null")),
            *(
                f"{word} {_LARGE.get(bound, bound)}"
                for names, word in _BOUNDS
                for bound in {one[name] for one in choices for name in names if name in one}
            ),
        ]
    )
    names = next((one["enum"] for one in choices if "enum" in one), [])
    if names:
        allowed = f"one of {', '.join(f'`{name}`' for name in names)}"
    default = described["default"]
    usual = "none" if default is None else f"`{default}`"
    meaning = described["description"]
    return f"`{key}`\n: {meaning} {allowed[0].upper()}{allowed[1:]}. Default: {usual}."
