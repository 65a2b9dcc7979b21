"""Reads and applies a filter such as `learning_rate > 0.01 and validation.loss < 0.4`.

    filter      any ("or" any)*            any         each ("and" each)*
    each        "not" each | "(" filter ")" | comparison
    comparison  key ("=" "==" "!=" "<" "<=" ">" ">=") value
                key "in" "(" value ("," value)* ")"    key "contains" value

A value is a number, 85% for 0.85, true, false, null, 'quoted' or "quoted" text, or a bare word.
A run without the key meets no comparison with a value, `!=` included; `key = null` is met by just
those runs, `key != null` by the others. Times are text, whose order is theirs while the time zone
stays. The text is parsed, never evaluated.
"""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

from mnistlab.errors import InputError, shown

MAX_LENGTH = 2000
MAX_DEPTH = 50

Test = Callable[[Mapping[str, Any]], bool]


@dataclass(frozen=True)
class Filter:
    """A condition on a run's facts, and the keys that it names with their positions."""

    keys: Mapping[str, int]
    _test: Test

    def matches(self, facts: Mapping[str, Any]) -> bool:
        """Return whether a run meets the condition.

        Raises InputError where values of two kinds have no order, or a list is compared whole.
        """
        return self._test(facts)


def parse(text: str) -> Filter:
    """Return the filter that a text stands for; raise InputError with position and remedy."""
    if len(text) > MAX_LENGTH:
        raise InputError(f"filter: is longer than {MAX_LENGTH:,} characters")
    parser = _Parser(_tokens(text))
    return Filter(parser.keys, parser.whole())


class _Token(NamedTuple):
    """A piece of a filter: its kind (word, text, operator, end), and its position from 1."""

    kind: str
    text: str
    position: int

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else shown(repr(self.text))


_PIECE = re.compile(
    r"""\s*(?:
        (?P<operator> == | != | <= | >= | [=<>(),] )
      | (?P<text> '[^']*' | "[^"]*" )
      | (?P<word> [^\s=!<>(),'"\x00-\x1f\x7f]+ )
      | (?P<end> \Z )
    )""",
    re.VERBOSE,
)
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_PERCENT = re.compile(r"([+-]?(?:\d+(?:\.\d*)?|\.\d+))%", re.ASCII)
_CONSTANTS = {"true": True, "false": False, "null": None}
_RESERVED = frozenset({"and", "or", "not", "in", "contains", *_CONSTANTS})
_EQUALITY: Mapping[str, bool] = {"=": True, "==": True, "!=": False}
_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    place = 0
    while not tokens or tokens[-1].kind != "end":
        match = _PIECE.match(text, place)
        if match is None or match.lastgroup is None:
            start = place + len(text[place:]) - len(text[place:].lstrip())
            character = text[start]
            if character in "'\"":
                raise InputError(
                    f"filter, position {start + 1}: the quote {character} is not closed"
                )
            hint = "; unequal is written !=" if character == "!" else ""
            raise InputError(f"filter, position {start + 1}: {character!r} has no place here{hint}")
        kind = match.lastgroup
        tokens.append(_Token(kind, match[kind], match.start(kind) + 1))
        place = match.end()
    return tokens


