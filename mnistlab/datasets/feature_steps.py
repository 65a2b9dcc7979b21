"""Steps between pixels and model: each makes features of features, fitted on training rows alone.

The model stays linear, its inputs do not. A step is one small class in `FEATURE_STEPS`; what it
has learned of the training rows, or drawn at random, is a handful of arrays in float32, which a
run keeps. Applied to a row, a step gives the same whatever other rows are beside it.

Shapes: n rows at a time, N training rows, D features before a step and F after it.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from mnistlab.core.registry import Registry
from mnistlab.errors import DataError

Array = NDArray[np.floating]
Arrays = dict[str, NDArray[np.float32]]
Options = Mapping[str, int | float]
Shape = tuple[int, ...]

MOST_FEATURES = 50_000
"""A linear model of ten classes on more would have half a million weights."""


class RowSource(Protocol):
    """The training rows as a step finds them."""

    @property
    def shape(self) -> Shape:
        """The shape of a row: (H, W) for the pixels of an image, else (D,)."""
        ...

    def __len__(self) -> int:
        """Return N."""
        ...

    def blocks(self) -> Iterator[Array]:
        """Yield all rows in order, (n, D) in float32 at a time, each valid until the next."""
        ...

    def take(self, index: NDArray[np.intp]) -> Array:
        """Return some rows, (n, D) in float32."""
        ...


class StepKind(Protocol):
    """What a config names in `features`."""

    summary: str
    """What it does, for the documentation."""

    options: ClassVar[Options]
    """Its options with their usual values; all are positive, and whole where the usual one is."""

    is_random: bool
    """Whether it draws numbers, so that another seed makes other features."""

    is_kept: bool
    """Whether its features are worth keeping, because reading them costs less than they do."""

    version: int
    """Part of what names kept features: raise it whenever the output changes."""

    def count(self, shape: Shape, options: Options) -> int:
        """Return F for rows of a shape; raise DataError for rows that it cannot work on."""
        ...

    def fit(self, rows: RowSource, options: Options, generator: np.random.Generator) -> Arrays:
        """Return what `apply` needs to know, from the training rows."""
        ...

    def apply(self, x: Array, arrays: Arrays, options: Options) -> Array:
        """Return features (n, F) in float32 for rows x (n, D) in float32."""
        ...


FEATURE_STEPS: Registry[StepKind] = Registry("feature step")


@dataclass(frozen=True, eq=False)
class FittedStep:
    """A step with its options and what it has learned; `count` is F."""

    name: str
    options: Options
    arrays: Arrays
    count: int

    def __call__(self, x: Array) -> Array:
        """Return features (n, F) for rows (n, D), both in float32."""
        return FEATURE_STEPS[self.name].apply(x, self.arrays, self.options)


def read_steps(given: Any) -> list[dict[str, dict[str, int | float]]]:
    """Return the steps of a config as `[{name: options}, …]`, with all of their options.

    A step is written as its name or as `{name: {option: value, …}}`. Raises DataError for what is
    neither, for an option that the step does not have, and for a value out of its range.
    """
    if not isinstance(given, list | tuple):
        raise DataError("must be a list of steps, such as [{pca: {components: 40}}]")
    return [_read_step(one) for one in given]


def _read_step(given: Any) -> dict[str, dict[str, int | float]]:
    if isinstance(given, str):
        given = {given: {}}
    if not isinstance(given, Mapping) or len(given) != 1:
        raise DataError(f"a step is its name or {{name: {{option: value}}}}, not {given!r}")
    ((name, options),) = given.items()
    usual = FEATURE_STEPS[str(name)].options
    if not isinstance(options or {}, Mapping):
        raise DataError(f"{name} takes options by name, not {options!r}")
    chosen = dict(options or {})
    if unknown := [key for key in chosen if key not in usual]:
        known = f"it has {', '.join(usual)}" if usual else "it has none"
        raise DataError(f"{name} has no option {unknown[0]!r}; {known}")
    return {
        str(name): {
            key: _read_option(f"{name}.{key}", chosen.get(key, value), value)
            for key, value in usual.items()
        }
    }


def _read_option(label: str, value: Any, usual: int | float) -> int | float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or value <= 0:
        raise DataError(f"{label} must be a number above 0, not {value!r}")
    if isinstance(usual, float):
        return float(value)
    if value != int(value) or value > MOST_FEATURES:
        raise DataError(f"{label} must be a whole number up to {MOST_FEATURES:,}, not {value!r}")
    return int(value)


def describe_steps(steps: Sequence[Any]) -> str:
    """Return steps on one line, such as `pca (components 40), standardize`, whatever they are."""
    return ", ".join(
        f"{name} ({', '.join(f'{key} {value}' for key, value in options.items())})"
        if isinstance(options, Mapping) and options
        else str(name)
        for step in steps
        for name, options in (step.items() if isinstance(step, Mapping) else [(step, None)])
    )


def schema_of_steps() -> dict[str, Any]:
    """Return the JSON Schema of a feature step: its name, or its name with its options."""
    named = [
        {
            "type": "object",
            "additionalProperties": False,
            "required": [name],
            "properties": {
                name: {
                    "description": step.summary,
                    "type": ["object", "null"],
                    "additionalProperties": False,
                    "properties": {
                        key: {
                            "type": "number" if isinstance(usual, float) else "integer",
                            "exclusiveMinimum": 0,
                            "default": usual,
                        }
                        for key, usual in step.options.items()
                    },
                }
            },
        }
        for name, step in FEATURE_STEPS.items()
    ]
    return {"anyOf": [{"enum": list(FEATURE_STEPS)}, *named]}
