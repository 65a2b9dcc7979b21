"""Prints what a sweep will take, and what came of it, to stdout."""

import sys
import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import Any

from mnistlab.runs.atomic import to_json
from mnistlab.sweep.conclusion import Conclusion
from mnistlab.sweep.estimate import Estimate
from mnistlab.sweep.preparation import Prepared
from mnistlab.sweep.results import TrialResult
from mnistlab.sweep.run import tell_parameters
from mnistlab.sweep.spaces.trials import Sweep
from mnistlab.sweep.stacks import Stack

_SHOWN = 10
_NAMED = 12


def print_outlook(
    prepared: Prepared, stacks: Sequence[Stack], foretold: Estimate, *, as_json: bool
) -> None:
    """Print trials, stacks and widths, and the time, memory and disk that they will take."""
    sweep = prepared.sweep
    widths = [len(stack.columns) for stack in stacks]
    facts: dict[str, Any] = {
        "method": sweep.method,
        "metric": f"{sweep.metric.name}, {sweep.metric.goal}",
        "parameters": list(sweep.keys),
        "trials": len(sweep.trials),
        "runs": len(prepared.configs),
        "columns": sum(widths),
        "stacks": len(stacks),
        "widths": widths,
        "workers": prepared.workers,
        "seconds": round(foretold.seconds, 2),
        "memory_megabytes": round(foretold.memory / 1e6),
        "disk_megabytes": round(foretold.disk / 1e6, 1),
        "learning_rate_limit": prepared.common_limit,
        "warning": prepared.warning(),
    }
    if as_json:
        sys.stdout.write(to_json(facts) + "\n")
        return
    facts["parameters"] = ", ".join(sweep.keys)
    facts["widths"] = ", ".join(
        f"{width} ({count} times)" if count > 1 else f"{width}"
        for width, count in sorted(Counter(widths).items(), reverse=True)
    )
    facts["seconds"] = f"about {facts['seconds']:.3g}"
    if sweep.halving is not None:
        facts["seconds"] += " at most: halving stops most runs early"
    column = max(map(len, facts))
    for key, value in facts.items():
        if value is not None:
            shown = f"{value:.4g}" if isinstance(value, float) else value
            sys.stdout.write(f"{key.replace('_', ' '):{column}}  {shown}\n")


def print_conclusion(conclusion: Conclusion, sweep: Sweep) -> None:
    """Print the best trials, what is known of the best one, and where everything is."""
    from rich.console import Console  # noqa: PLC0415 - a sweep with --json needs none of it

    console = Console(highlight=False)
    if conclusion.ranked:
        console.print(_table(conclusion, sweep))
        console.print()
    for sentence in _sentences(conclusion, sweep):
        console.print(textwrap.fill(sentence, console.width), markup=False, soft_wrap=True)
    sys.stdout.write("\n".join(_places(conclusion)) + "\n")


def _table(conclusion: Conclusion, sweep: Sweep) -> Any:
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("trial", justify="right")
    for key in sweep.keys:
        table.add_column(Text(key), justify="right", no_wrap=True, min_width=len(key))
    for heading in ("training loss", "validation loss", "validation accuracy", ""):
        table.add_column(heading, justify="right" if heading else "left")
    for result in conclusion.ranked[:_SHOWN]:
        number = result.trial.number
        mark = "best" if result is conclusion.best else "~" if number in conclusion.ties else ""
        table.add_row(
            str(number),
            *(Text(_shown(value)) for value in result.trial.parameters.values()),
            _loss(result, "train_loss", sweep),
            _loss(result, "validation_loss", sweep),
            _accuracy(result, sweep),
            mark,
        )
    return table


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _loss(result: TrialResult, name: str, sweep: Sweep) -> str:
    text = f"{result.means[name]:.4f}"
    if result.half_width is not None and sweep.metric.name.replace(".", "_") == name:
        text += f" ± {result.half_width:.4f}"
    return text


def _accuracy(result: TrialResult, sweep: Sweep) -> str:
    text = f"{result.means['validation_accuracy']:.2%}"
    if result.half_width is not None and sweep.metric.name == "validation.accuracy":
        text += f" ± {result.half_width:.2%}"
    return text


def _sentences(conclusion: Conclusion, sweep: Sweep) -> list[str]:
    best, document = conclusion.best, conclusion.document
    sentences = []
    if best is not None:
        way = "highest" if sweep.metric.goal == "maximize" else "lowest"
        of = f"of {len(conclusion.results)} trials" if len(conclusion.results) > 1 else ""
        parameters = tell_parameters(best.trial.parameters) or "the config as it is"
        sentences.append(
            f"Best {of}, by the {way} {sweep.metric.name.replace('.', ' ')}: "
            f"trial {best.trial.number}, {parameters}.".replace("Best ,", "Best,")
        )
        if sweep.seeds > 1:
            sentences.append(f"Numbers are means over {sweep.seeds} seeds ± the 95 % interval.")
        if conclusion.ties:
            sentences.append(
                f"{_trials(conclusion.ties)} cannot be told from it on these validation images "
                "(~, at 95 %): what separates them may be chance."
            )
        test = document["best"]["test"]
        low, high = test["interval"]
        sentences.append(
            f"Test accuracy of the best: {test['accuracy']:.2%} (95 % interval {low:.2%} to "
            f"{high:.2%}), loss {test['loss']:.4f}. The test split was looked at for it alone."
        )
    for status in ("diverged", "failed"):
        numbers = [one.trial.number for one in conclusion.results if one.status == status]
        if numbers:
            sentences.append(f"{_trials(numbers)} {status}.")
    seconds = document["seconds"]
    runs = len(conclusion.results) * sweep.seeds
    sentences.append(
        f"{runs} runs in {seconds['total']:.2f} s (training {seconds['train']:.2f} s, evaluation "
        f"{seconds['evaluate']:.2f} s, writing {seconds['write']:.2f} s)"
    )
    return sentences


def _trials(numbers: Sequence[int]) -> str:
    told = ", ".join(map(str, numbers[:_NAMED])) + (", …" if len(numbers) > _NAMED else "")
    return f"Trial {told}" if len(numbers) == 1 else f"{len(numbers)} trials ({told})"


def _places(conclusion: Conclusion) -> list[str]:
    path = conclusion.folder.path
    lines = [f"sweep folder: {path}", f"results: {conclusion.folder.results}"]
    folders = [conclusion.folder]
    if conclusion.best is not None:
        best = conclusion.folder.run(conclusion.best.runs[0])
        lines.append(f"best run: {best.path}")
        folders.append(best)  # type: ignore[arg-type]
    drawn = [plot for folder in folders for plot in sorted(folder.plots.glob("*.png"))]
    return [*lines, *(f"plot: {plot}" for plot in drawn)]
