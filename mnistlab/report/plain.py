"""Makes any text safe to show: what would steer a reader's program is written out instead."""

import re
import unicodedata

SOFT = "\N{ZERO WIDTH SPACE}"
"""Where a long word may be broken; `visible` leaves none of a text's own."""


_WHITE = re.compile(r"[ \t\n\r\f\v\xa0\u1680\u2000-\u200a\u202f\u205f\u3000]+")
"""ASCII's white space and Unicode's category Zs, the spaces of all widths."""


def visible(text: str, *, lines: bool = False) -> str:
    r"""Return `text` with controls, marks of direction and lone surrogates as `\x1b`, `\u202e`.

    White space becomes single spaces; with `lines`, as code needs it, its lines and indentation
    stay, and a tab becomes four spaces.
    """
    if lines:
        code = text.replace("\r\n", "\n").expandtabs(4)
        return "".join(letter if letter == "\n" else _visible(letter) for letter in code)
    return "".join(map(_visible, _WHITE.sub(" ", text)))


def breakable(text: str, longest: int) -> str:
    """Return `text` with SOFT where its words of more than `longest` letters may be broken.

    That is after each mark, and within a part that is too long itself.
    """
    words = text.split(" ")
    return " ".join(word if len(word) <= longest else _soften(word, longest) for word in words)


def _visible(letter: str) -> str:
    if letter.isprintable():
        return letter
    return " " if unicodedata.category(letter) == "Zs" else repr(letter)[1:-1]


def _soften(word: str, longest: int) -> str:
    softened, since = [], 0
    for letter in word:
        is_mark = not (letter.isalnum() or unicodedata.combining(letter))
        since = 0 if is_mark else since + 1
        softened.append(letter)
        if since == longest:
            since = longest // 2  # the rest of it in shorter parts
            softened.append(SOFT)
        elif is_mark:
            softened.append(SOFT)
    return "".join(softened)
