"""What config files and the words of a command line say: plain data from YAML, read strictly.

Plain data only, no duplicate keys, and the line of every key. The scalars are those of YAML 1.2:
`1e-3` is a number, `no` is text. Tags, anchors' aliases, deep nesting and large files have no use
in a config and are refused, so that nothing but plain data can come out and nothing can take long.
"""

import codecs
import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

import mnistlab
from mnistlab.errors import ConfigError, shown, suggest

MAX_BYTES = 64 * 1024
MAX_SWEEP_BYTES = 1024 * 1024  # lists of values are longer than configs
MAX_DEPTH = 8
BYTES_A_NODE = 20  # a config has some dozens of keys and values
MAX_NODES = 50_000  # what a sweep with lists of values may have
MAX_KEY = 100  # letters

KeyPath = tuple[str, ...]
Origins = dict[KeyPath, str]
"""Where each key's value is from: a file and line, or a word on the command line."""

_PARSERS: Sequence[Any] = (getattr(yaml, "CSafeLoader", yaml.SafeLoader), yaml.SafeLoader)
"""Yield the events of YAML text. The one in C is ten times as fast; what it refuses is left to the
other, which also reads the escaped bytes of a file name that is no text."""


class _Dumper(yaml.SafeDumper):
    """Quotes just the texts that would be read as something else."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own class attribute


_FLOAT = r"[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
_SCALARS: Sequence[tuple[str, str, Sequence[str], Callable[[str], Any]]] = (
    ("null", r"|~|null|Null|NULL", ["", "~", "n", "N"], lambda _: None),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF"), lambda text: text[0] in "tT"),
    ("int", r"[-+]?[0-9]+", list("-+0123456789"), int),
    ("float", _FLOAT, list("-+.0123456789"), lambda text: float(re.sub(r"\.(?=[inIN])", "", text))),
)
"""Which plain texts are no text: a name of YAML's, a pattern, their first letters, their value."""

_VALUES = [
    (re.compile(rf"(?:{pattern})", re.ASCII), convert) for _, pattern, _, convert in _SCALARS
]
for _name, _pattern, _first, _ in _SCALARS:
    _Dumper.add_implicit_resolver(
        f"tag:yaml.org,2002:{_name}", re.compile(rf"^(?:{_pattern})$", re.ASCII), _first
    )


_NOT_PLAIN = ("'", '"', "[", "{", "&", "*", "!", "|", ">", "%", "@", "`")
"""What begins a value that is no plain text."""

_LEADING_ZERO = re.compile(r"[-+]?0\d")
"""007 is a slip, the rest of a decimal comma (0,001) or a text; YAML 1.1 reads 010 as 8."""


