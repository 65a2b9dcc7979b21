"""What a sweep file can say: its keys, and the metrics that trials can be compared by."""

from dataclasses import dataclass
from typing import Any, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from mnistlab.config.load import shown
from mnistlab.config.schema import StrictModel, Whole
from mnistlab.errors import ConfigError, UnknownNameError, suggest
from mnistlab.sweeps.functions import DISTRIBUTIONS

METHODS = ("grid", "random", "halving", "tpe")
METRICS = {"validation.accuracy": "maximize", "validation.loss": "minimize"}
"""What trials can be compared by, and which way is better."""
GOALS = ("maximize", "minimize")
_NOT_TO_CHOOSE_BY = {
    "test": "trials are chosen on the validation split only, so that the test split stays unseen",
    "train": "trials are chosen on the validation split only, as a good fit proves little",
}


@dataclass(frozen=True)
class Metric:
    """What trials are compared by, and whether more or less of it is better."""

    name: str
    goal: str


def metric_named(name: str, goal: str | None = None, where: str = "--metric") -> Metric:
    """Return the metric of that name; without a goal the better direction is its goal.

    Raises ConfigError that opens with `where`.
    """
    try:
        return check_metric(name, goal)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from None


def check_metric(name: str, goal: str | None = None) -> Metric:
    """Return the metric of that name; raise ValueError for one that cannot choose a trial."""
    dotted = name if "." in name else name.replace("_", ".", 1)
    reason = _NOT_TO_CHOOSE_BY.get(dotted.partition(".")[0])
    if reason:
        raise ValueError(f"{name!r}: {reason}; use {' or '.join(METRICS)}")
    if dotted not in METRICS:
        raise ValueError(f"unknown metric {name!r}{suggest(name, METRICS)}")
    if goal is not None and goal not in GOALS:
        raise ValueError(f"unknown goal {goal!r}{suggest(goal, GOALS)}")
    if goal not in (None, METRICS[dotted]):
        raise ValueError(f"to {goal} {dotted} would choose the worst; {METRICS[dotted]} it")
    return Metric(dotted, METRICS[dotted])


class Halving(StrictModel):
    """Trials begin with `min_epochs`; the best 1/`factor` of them go on `factor` times as long."""

    model_config = ConfigDict(frozen=True)

    factor: Whole = Field(default=3, ge=2)
    min_epochs: Whole = Field(default=1, ge=1)


class MetricEntry(StrictModel):
    """A metric as a sweep file writes it, where a goal left out means to minimize, as in W&B."""

    name: str
    goal: str | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        metric = check_metric(self.name, self.goal)
        if self.goal is None and metric.goal == "maximize":
            raise ValueError(f"without a goal {metric.name} would be minimised; say goal: maximize")
        return self


class Parameter(StrictModel):
    """The long form of a parameter, with the keys of W&B's sweep files."""

    value: Any = None
    values: list[Any] = Field(default_factory=list)
    min: Any = None
    max: Any = None
    distribution: str = ""

    @model_validator(mode="after")
    def _check(self) -> Self:
        """Settle which distribution is meant, and refuse keys that do not go with it."""
        given = self.model_fields_set - {"distribution"}
        name = self.distribution or self._usual_distribution(given)
        needed = {"constant": ("value",), "categorical": ("values",)}.get(name, ("min", "max"))
        if needed == ("min", "max") and name not in DISTRIBUTIONS:
            known = ["constant", "categorical", *DISTRIBUTIONS]
            raise ValueError(str(UnknownNameError("distribution", name, known)))
        if given != set(needed):
            wrong = " and ".join(sorted(given - set(needed)))
            other = f", not {wrong}" if wrong else ""
            raise ValueError(f"{name} needs {' and '.join(needed)}{other}")
        self.distribution = name
        return self

    def _usual_distribution(self, given: set[str]) -> str:
        """Return the distribution that is meant where none is named."""
        if not given:
            raise ValueError("needs a value, values, or min and max")
        if "value" in given:
            return "constant"
        if "values" in given:
            return "categorical"
        return "int_uniform" if type(self.min) is type(self.max) is int else "uniform"


class Published(StrictModel):
    """Figures from the literature, to stand beside those of the trials."""

    source: str = Field(min_length=1)
    test_error: list[float | None]
    """Per cent of the test images, one for each trial in their order; null where there is none."""


class SweepFile(StrictModel):
    """What a sweep file can say; a plain config is one that says its base alone."""

    base: Any = Field(default_factory=dict)
    method: str | None = None
    metric: MetricEntry = MetricEntry(name="validation.accuracy", goal="maximize")
    parameters: dict[str, Any] = Field(default_factory=dict)
    zip: list[list[str]] = Field(default_factory=list)
    trials: str | None = Field(default=None, min_length=1)
    seeds: Whole = Field(default=1, ge=1)
    folds: Whole | None = Field(default=None, ge=2)
    max_trials: Whole | None = Field(default=None, ge=1)
    random_seed: Whole = Field(default=0, ge=0)
    batch: Whole | None = Field(default=None, ge=1)
    halving: Halving = Halving()
    published: Published | None = None

    @field_validator("base")
    @classmethod
    def _check_base(cls, base: Any) -> Any:
        if not isinstance(base, dict) and not (isinstance(base, str) and base):
            raise ValueError(f"must be a config file or a mapping of keys, not {shown(base)}")
        return base

    @field_validator("zip", mode="before")
    @classmethod
    def _check_zip(cls, groups: Any) -> Any:
        if not isinstance(groups, list) or not all(isinstance(group, list) for group in groups):
            raise ValueError("must be a list of groups, like [[learning_rate, epochs]]")
        if any(len(group) < 2 for group in groups):
            raise ValueError("a group needs at least two keys")
        return groups

    @field_validator("method")
    @classmethod
    def _check_method(cls, name: str | None) -> str | None:
        if name is not None and name not in METHODS:
            raise ValueError(str(UnknownNameError("method", name, METHODS)))
        return name
