"""Chooses runs by filters, such as `learning_rate > 0.01 and model = linear`, and sorts them.

A filter joins comparisons by `and`, `or`, `not` and parentheses. A comparison is a key, one of
`=`, `==`, `!=`, `<`, `<=`, `>`, `>=`, `contains`, and a value, or `KEY in (VALUE, VALUE)`. A value
is a number, 85% for 0.85, true, false, null, 'quoted' or "quoted" text, or a bare word.

A run without the key meets no comparison with a value, `!=` included; `key = null` is met by just
those runs, `key != null` by the others. Times are text, whose order is theirs while the time zone
stays. The tokens are translated into Python's grammar, one a line, and parsed by `ast`; the tree is
walked and never run.
"""

import ast
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mnistlab.errors import InputError, UnknownNameError, shown, suggest
from mnistlab.run_folders import folder
from mnistlab.store.facts import REFUSED, RESULT_KEYS, STATE_KEYS, Facts, is_number

MAX_LENGTH = 2000
MAX_DEPTH = 50
_TOO_DEEP = f"filter: nested deeper than {MAX_DEPTH} levels"
_LISTED = 8  # values that a hint lists

STATUSES = (*folder.STATUSES, "damaged", REFUSED)

Test = Callable[[Mapping[str, Any]], bool]

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<operator> == | != | <= | >= | [=<>(),] )
      | (?P<text> '[^']*' | "[^"]*" )
      | (?P<word> [^\s=!<>(),'"\x00-\x1f\x7f]+ )
      | (?P<wrong> \S )
    )""",
    re.VERBOSE,
)
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_PERCENT = re.compile(r"([+-]?(?:\d+(?:\.\d*)?|\.\d+))%", re.ASCII)
_CONSTANTS = {"true": True, "false": False, "null": None}
_WORDS = {"and": "and", "or": "or", "not": "not", "in": "in", "contains": "is"}
"""The words of the language, and what stands for them in Python's grammar."""

_ORDER: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


@dataclass(frozen=True)
class Filter:
    """A condition on a run's facts; the keys that it names, and what values they shall have.

    `keys` has the position of each. `values` has each key with a value, and whether the key is to
    contain it.
    """

    keys: Mapping[str, int]
    values: Sequence[tuple[str, Any, bool]]
    matches: Test
    """Whether a run's facts meet the condition.

    Raises InputError where values of two kinds have no order, or a list is compared whole.
    """


def parse(text: str) -> Filter:
    """Return the filter that a text stands for; raise InputError with position and remedy."""
    if len(text) > MAX_LENGTH:
        raise InputError(f"filter: is longer than {MAX_LENGTH:,} characters")
    tokens = list(_tokens(text))
    reader = _Reader(tokens, len(text) + 1)
    source = " \\\n".join(token.source for token in tokens)
    try:
        tree = ast.parse(source, mode="eval").body
    except SyntaxError as error:
        raise reader.refusal(error) from None
    except (RecursionError, MemoryError):
        raise InputError(_TOO_DEEP) from None
    test = reader.test(tree)
    return Filter(reader.keys, reader.values, test)


@dataclass(frozen=True)
class _Token:
    """A piece of a filter, its position from 1, and what stands for it in Python's grammar."""

    kind: str
    text: str
    position: int

    @property
    def source(self) -> str:
        if self.kind == "operator":
            return "==" if self.text == "=" else self.text
        return _WORDS.get(self.text, "x") if self.kind == "word" else "x"


def _tokens(text: str) -> Iterator[_Token]:
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or ""
        token = _Token(kind, match[kind], match.start(kind) + 1)
        if kind == "wrong":
            what = f"{token.text!r} has no place here"
            if token.text in "'\"":
                what = f"the quote {token.text} is not closed"
            hint = "; unequal is written !=" if token.text == "!" else ""
            raise InputError(f"filter, position {token.position}: {what}{hint}")
        yield token


class _Reader:
    """Turns the tree of a filter into a test; line N + 1 of its source is token N."""

    def __init__(self, tokens: list[_Token], end: int) -> None:
        self.keys: dict[str, int] = {}
        self.values: list[tuple[str, Any, bool]] = []
        self._tokens = tokens
        self._end = end

    def error(self, at: int, problem: str | None = None) -> InputError:
        """Return the error of the token that does not fit the grammar; -1 stands for the end."""
        position, told = self._end, "it ends too early"
        if 0 <= at < len(self._tokens):
            token = self._tokens[at]
            position = token.position
            told = problem or f"{shown(repr(token.text))} has no place here"
        return InputError(
            f"filter, position {position}: {told}; a filter is written like "
            "learning_rate > 0.01 and (model = linear or epochs in (5, 10))"
        )

    def refusal(self, error: SyntaxError) -> InputError:
        """Return the error of what is not in Python's grammar."""
        if "too many nested" in error.msg:
            return InputError(_TOO_DEEP)
        if not error.lineno or error.offset == 0:
            return self.error(-1)
        two_values = "forgot a comma" in error.msg  # the error then starts at the first of them
        line = error.end_lineno if two_values else error.lineno
        problem = "( is not closed" if "never closed" in error.msg else None
        return self.error((line or 0) - 1, problem)

    def test(self, node: ast.expr, depth: int = 0) -> Test:
        """Return what a part of the tree asks of a run."""
        if depth > MAX_DEPTH:
            raise InputError(_TOO_DEEP)
        match node:
            case ast.BoolOp(op=op, values=values):
                tests = [self.test(value, depth + 1) for value in values]
                joined = all if isinstance(op, ast.And) else any
                return lambda facts: joined(test(facts) for test in tests)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                inner = self.test(operand, depth + 1)
                return lambda facts: not inner(facts)
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return self._comparison(left, op, right)
            case ast.Name(lineno=line):
                raise self.error(line if line < len(self._tokens) else -1)
            case ast.Compare(comparators=[_, second, *_]):
                raise self.error(second.lineno - 2)
            case ast.Tuple(elts=[first, *_]):
                raise self.error(first.end_lineno or 0)
            case _:
                raise self.error(node.lineno - 1)

    def _comparison(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Test:
        key = self._key(left)
        self.keys.setdefault(key, self._tokens[left.lineno - 1].position)
        where = f"filter, position {self._tokens[left.lineno].position}"
        parts = right.elts if isinstance(op, ast.In) and isinstance(right, ast.Tuple) else [right]
        if not parts:
            raise self.error(right.lineno)
        values = [self._value(part) for part in parts]
        self.values += [(key, value, isinstance(op, ast.Is)) for value in values]
        if isinstance(op, ast.Is) and values == [None]:
            raise InputError(f"{where}: nothing contains null")
        if type(op) in _ORDER and (values[0] is None or isinstance(values[0], bool)):
            raise InputError(f"{where}: true, false and null have no order; use = or !=")
        if type(op) not in (ast.Eq, ast.NotEq, ast.In, ast.Is, *_ORDER):
            raise self.error(left.lineno)
        return lambda facts: _meets(facts, key, op, values, where)

    def _key(self, node: ast.expr) -> str:
        token = self._tokens[node.lineno - 1]
        is_word = isinstance(node, ast.Name) and token.kind == "word"
        if not is_word or token.text in _CONSTANTS or not _KEY.fullmatch(token.text):
            raise self.error(node.lineno - 1)
        return token.text

    def _value(self, node: ast.expr) -> Any:
        if not isinstance(node, ast.Name):
            raise self.error(node.lineno - 1)
        token = self._tokens[node.lineno - 1]
        if token.kind == "text":
            return token.text[1:-1]
        if token.text in _CONSTANTS:
            return _CONSTANTS[token.text]
        if _NUMBER.fullmatch(token.text):
            whole = token.text.lstrip("+-").isdecimal()
            return int(token.text) if whole else float(token.text)
        if percent := _PERCENT.fullmatch(token.text):
            return float(f"{percent[1]}e-2")  # rounded once, as 0.583 is
        return token.text


def _meets(
    facts: Mapping[str, Any], key: str, op: ast.cmpop, values: list[Any], where: str
) -> bool:
    """Return whether a fact stands so to a value, or, of `in`, equals one of several."""
    fact = facts.get(key)
    if fact is None:
        return None in values and not isinstance(op, ast.NotEq)
    value, problem = values[0], f"{where}: {key} is {_kind(fact)}"
    if isinstance(op, ast.Is):
        if isinstance(fact, list):
            return _is_among(value, fact)
        if isinstance(fact, str):
            return str(value) in fact
        raise InputError(f"{problem}, which contains nothing; use =")
    if type(op) in _ORDER:
        if _kind(fact) == _kind(value):
            return _ORDER[type(op)](fact, value)
        numbers = [f"{split}.{key}" for split in ("train", "validation", "test")]
        hint = f"; as text it is '{value}'" if isinstance(fact, str) else ""
        if numbers[0] in facts:  # `loss` is the name of one, its values have others
            hint = f"; its values are {', '.join(numbers)}"
        raise InputError(f"{problem}, which has no order with {_kind(value)}{hint}")
    wanted = [one for one in values if one is not None]
    if isinstance(fact, list) and wanted:
        raise InputError(f"{problem}; write {key} contains VALUE")
    return _is_among(fact, wanted) != isinstance(op, ast.NotEq)


def _is_among(value: Any, others: list[Any]) -> bool:
    """Return whether a value equals one of the others: 1 is 1.0, and neither true nor '1'."""
    return any(_kind(value) == _kind(other) and value == other for other in others)


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    return "text" if isinstance(value, str) else "a list"


@dataclass(frozen=True)
class Selection:
    """The runs that were chosen, and why some could not be judged, if any."""

    runs: list[Facts]
    warning: str | None = None


def select(
    runs: Iterable[Facts], condition: Filter | None = None, status: str | None = None
) -> Selection:
    """Return the runs with this status that meet the condition, in their order.

    A run with a value of the wrong kind, as a damaged one may have, is left out. Raises
    InputError if that leaves nothing, for an unknown status, and for an unknown key.
    """
    if status is not None and status not in STATUSES:
        raise UnknownNameError("status", status, STATUSES)
    runs = list(runs)
    if condition is not None:
        for key, position in condition.keys.items():
            check_key(key, runs, f"filter, position {position}")
    chosen, refused = [], []
    for facts in runs:
        is_hurt = status == "damaged" and facts.get("damaged")  # whatever else it is
        if status not in (None, facts["status"]) and not is_hurt:
            continue
        try:
            if condition is None or condition.matches(facts):
                chosen.append(facts)
        except InputError as error:
            refused.append(error)
    if refused and not chosen:
        raise refused[0]
    count = "a run is" if len(refused) == 1 else f"{len(refused):,} runs are"
    return Selection(chosen, f"{count} left out: {refused[0]}" if refused else None)


def explain_no_match(condition: Filter, runs: Sequence[Facts]) -> list[str]:
    """Return what may be wrong with the values of a condition that no run meets."""
    hints = []
    for key, value, is_part in condition.values:
        if key.endswith("accuracy") and is_number(value) and value > 1:
            hints.append(f"{key} lies between 0 and 1: write {value / 100:g} or {value:g}%")
        elif isinstance(value, str | bool) and _is_numeric(key, runs):
            number = re.search(r"[-+]?[0-9.]+(e[-+]?[0-9]+)?", str(value), re.IGNORECASE)
            hints.append(
                f"{key} is a number, and null where there is none: write "
                f"{number[0] if number else 0.01}, several as in (0.01, 0.1)"
            )
        elif isinstance(value, str):
            known = _known_texts(key, runs)
            found = any(value in one for one in known) if is_part else value in known
            if known and not found:
                shown = sorted(known)[:_LISTED]
                more = ", …" if len(known) > _LISTED else ""
                near = suggest(value, known).partition(" (valid")[0]
                hints.append(f"{key}: there is no {value!r}{near} ({', '.join(shown)}{more})")
    return hints


def _is_numeric(key: str, runs: Sequence[Facts]) -> bool:
    """Return whether a key has numbers in these runs and nothing else."""
    values = [run[key] for run in runs if key in run]
    return bool(values) and all(map(is_number, values))


def _known_texts(key: str, runs: Sequence[Facts]) -> set[str]:
    """Return the texts that a key has in these runs, and those that it can have."""
    from mnistlab.config.load import names_for  # noqa: PLC0415 - slow to import

    values = [run.get(key) for run in runs]
    known = {one for value in values for one in (value if isinstance(value, list) else [value])}
    valid = STATUSES if key == "status" else names_for(key)
    return {one for one in known if isinstance(one, str)} | set(valid)


def check_key(key: str, runs: Sequence[Facts], where: str) -> None:
    """Raise InputError, with the nearest valid one, for a key that no run and no config has."""
    if key in STATE_KEYS or key in RESULT_KEYS or any(key in facts for facts in runs):
        return
    from mnistlab.config.load import valid_keys  # noqa: PLC0415 - slow to import

    known = {*STATE_KEYS, *RESULT_KEYS, *valid_keys(), *(key for facts in runs for key in facts)}
    if key not in known:
        raise InputError(f"{where}: unknown key {key!r}{suggest(key, known)}")


def arrange(runs: Iterable[Facts], sort: str | None = None) -> list[Facts]:
    """Return the runs sorted by a key, from the largest with a `-` before it; else newest first.

    `a,-b` sorts by `a`, and by `b` what has the same `a`. Numbers come before text; runs without
    the key, or with no number in it, are last either way. The runs inside a sweep are in the
    order of their numbers. Raises InputError for an unknown key.
    """
    runs = sorted(runs, key=lambda facts: facts["run"], reverse=True)
    if all("/" in facts["run"] for facts in runs):
        runs.sort(key=lambda facts: _number_last(facts["run"]))
    keys = [] if sort is None else [key.strip() for key in sort.split(",")]
    for key in keys:
        check_key(key.removeprefix("-"), runs, "--sort")
    for key in reversed(keys):  # each sorting keeps the order of equals
        name = key.removeprefix("-")
        known: list[Facts] = []
        unknown: list[Facts] = []
        for facts in runs:
            value = facts.get(name)
            is_known = value is not None and value == value  # noqa: PLR0124 - NaN is not
            (known if is_known else unknown).append(facts)
        known.sort(key=lambda facts: _rank(facts[name]), reverse=key.startswith("-"))
        runs = known + unknown
    return runs


def parse_columns(text: str, runs: Sequence[Facts]) -> list[str]:
    """Return the keys that `a,b,c` names; raise InputError for an unknown one or none at all."""
    keys = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not keys:
        raise InputError("--columns: name at least one key, such as run,status,test.accuracy")
    for key in keys:
        check_key(key, runs, "--columns")
    return keys


def _number_last(name: str) -> tuple[bool, int | str]:
    """Return what sorts SWEEP/10 behind SWEEP/9."""
    number = name.rpartition("/")[2]
    return (False, int(number)) if re.fullmatch(r"[0-9]{1,9}", number) else (True, number)


def _rank(value: Any) -> tuple[int, Any]:
    if isinstance(value, int | float):
        return 0, value
    return (1, value) if isinstance(value, str) else (2, list(map(str, value)))