def read_file(path: Path, max_bytes: int = MAX_BYTES) -> tuple[dict[str, Any], Origins]:
    """Return a YAML file's mapping and where each key stands; raise ConfigError naming both."""
    where = shown(path)
    text = read_text(path, max_bytes, "so it is no config")
    try:
        data, origins = _parse(text, where, min(MAX_NODES, max_bytes // BYTES_A_NODE))
        if data is None:
            raise ConfigError(f"{where}: is empty; it needs at least one `key: value`")
        if not isinstance(data, dict):
            raise ConfigError(f"{where}, line 1: must be a mapping of `key: value` lines")
    except ConfigError as error:
        before, mark, _ = text.partition("\N{NO-BREAK SPACE}")
        if not mark:
            raise
        line = before.count("\n") + 1
        hint = f"line {line} has a non-breaking space (U+00A0), so write a plain one"
        raise ConfigError(f"{error}; {hint}") from None
    return data, origins


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
    anything else, a document's marks.
    """
    if "#" in text and not text.lstrip().startswith(_NOT_PLAIN):
        return text.strip()
    if text.lstrip().startswith(("---", "...", "%")):
        raise ConfigError(f"{where}: {shown(text)}: is a mark of YAML; put a text in quotes")
    value, before = _parse(text, where)[0], text.rpartition("#")[0]
    try:
        is_comment = bool(before) and repr(_parse(before, where)[0]) == repr(value)
    except ConfigError:
        is_comment = False
    if is_comment:
        raise ConfigError(
            f"{where}: {shown(text)}: what follows ' #' is a comment; put it in quotes"
        )
    return value


def shorten(text: str) -> str:
    """Return `text` cut for a message: to 60 letters, or to 20 if some of them need an escape."""
    most = 60 if text.isprintable() else 20
    return text if len(text) <= most else f"{text[:most]}…"


FUNCTION_NAMES = (
    "range",
    "linspace",
    "logspace",
    "choice",
    "uniform",
    "log_uniform",
    "int_uniform",
)
"""What `mnistlab sweep` reads as `name(...)` and every other command refers to it."""


def split_word(word: str) -> tuple[str, str]:
    """Return the key and the value's text of a word `key=value`; raise ConfigError without one."""
    shown = repr(shorten(word))
    if not word.isprintable():
        raise ConfigError(f"{shown}: an override must be plain text")
    key, equals, value = word.partition("=")
    if not equals or not key.strip():
        is_config = word.endswith((".yaml", ".yml"))
        hint = f"; a config file is given as --config {word}" if is_config else ""
        raise ConfigError(f"{shown}: an override is written key=value{hint}")
    if len(key) > MAX_KEY:
        raise ConfigError(f"{shown}: a key has {MAX_KEY} letters at most")
    return key.strip(), value


def split_values(value: str) -> list[str]:
    """Return the pieces of a text between the commas outside all brackets and quotes."""
    pieces, depth, quote = [""], 0, ""
    for character in value:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "[{(":
            depth += 1
        elif character in "]})":
            depth -= 1
        elif character == "," and depth == 0:
            pieces.append("")
            continue
        pieces[-1] += character
    return pieces


def dump(data: Any, *, flow: bool | None = None) -> str:
    """Return plain data as ASCII YAML that reads back to the same data, keys in their order."""
    return yaml.dump(
        data, Dumper=_Dumper, sort_keys=False, allow_unicode=False, default_flow_style=flow
    )


def _parse(text: str, where: str, max_nodes: int = MAX_NODES) -> tuple[Any, Origins]:
    for parser in _PARSERS:
        reading = _Reading(yaml.parse(text, Loader=parser), where, max_nodes)
        try:
            return reading.document(), reading.origins
        except (yaml.YAMLError, UnicodeEncodeError) as error:
            problem = error
    raise _in_words(problem, where)


def _in_words(error: Exception, where: str) -> ConfigError:
    """Return what PyYAML found wrong, with the line where it knows it."""
    if not isinstance(error, yaml.MarkedYAMLError):  # a character that YAML does not allow
        message = str(error).splitlines()[0]
        return ConfigError(f"{where}: is not valid YAML: {shown(message)}")
    mark = error.problem_mark or error.context_mark
    problem = error.problem or "cannot be read"
    if error.context == "while scanning a simple key" and error.context_mark:
        # PyYAML finds out a line later
        mark, problem = error.context_mark, "a key without ': ' after it"
    place = f"{where}, line {mark.line + 1}" if mark else where
    if "'\\t'" in problem:
        problem = "a tab; indent with spaces"
    return ConfigError(f"{place}: is not valid YAML: {shown(problem)}")


class _Reading:
    """Makes plain data of the events of one text; `origins` says where each key stands."""

    def __init__(self, events: Iterator[Any], where: str, max_nodes: int) -> None:
        self.origins: Origins = {}
        self._events = events
        self._where, self._left, self._max_nodes = where, max_nodes, max_nodes

    def document(self) -> Any:
        """Return the value of the one document, None where there is none."""
        value = None
        for number, event in enumerate(self._events):
            if isinstance(event, yaml.DocumentStartEvent):
                if number > 1:
                    raise self._error(event, "is not valid YAML: a second document (---)")
                value = self._value(next(self._events), (), 1)
        return value

    def _value(self, event: Any, path: KeyPath, depth: int) -> Any:
        """Return the plain value that begins with an event."""
        self._check(event, depth)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if isinstance(event, yaml.SequenceStartEvent):
            return [
                self._value(item, path, depth + 1) for item in self._until(yaml.SequenceEndEvent)
            ]
        mapping: dict[str, Any] = {}
        for at in self._until(yaml.MappingEndEvent):
            key = self._key(at, depth + 1)
            if key in mapping:
                first = self.origins[*path, key].removeprefix(f"{self._where}, ")
                raise self._error(at, f"{key!r} stands here again (first in {first})")
            self.origins[*path, key] = self._place(at)
            mapping[key] = self._value(next(self._events), (*path, key), depth + 1)
        return mapping

    def _until(self, end: type) -> Iterator[Any]:
        """Yield the events that begin the items of a list or mapping."""
        while not isinstance(event := next(self._events), end):
            yield event

    def _key(self, event: Any, depth: int) -> str:
        """Return the key of a mapping that an event is."""
        self._check(event, depth)
        if not isinstance(event, yaml.ScalarEvent):
            raise self._error(event, "a key must be plain text")
        key = str(event.value)
        if key == "<<":
            raise self._error(event, "merge keys are not allowed (<<)")
        if not key.isprintable() or len(key) > MAX_KEY:
            problem = f"a key must be plain text of {MAX_KEY} letters at most"
            raise self._error(event, problem)
        return key

    def _check(self, event: Any, depth: int) -> None:
        """Raise ConfigError for what has no use in plain data, and for too much of it."""
        anchor, tag = getattr(event, "anchor", None), getattr(event, "tag", None)
        if isinstance(event, yaml.AliasEvent):
            problem = f"aliases are not allowed (*{shown(anchor)}); write the value itself"
            raise self._error(event, problem)
        if tag is not None:
            raise self._error(event, f"tags are not allowed ({shown(tag)})")
        if anchor is not None:
            problem = f"anchors and aliases are not allowed (&{shown(anchor)}); quote a text"
            raise self._error(event, problem)
        self._left -= 1
        if self._left < 0:
            raise self._error(event, f"more than {self._max_nodes:,} keys and values")
        if depth > MAX_DEPTH:
            raise self._error(event, f"nested deeper than {MAX_DEPTH} levels")

    def _scalar(self, event: Any) -> Any:
        """Return the number, truth value, null or text that a scalar is."""
        text = event.value
        if not event.implicit[0]:  # in quotes
            return text
        for pattern, convert in _VALUES:
            if not pattern.fullmatch(text):
                continue
            if _LEADING_ZERO.match(text):
                problem = (
                    f"{shown(text)}: a number has no leading zeros; a decimal point is written "
                    "'.', not ',', and a text in quotes"
                )
                raise self._error(event, problem)
            try:
                return convert(text)
            except ValueError:  # Python refuses to convert numbers of thousands of digits
                raise self._error(event, "this number is too long") from None
        return text

    def _error(self, at: Any, problem: str) -> ConfigError:
        return ConfigError(f"{self._place(at)}: {problem}")

    def _place(self, at: Any) -> str:
        return f"{self._where}, line {at.start_mark.line + 1}"


_SUFFIXES = ("", ".yaml", ".yml")


def shipped_configs() -> dict[str, Path]:
    """Return the path of every shipped config by its name, `linear` or `sweeps/assignment`."""
    package = Path(mnistlab.__file__).parent
    # beside the package in a checkout, inside it where it is installed
    place = next(
        (one for one in (package.parent / "configs", package / "configs") if one.is_dir()), package
    )
    return configs_in(place)


def configs_in(folder: Path) -> dict[str, Path]:
    """Return the configs in a folder and its subfolder `sweeps` by their names."""
    files = sorted(folder.glob("*.yaml")) + sorted(folder.glob("sweeps/*.yaml"))
    return {file.relative_to(folder).with_suffix("").as_posix(): file for file in files}


def find_config(path: Path) -> Path:
    """Return `path` if there is such a file, else the shipped config that it names.

    `linear` and `configs/linear.yaml` name the same one; the folder `sweeps` may be left out where
    no other config has the name. Raises ConfigError for a bare name that stands for neither, and
    for a folder.
    """
    if path.is_file() or path.suffix not in _SUFFIXES:
        return path
    if not path.name:
        raise ConfigError(f"{shown(path)}: is a folder, not a config file")
    known = shipped_configs()
    name = path.with_suffix("").as_posix().removeprefix("configs/")
    found = known.get(name, known.get(f"sweeps/{name}"))
    if found is not None:
        return found
    if path.is_dir():
        raise ConfigError(f"{shown(path)}: is a folder, not a config file")
    if path.suffix or "/" in str(path):
        return path  # whoever reads it says that it is not there
    short = {one.removeprefix("sweeps/"): None for one in known}
    raise ConfigError(
        f"{shown(path)}: there is no such file, and no shipped config of this name"
        f"{suggest(name, short)}"
    )


def describe_config(file: Path) -> str:
    """Return the first sentence of the comment that a config begins with, "" without one."""
    lines = []
    for line in file.read_text("utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# "))
    sentence, stop, _ = " ".join(lines).partition(". ")
    return f"{sentence}." if stop else sentence
