"""YAML read strictly: plain data only, no duplicate keys, and the line of every key.

The scalars are those of YAML 1.2: `1e-3` is a number, `no` is text. Tags, anchors' aliases,
deep nesting and large files have no use in a config and are refused, so that nothing but
plain data can come out and nothing can take long.
"""

import codecs
import difflib
import itertools
import re
from pathlib import Path
from typing import Any

import yaml

from mnistlab.errors import ConfigError, shown

MAX_BYTES = 64 * 1024
MAX_SWEEP_BYTES = 1024 * 1024  # lists of values are longer than configs
MAX_DEPTH = 8
BYTES_A_NODE = 20  # a config has some dozens of keys and values; 3,000 are read in 0.2 s
MAX_NODES = 50_000  # read in two seconds: what a sweep with lists of values may have
MAX_KEY = 100  # letters

KeyPath = tuple[str, ...]
Lines = dict[KeyPath, int]


class _Loader(yaml.SafeLoader):
    """A loader for plain data only; `where` opens every message."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own class attribute
    where = ""
    depth = 0
    nodes = 0
    max_nodes = MAX_NODES

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            problem = f"aliases are not allowed (*{shown(event.anchor)}); write the value itself"
            raise _error(self.where, event, problem)
        tag = getattr(event, "tag", None)
        if tag is not None and tag != "!":
            raise _error(self.where, event, f"tags are not allowed ({shown(tag)})")
        self.nodes += 1
        if self.nodes > self.max_nodes:
            raise _error(self.where, event, f"more than {self.max_nodes:,} keys and values")
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _error(self.where, event, f"nested deeper than {MAX_DEPTH} levels")
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


class _Dumper(yaml.SafeDumper):
    """Quotes just the texts that `_Loader` would read as something else."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own class attribute


