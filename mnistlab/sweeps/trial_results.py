"""What came of the trials of a sweep: read from its runs, ranked, halved, and in sentences.

Successive halving: Jamieson and Talwalkar, "Non-stochastic best arm identification and
hyperparameter optimization", AISTATS 2016: after each budget of epochs the best 1/factor of the
trials stay, and those that look worst end early.
"""

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from mnistlab.errors import RunFolderError
from mnistlab.run_folders.folder import SweepFolder, repeats_of
from mnistlab.run_folders.weights import load_checkpoint
from mnistlab.statistics import t_half_width
from mnistlab.sweeps.plan import Stack
from mnistlab.sweeps.sweep_file import Trial
from mnistlab.sweeps.sweep_schema import Halving, Metric
from mnistlab.sweeps.trials import SweepDefinition

METRICS = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
TEST = ("test_loss", "test_accuracy")
_SEVERITY = {"failed": 0, "interrupted": 1, "diverged": 2, "completed": 3}
"""The status of a trial is the lowest of its runs."""

SHOWN = 10
"""Trials in the table of the best."""

_NAMED = 12

_OF_FOLDS = (
    "Each fold is training data of the others, so intervals over folds are approximate: the "
    "variance of cross-validation has no unbiased estimator (Bengio and Grandvalet, 2004)."
)

Document = Mapping[str, Any]


@dataclass(frozen=True)
class TrialResult:
    """A trial with the means over its runs of each metric; None for what it does not have.

    The runs differ in their seed or in their fold; `values` are theirs of the metric that chooses.
    `epochs` are those of its longest run; halving has `stopped` it before its last.
    """

    trial: Trial
    runs: Sequence[int]
    status: str
    epochs: int
    stopped: bool
    means: Mapping[str, float | None]
    values: Sequence[Any]

    @property
    def half_width(self) -> float | None:
        """Half of Student's interval of the metric that chooses, over its runs."""
        whole = self.status == "completed" and None not in self.values
        return t_half_width(self.values) if whole else None

    def score(self, metric: Metric) -> float | None:
        """Return what the choice goes by, the lower the better; None if it cannot be chosen."""
        value = self.means[column_of(metric)]
        if self.status != "completed" or value is None:
            return None
        return value if metric.goal == "minimize" else -value


def column_of(metric: Metric) -> str:
    """Return a metric's column in results.csv."""
    return metric.name.replace(".", "_")


def read_rows(folder: SweepFolder, sweep: SweepDefinition) -> list[dict[str, Any]]:
    """Return a row a run, as results.csv has them; of an unfinished run most is None."""
    rows = []
    for trial in sweep.trials:
        for number, config in sweep.runs_of(trial).items():
            rows.append(
                {
                    "run": number,
                    "trial": trial.number,
                    "seed": config.seed,
                    **({} if sweep.folds is None else {"fold": config.data.fold}),
                    **trial.parameters,
                    **_outcome(folder, number),
                }
            )
    return rows


def _outcome(folder: SweepFolder, number: int) -> dict[str, Any]:
    run, summary = folder.run(number), dict[str, Any]()
    status: Mapping[str, Any] = {"status": "interrupted", "error": "not finished"}
    if run.path.exists():
        status = run.read_status()
        try:
            summary = run.read_summary()
        except RunFolderError as error:
            status = {"status": "failed", "error": str(error)}
    return {
        "status": status["status"],
        "stopped": status.get("stopped"),
        "epochs_run": summary.get("epochs"),
        **{
            f"{split}_{name}": (summary.get(split) or {}).get(name)
            for split in ("train", "validation", "test")
            for name in ("loss", "accuracy")
        },
        "seconds": (summary.get("seconds") or {}).get("total"),
        "error": status.get("error"),
    }


def summarize(rows: Sequence[Mapping[str, Any]], sweep: SweepDefinition) -> list[TrialResult]:
    """Return the result of every trial."""
    chosen_by = column_of(sweep.metric)
    of_run = {row["run"]: row for row in rows}
    results = []
    for trial in sweep.trials:
        mine = [of_run[run] for run in sweep.runs_of(trial)]
        status = min((row["status"] for row in mine), key=lambda one: _SEVERITY.get(one, 0))
        results.append(
            TrialResult(
                trial,
                [row["run"] for row in mine],
                status,
                max(row["epochs_run"] or 0 for row in mine),
                any(row["stopped"] for row in mine),
                {name: _mean([row[name] for row in mine]) for name in (*METRICS, *TEST)},
                [row[chosen_by] for row in mine],
            )
        )
    return results


