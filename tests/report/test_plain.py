"""Text made safe to show: nothing steers a program, and nothing that can be read is lost."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from mnistlab.report.plain import SOFT, breakable, visible

ANY_TEXT = st.text(st.characters(exclude_categories=()))


def test_what_steers_is_written_out():
    assert visible("\x1b[31m\u202e\ud83d\x9b") == "\\x1b[31m\\u202e\\ud83d\\x9b"
    assert visible("\u200b\ufeff\u00ad") == "\\u200b\\ufeff\\xad"


def test_words_are_kept():
    text = "Grüße an 李 und אב: 5 % <b> & 'x'"
    assert visible(text) == text
    assert visible(" a \n\n b\t") == " a b "
    assert visible("a\u00a0b") == "a b"
    assert visible("a\r\u00a0\u3000b") == "a b"


def test_every_space_there_is_counts_as_one():
    spaces = [chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) == "Zs"]
    assert len(spaces) > 10
    assert visible("".join(spaces)) == " "


def test_code_keeps_its_lines():
    code = "def f():\r\n\treturn 1\x1b\n\n    pass"
    assert visible(code, lines=True) == "def f():\n    return 1\\x1b\n\n    pass"


@given(text=ANY_TEXT)
def test_nothing_that_steers_is_left(text):
    shown = visible(text)
    assert all(letter.isprintable() or unicodedata.category(letter) == "Zs" for letter in shown)
    assert visible(shown) == shown
    shown.encode()


def test_long_words_may_be_broken_after_their_marks():
    assert breakable("a short one", 16) == "a short one"
    name = breakable("to 20261123-182052-linear_overflow", 16)
    assert name == f"to 20261123-{SOFT}182052-{SOFT}linear_{SOFT}overflow"


@given(text=ANY_TEXT, longest=st.integers(2, 20))
def test_long_words_lose_nothing_and_have_no_long_part(text, longest):
    shown = visible(text)
    broken = breakable(shown, longest)
    assert broken.replace(SOFT, "") == shown
    parts = [part for word in broken.split(" ") for part in word.split(SOFT)]
    letters = ["".join(a for a in part if not unicodedata.combining(a)) for part in parts]
    assert all(len(part) <= longest + 1 for part in letters)