_RESOLVERS = (
    ("null", r"|~|null|Null|NULL", ["", "~", "n", "N"]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
)
for _name, _pattern, _first in _RESOLVERS:
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(
            f"tag:yaml.org,2002:{_name}", re.compile(rf"^(?:{_pattern})$", re.ASCII), _first
        )


_LEADING_ZERO = re.compile(r"[-+]?0\d")
"""007 is a slip, the rest of a decimal comma (0,001) or a text; YAML 1.1 reads 010 as 8."""


def read_file(path: Path, max_bytes: int = MAX_BYTES) -> tuple[dict[str, Any], Lines]:
    """Return a YAML file's mapping and the line of each key; raise ConfigError naming both."""
    where = shown(path)
    text = read_text(path, max_bytes, "so it is no config")
    data, lines = _parse(text, where, min(MAX_NODES, max_bytes // BYTES_A_NODE))
    if data is None:
        raise ConfigError(f"{where}: is empty; it needs at least one `key: value`")
    if not isinstance(data, dict):
        raise ConfigError(f"{where}, line 1: must be a mapping of `key: value` lines")
    return data, lines


def read_text(path: Path, max_bytes: int, too_large: str) -> str:
    """Return a file's UTF-8 text; raise ConfigError that opens with its path."""
    where = shown(path)
    try:
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except FileNotFoundError:
        raise ConfigError(f"{where}: there is no such file{_nearest_file(path)}") from None
    except IsADirectoryError:
        raise ConfigError(f"{where}: is a folder, not a file") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{where}: cannot be read: {reason}") from error
    if len(content) > max_bytes:
        raise ConfigError(f"{where}: larger than {max_bytes // 1024} KB, {too_large}")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ConfigError(f"{where}, line 1: is UTF-16 by its byte order mark; save it as UTF-8")
    content = content.removeprefix(codecs.BOM_UTF8)  # editors and spreadsheets put it first
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ConfigError(f"{where}, line {line}: is not UTF-8 text; save it as UTF-8") from None


def _nearest_file(path: Path) -> str:
    """Return "; did you mean FILE?" for the file of its kind beside `path` that is named alike."""
    kind = path.suffix if path.suffix == ".csv" else ".y*ml"
    beside = [file.name for file in path.parent.glob(f"*{kind}")]
    near = difflib.get_close_matches(path.name, beside, n=1, cutoff=0.6)
    return f"; did you mean {shown(path.with_name(near[0]))}?" if near else ""


def read_value(text: str, where: str) -> Any:
    """Return the value that a piece of YAML like `0.1` or `[deskew]` stands for.

    A `#` in plain text is part of it. Raises ConfigError for what YAML would drop: a comment after
    anything else, an anchor, a document's marks.
    """
    if "#" in text or "&" in text or text.lstrip().startswith(("---", "...", "%")):
        literal = _check_nothing_is_dropped(text, where)
        if literal is not None:
            return literal
    return _parse(text, where)[0]


def _check_nothing_is_dropped(text: str, where: str) -> str | None:
    """Return plain text that a `#` would cut short; raise ConfigError for what YAML drops."""
    try:
        tokens = list(yaml.scan(text, Loader=yaml.SafeLoader))
    except yaml.YAMLError:
        return None  # reading it raises the same, in words
    for token in tokens:
        if isinstance(token, yaml.AnchorToken):
            name = shown(token.value)
            raise ConfigError(
                f"{where}: anchors are not allowed (&{name}); quote a text: '&{name}'"
            )
        if isinstance(token, yaml.DocumentStartToken | yaml.DocumentEndToken | yaml.DirectiveToken):
            raise ConfigError(f"{where}: {shown(text)} is a mark of YAML; put a text in quotes")
    gaps = (
        text[before.end_mark.index : after.start_mark.index]
        for before, after in itertools.pairwise(tokens)
    )
    if not any("#" in gap for gap in gaps):
        return None
    between = tokens[1:-1]
    if not between or (len(between) == 1 and getattr(between[0], "plain", False)):
        return text.strip()
    raise ConfigError(f"{where}: {shown(text)}: what follows ' #' is a comment; put it in quotes")


def dump(data: Any, *, flow: bool | None = None) -> str:
    """Return plain data as ASCII YAML that reads back to the same data, keys in their order."""
    return yaml.dump(
        data, Dumper=_Dumper, sort_keys=False, allow_unicode=False, default_flow_style=flow
    )


def _parse(text: str, where: str, max_nodes: int = MAX_NODES) -> tuple[Any, Lines]:
    lines: Lines = {}
    try:
        loader = _Loader(text)
        loader.where, loader.max_nodes = where, max_nodes
        try:
            node = loader.get_single_node()
            return (None if node is None else _build(loader, node, (), lines)), lines
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or "cannot be read"
        if error.context == "while scanning a simple key" and error.context_mark:
            # PyYAML finds out a line later
            mark, problem = error.context_mark, "a key without ': ' after it"
        place = f"{where}, line {mark.line + 1}" if mark else where
        if "'\\t'" in problem:
            problem = "a tab; indent with spaces"
        raise ConfigError(f"{place}: is not valid YAML: {shown(problem)}") from None
    except yaml.YAMLError as error:  # a character that YAML does not allow
        message = str(error).splitlines()[0]
        raise ConfigError(f"{where}: is not valid YAML: {shown(message)}") from None


def _build(loader: _Loader, node: yaml.Node, path: KeyPath, lines: Lines) -> Any:
    """Return a node's plain value and note in `lines` where each key stands."""
    if isinstance(node, yaml.MappingNode):
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise _error(loader.where, key_node, "a key must be plain text")
            key = str(key_node.value)
            if key == "<<":
                raise _error(loader.where, key_node, "merge keys are not allowed (<<)")
            if not key.isprintable() or len(key) > MAX_KEY:
                problem = f"a key must be plain text of {MAX_KEY} letters at most"
                raise _error(loader.where, key_node, problem)
            if key in mapping:
                first = lines[*path, key]
                raise _error(
                    loader.where, key_node, f"{key!r} stands here again (first in line {first})"
                )
            lines[*path, key] = key_node.start_mark.line + 1
            mapping[key] = _build(loader, value_node, (*path, key), lines)
        return mapping
    if isinstance(node, yaml.SequenceNode):
        return [_build(loader, item, path, lines) for item in node.value]
    if node.tag.endswith((":int", ":float")) and _LEADING_ZERO.match(node.value):
        raise _error(
            loader.where,
            node,
            f"{shown(node.value)}: a number has no leading zeros; a decimal point is written '.', "
            "not ',', and a text in quotes",
        )
    try:
        return loader.construct_object(node)
    except ValueError:  # Python refuses to convert numbers of thousands of digits
        raise _error(loader.where, node, "this number is too long") from None


def _error(where: str, at: Any, problem: str) -> ConfigError:
    return ConfigError(f"{where}, line {at.start_mark.line + 1}: {problem}")