def rank(results: Sequence[TrialResult], metric: Metric) -> list[TrialResult]:
    """Return the trials that can be chosen, the best first.

    What halving stopped has lost, and is not compared with what was trained for longer. Of
    equals the one with the lower validation loss comes first, then the one that stands first.
    """
    eligible = [result for result in results if result.score(metric) is not None]
    whole = [result for result in eligible if not result.stopped]
    if not whole:  # all that were left have diverged: those that came furthest are
        furthest = max((result.epochs for result in eligible), default=0)
        whole = [result for result in eligible if result.epochs == furthest]
    return sorted(
        whole,
        key=lambda result: (
            result.score(metric),
            math.inf if (loss := result.means["validation_loss"]) is None else loss,
            result.trial.number,
        ),
    )


def budgets(halving: Halving, epochs: int) -> list[int]:
    """Return the epochs after which trials leave: min_epochs times powers of the factor."""
    budget, found = halving.min_epochs, []
    while budget < epochs:
        found.append(budget)
        budget *= halving.factor
    return found


def choose_pruned(scores: Mapping[int, float], factor: int) -> set[int]:
    """Return the trials that leave, given the score of each that is left; the lowest is best.

    One in `factor` stays, rounded down, and never less than one; of equals the first stays. What
    has diverged has no score any more.
    """
    ranked = sorted(scores, key=lambda trial: (scores[trial], trial))
    return set(ranked[max(1, len(ranked) // factor) :])


def pruned_at(
    epoch: int, stacks: Sequence[Stack], folder: SweepFolder, sweep: SweepDefinition, done: Set[int]
) -> frozenset[int]:
    """Return the runs of a sweep, or of a batch of its trials, that do not go on after this epoch.

    The values of runs that are `done` come from their folders, those of the others from
    checkpoints: a folder that was being written when the process died is not read.
    The same files give the same answer, so a sweep that is resumed decides as it did before.
    """
    assert sweep.halving is not None  # noqa: S101 - who calls this has budgets from it
    name = column_of(sweep.metric)
    values = _from_checkpoints(epoch, stacks, folder, name)
    values |= _from_folders(epoch, folder, name, done)
    sign = 1 if sweep.metric.goal == "minimize" else -1
    scores = {}
    for trial in sweep.trials:
        mine = [values.get(run, math.nan) for run in sweep.runs_of(trial)]
        if all(map(math.isfinite, mine)):
            scores[trial.number] = sign * sum(mine) / len(mine)
    pruned = choose_pruned(scores, sweep.halving.factor)
    return frozenset(
        run
        for trial in sweep.trials
        if trial.number in pruned or trial.number not in scores
        for run in sweep.runs_of(trial)
    )


def _from_checkpoints(
    epoch: int, stacks: Sequence[Stack], folder: SweepFolder, name: str
) -> dict[int, float]:
    values: dict[int, float] = {}
    for stack in stacks:
        path = folder.checkpoint_of(stack.name)
        if path.exists():
            _, notes = load_checkpoint(path)
            for column, note in zip(stack.columns, notes, strict=True):
                for row in note["rows"]:
                    if row["epoch"] == epoch:
                        values |= dict.fromkeys(column.runs, row.get(name, math.nan))
    return values


def _from_folders(epoch: int, folder: SweepFolder, name: str, done: Set[int]) -> dict[int, float]:
    """Return the values of runs that have ended, NaN for those that did not get there whole."""
    values = dict.fromkeys(done, math.nan)
    for number in done:
        run = folder.run(number)
        if run.read_status()["status"] == "completed":
            metrics = run.read_metrics()
            by_epoch = zip(metrics["epoch"], metrics.get(name, []), strict=True)
            values[number] = dict(by_epoch).get(epoch, math.nan)
    return values


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if len(known) == len(values) else None


def shown_value(value: Any) -> str:
    """Return a parameter's value as one would type it, numbers to four digits."""
    if isinstance(value, list):
        return f"[{','.join(map(shown_value, value))}]"
    if isinstance(value, dict):
        inside = ", ".join(f"{key}: {shown_value(one)}" for key, one in value.items())
        return f"{{{inside}}}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def describe_parameters(parameters: Mapping[str, Any]) -> str:
    """Return parameters as one would type them."""
    return " ".join(f"{key}={shown_value(value)}" for key, value in parameters.items())


def sentences(document: Document) -> list[str]:
    """Return what sweep.json says, in sentences, with what helps to read the terminal's table."""
    notes = []
    if len(document["ranking"]) > SHOWN:
        notes.append(f"The table shows the first {SHOWN} trials, results.csv has all.")
    if document["best"] is not None and document["indistinguishable"]:
        more = "" if repeats_of(document) else "; --seeds 3 would show the chance of the seed"
        notes.append(f"~ marks what cannot be told from the best{more}.")
    return [*notes, *findings(document)]


def findings(document: Document) -> list[str]:
    """Return what sweep.json says, in sentences that are true wherever they stand."""
    best, results, repeats = document["best"], document["results"], repeats_of(document)
    lines = []
    if best is not None:
        lines += _about_best(document, best)
    if "published" in document:
        lines.append(
            f"Published: {document['published']['source']}. Every trial was tested, as none was "
            f"chosen by it; the 95 % intervals are those of "
            f"{document['published']['images']:,} test images."
        )
    if repeats:
        lines.append(f"Numbers are means over {repeats}, ± the 95 % interval of the mean.")
    if document.get("folds"):
        lines.append(_OF_FOLDS)
    stopped = Counter(result["epochs"] for result in results if result["stopped"])
    if stopped:
        after = ", ".join(
            f"{count} after epoch {epoch}" for epoch, count in sorted(stopped.items())
        )
        lines.append(f"Halving stopped trials early, {after}: they are not compared with the rest.")
    for status in ("diverged", "failed", "interrupted"):
        numbers = [one["trial"] for one in results if one["status"] == status]
        if numbers:
            lines.append(f"{name_trials(numbers, _NAMED).capitalize()} {status}.")
    seconds, runs = document["seconds"], sum(len(one["runs"]) for one in results)
    lines.append(
        f"{runs} {'run' if runs == 1 else 'runs'} in {seconds['total']:.2f} s (on each core: "
        f"training {seconds['train']:.2f} s, evaluation {seconds['evaluate']:.2f} s, writing "
        f"{seconds['write']:.2f} s)"
    )
    return lines


def _about_best(document: Document, best: Document) -> list[str]:
    way = "highest" if document["metric"]["goal"] == "maximize" else "lowest"
    count, ties = len(document["results"]), document["indistinguishable"]
    _, _, repeated = repeats_of(document).partition(" ")
    name = document["metric"]["name"].replace(".", " ")
    first = f"Best{f' of {count} trials' if count > 1 else ''}, by the {way} {name}: trial "
    setting = describe_parameters(best["parameters"]) or "the config as it is"
    lines = [f"{first}{best['trial']}, {setting}."]
    if ties:
        named = name_trials(ties, _NAMED).capitalize()
        chance = (
            f"neither these images nor the {repeated} tell them apart"
            if repeated
            else "the chance of the seed comes on top"
        )
        lines.append(
            f"{named} cannot be told from it on these validation images (at 95 % for "
            f"all pairs of trials together); {chance}."
        )
    test = best["test"]
    low, high = test["interval"]
    over = f", ± {test['half_width']:.2%} over the {repeated}" if "half_width" in test else ""
    lines.append(
        f"Test accuracy of the best: {test['accuracy']:.2%}{over} (with {test['images']:,} images "
        f"the 95 % interval is {low:.2%} to {high:.2%}), loss {test['loss']:.4f}. When the "
        "sweep ended, the test split had been looked at for it alone."
    )
    return lines


def name_trials(numbers: Sequence[int], most: int) -> str:
    """Return trials in words, `trial 3` or `2 trials (3, 4)`, with at most so many numbers."""
    named = ", ".join(map(str, numbers[:most])) + (", …" if len(numbers) > most else "")
    return f"trial {named}" if len(numbers) == 1 else f"{len(numbers)} trials ({named})"