class _Parser:
    """Reads tokens from first to last, each rule of the grammar in a method of its own."""

    def __init__(self, tokens: list[_Token]) -> None:
        self.keys: dict[str, int] = {}
        self._tokens = tokens
        self._next = 0
        self._depth = 0

    def whole(self) -> Test:
        test = self._any()
        if self._token.kind != "end":
            self._fail("'and', 'or' or the end")
        return test

    def _any(self) -> Test:
        tests = [self._all()]
        while self._takes("or"):
            tests.append(self._all())
        return tests[0] if len(tests) == 1 else lambda facts: any(test(facts) for test in tests)

    def _all(self) -> Test:
        tests = [self._each()]
        while self._takes("and"):
            tests.append(self._each())
        return tests[0] if len(tests) == 1 else lambda facts: all(test(facts) for test in tests)

    def _each(self) -> Test:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise InputError(
                f"filter, position {self._token.position}: nested deeper than {MAX_DEPTH} levels"
            )
        if self._takes("not"):
            inner = self._each()
            test: Test = lambda facts: not inner(facts)  # noqa: E731 - one of three forms
        elif self._takes("("):
            test = self._any()
            self._expect(")")
        else:
            test = self._comparison()
        self._depth -= 1
        return test

    def _comparison(self) -> Test:
        token = self._token
        if token.kind != "word" or token.text in _RESERVED or not _KEY.fullmatch(token.text):
            self._fail("a key, such as learning_rate")
        key = token.text
        self.keys.setdefault(key, token.position)
        self._next += 1
        sign = self._token
        if self._takes("in"):
            return _is_one_of(key, self._values(), sign.position)
        if self._takes("contains"):
            return _contains(key, self._value(), sign.position)
        if sign.kind != "operator" or sign.text not in {*_EQUALITY, *_ORDER}:
            self._fail(f"=, !=, <, <=, >, >=, in or contains after {key}")
        self._next += 1
        value = self._value()
        if sign.text in _EQUALITY:
            return _is_equal(key, value, _EQUALITY[sign.text], sign.position)
        if value is None or isinstance(value, bool):
            raise InputError(
                f"filter, position {sign.position}: true, false and null have no order; use = or !="
            )
        return _is_ordered(key, value, sign)

    def _values(self) -> list[Any]:
        self._expect("(")
        values = [self._value()]
        while self._takes(","):
            values.append(self._value())
        self._expect(")")
        return values

    def _value(self) -> Any:
        token = self._token
        if token.kind == "text":
            self._next += 1
            return token.text[1:-1]
        if token.kind != "word" or token.text in _RESERVED - _CONSTANTS.keys():
            self._fail("a value: a number, a word, 'text', true, false or null")
        self._next += 1
        if token.text in _CONSTANTS:
            return _CONSTANTS[token.text]
        if _NUMBER.fullmatch(token.text):
            whole = token.text.lstrip("+-").isdecimal()
            return int(token.text) if whole else float(token.text)
        if percent := _PERCENT.fullmatch(token.text):
            return float(f"{percent[1]}e-2")  # rounded once, as 0.583 is
        return token.text

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _takes(self, text: str) -> bool:
        """Step over a word or a sign if it is the next; quoted it is neither."""
        taken = self._token.kind in ("word", "operator") and self._token.text == text
        self._next += taken
        return taken

    def _expect(self, sign: str) -> None:
        if not self._takes(sign):
            self._fail(repr(sign))

    def _fail(self, expected: str) -> NoReturn:
        token = self._token
        raise InputError(
            f"filter, position {token.position}: expected {expected}, but here is {token}"
        )


def _is_equal(key: str, value: Any, wanted: bool, position: int) -> Test:
    if value is None:
        return lambda facts: (facts.get(key) is None) == wanted

    def test(facts: Mapping[str, Any]) -> bool:
        fact = facts.get(key)
        return fact is not None and _same(key, fact, value, position) == wanted

    return test


def _is_one_of(key: str, values: list[Any], position: int) -> Test:
    def test(facts: Mapping[str, Any]) -> bool:
        fact = facts.get(key)
        if fact is None:
            return None in values
        return any(_same(key, fact, value, position) for value in values if value is not None)

    return test


def _contains(key: str, value: Any, position: int) -> Test:
    if value is None:
        raise InputError(f"filter, position {position}: nothing contains null")

    def test(facts: Mapping[str, Any]) -> bool:
        fact = facts.get(key)
        if isinstance(fact, list):
            return any(_kind(item) == _kind(value) and item == value for item in fact)
        if isinstance(fact, str) or fact is None:
            return fact is not None and str(value) in fact
        raise InputError(
            f"filter, position {position}: {key} is {_kind(fact)}, which contains nothing; use ="
        )

    return test


def _is_ordered(key: str, value: Any, sign: _Token) -> Test:
    compare = _ORDER[sign.text]

    def test(facts: Mapping[str, Any]) -> bool:
        fact = facts.get(key)
        if fact is None:
            return False
        if _kind(fact) != _kind(value):
            hint = f"; as text it is '{value}'" if isinstance(fact, str) else ""
            raise InputError(
                f"filter, position {sign.position}: {key} is {_kind(fact)}, which has no order "
                f"with {_kind(value)}{hint}"
            )
        return compare(fact, value)

    return test


def _same(key: str, fact: Any, value: Any, position: int) -> bool:
    """Return whether two values are equal; 1 and 1.0 are, 1 and true or '1' are not."""
    if isinstance(fact, list):
        raise InputError(
            f"filter, position {position}: {key} is a list; write {key} contains VALUE"
        )
    return _kind(fact) == _kind(value) and bool(fact == value)


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    return "text" if isinstance(value, str) else "a list"
