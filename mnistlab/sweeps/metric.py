"""What a sweep's trials are compared by."""

from dataclasses import dataclass

from mnistlab.errors import ConfigError, suggest

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
