"""Whatever bytes a file holds, it is read or refused in a sentence, soon and in little memory.

The long form, guided by what the inputs reach, is tests/stress/fuzzing.py.
"""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mnistlab.errors import ConfigError, MnistlabError
from tests.fuzz.limits import BYTES, SECONDS, TookTooLong, limits
from tests.fuzz.targets import TARGETS, BadMessageError, Target, attempt, check_message

FOUND = Path(__file__).parent / "found"

# What hangs is found here; a second an input, which a busy machine or the measuring of coverage
# would stretch, is for the long form.
_PATIENCE = 20.0

PIECES = [
    *("\n", "\r\n", "\t", " ", "  ", ": ", ":", "- ", "? ", ",", "=", "{", "}", "[", "]", "(", ")"),
    *(
        "'",
        '"',
        "|",
        ">",
        "#",
        "---\n",
        "...\n",
        "%YAML 1.1\n",
        "!!python/object:os.system ",
        "!<x>",
    ),
    *("!%1b%0a", "&a ", "*a", "<<: ", "null", "true", "yes", ".nan", "-.inf", "1e999", "0x10"),
    *("9" * 30, "1" * 5000, "-0", "1_0", "\x1b[31m", "\x07", "\0", "\x85", "\u2028", "\u202e"),
    *("\ufeff", "\ud7ff", "\U0001f600", "ÿ", "é", '"\\x1b"', '"\\n"', "x" * 300),
    *("learning_rate", "epochs", "data", "dataset", "preprocess", "validation", "name", "model"),
    *("base", "parameters", "trials", "zip", "metric", "method", "values", "min", "max", "seeds"),
    *("range(", "linspace(", "logspace(", "choice(", "uniform(0,1)", "log_uniform(", "@a.csv"),
    *("deskew", "linear", "mnist", "../../x", "/dev/zero", "~", "~nobody-at-all/x", "random"),
    *("and", "or", "not", "in", "contains", "<", "<=", "!=", "==", "status", "epoch", "step"),
]

text = st.lists(st.sampled_from(PIECES), max_size=25).map(
    lambda pieces: "".join(pieces).encode("utf-8", "surrogatepass")
)
nested = st.builds(
    lambda opening, times, inner: (opening * times + inner).encode(),
    st.sampled_from(["[", "{", "(", "- ", "? ", "{a: ", "[[", '{"a":', "not ", "a:\n ", "'", "-"]),
    st.sampled_from([1, 7, 60, 1500]),
    st.sampled_from(["", "1", "a", "]" * 60, "}" * 60]),
)


@st.composite
def mutated(draw, seeds):
    """Draw a valid input with bytes changed, cut out, put in and said again."""
    content = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.sampled_from([0, 1, 1, 2, 4, 30])))
        new = draw(
            st.one_of(
                st.binary(max_size=4),
                st.sampled_from([piece.encode("utf-8", "surrogatepass") for piece in PIECES]),
                st.just(bytes(content[start:end]) * 20),
            )
        )
        content[start:end] = new
    return bytes(content)


@pytest.mark.parametrize("name", TARGETS)
def test_any_bytes_are_read_or_refused_in_a_sentence(name, tmp_path):
    target = TARGETS[name]
    inputs = st.one_of(mutated(target.seeds), mutated(target.seeds), text, nested, st.binary())

    @settings(
        max_examples=40,
        suppress_health_check=list(HealthCheck),
        database=None,  # what is found belongs into tests/fuzz/found
    )
    @given(inputs)
    def fuzz(content):
        check(target, content, tmp_path)

    fuzz()


def check(target, content, folder):
    """Have a target read `content` within the limits; what goes wrong is told in plain letters.

    Letters that are none, which errors here are full of, could not be handed on by the process
    that a test runs in.
    """
    try:
        with limits(_PATIENCE):
            attempt(target, content, folder)
    except (Exception, TookTooLong) as error:
        told = ascii(f"{type(error).__name__}: {error}")[:1000]
        raise AssertionError(f"{told} for {content[:500]!r}") from None


@pytest.mark.parametrize("name", TARGETS)
def test_the_inputs_to_begin_with_are_read(name, tmp_path):
    """Else the mutations of them would reach little."""
    target = TARGETS[name]
    target.read(target.seeds[0], tmp_path)
    for seed in target.seeds:
        assert len(seed) <= target.longest
        check(target, seed, tmp_path)


KNOWN = sorted(path for path in FOUND.rglob("*") if path.is_file())


@pytest.mark.parametrize("path", KNOWN, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_was_found_once_stays_mended(path, tmp_path):
    names = {name.replace(" ", "-").replace(":", ""): name for name in TARGETS}
    check(TARGETS[names[path.parent.name]], path.read_bytes(), tmp_path)


def raising(error: BaseException) -> Target:
    def read(content, folder):  # noqa: ARG001 - what every target takes
        raise error

    return Target(read, (b"",))


@pytest.mark.parametrize(
    "message",
    ["", " ", "two\nlines", "a\x1b[31m", "a\rb", "\u2028", "\u202egnp", "\udc80", "x" * 601],
)
def test_a_message_that_is_no_sentence_is_seen(message, tmp_path):
    with pytest.raises(BadMessageError):
        attempt(raising(ConfigError(message)), b"", tmp_path)


@pytest.mark.parametrize(
    "error", [ValueError("x"), OSError(1, "x"), RecursionError(), MemoryError(), KeyError("x")]
)
def test_an_error_that_is_not_ours_is_seen(error, tmp_path):
    with pytest.raises(type(error)):
        attempt(raising(error), b"", tmp_path)


def test_a_sentence_of_ours_is_fine(tmp_path):
    attempt(raising(MnistlabError("x: is wrong, do y")), b"", tmp_path)
    check_message("é: is wrong")


def test_what_takes_too_long_is_seen():
    with pytest.raises(TookTooLong), limits():
        _calculate_for_ever()


def _calculate_for_ever():
    while True:
        try:
            sum(range(1000))
        except Exception:  # noqa: S112 - as some code does
            continue


def test_what_takes_too_much_memory_is_seen():
    with pytest.raises(MemoryError), limits():
        bytearray(2 * BYTES)
    with limits():
        bytearray(BYTES // 2)
    bytearray(2 * BYTES)  # outside the limit it may
    assert SECONDS == 1
