"""What the project claims of its speed and its checks, and how measurements decide each claim."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.contestants import BOTH, PEAK, PROCESS, STEPS, TREE
from harness.gradients import ACCEPTED, REFUSED
from harness.large import A_MILLION, PRIVATE
from harness.many import OPENING
from harness.measure import Spread, ratios, spread
from harness.search import ERROR
from harness.sweep import ALL, TOTAL, WRITE
from harness.tpe import BETTER

Rounds = Mapping[str, Mapping[str, Sequence[float]]]
"""Contestant's label -> part -> a value a round."""

MEMORY, SWEEP_MEMORY = "mnistlab_memory", "sweep_memory"


@dataclass(frozen=True)
class Claim:
    """A bound on a ratio to a rival, or on a value of our own where there is no rival.

    With `faster` the ratio is theirs over ours, or our value, and must reach the bound; without it
    is ours over theirs, or our value, and must not exceed it. Without a bound it is only reported.
    """

    text: str
    ours: tuple[str, str]
    theirs: tuple[str, str] | None
    bound: float | None
    faster: bool = False
    unit: float = 1.0


@dataclass(frozen=True)
class Outcome:
    """A claim with what was measured; `holds` is None for a claim without a bound."""

    claim: Claim
    peer: str
    measured: Spread
    holds: bool | None


CLAIMS = (
    Claim(
        "whole process, against PyTorch with tensors in memory",
        ("mnistlab_train", PROCESS),
        ("torch_memory", PROCESS),
        bound=2.5,
        faster=True,
    ),
    Claim(
        "whole process, against PyTorch with a DataLoader",
        ("mnistlab_train", PROCESS),
        ("torch_dataloader", PROCESS),
        bound=5.0,
        faster=True,
    ),
    Claim(
        "training steps, against PyTorch with tensors in memory",
        ("mnistlab_train", STEPS),
        ("torch_memory", STEPS),
        bound=2.0,
        faster=True,
    ),
    Claim(
        "training steps and evaluation, against PyTorch with tensors in memory",
        ("mnistlab_train", BOTH),
        ("torch_memory", BOTH),
        bound=2.0,
        faster=True,
    ),
    Claim(
        "whole process, against PyTorch with the update by hand",
        ("mnistlab_train", PROCESS),
        ("torch_by_hand", PROCESS),
        bound=None,
        faster=True,
    ),
    Claim(
        "training steps, against PyTorch with the update by hand",
        ("mnistlab_train", STEPS),
        ("torch_by_hand", STEPS),
        bound=None,
        faster=True,
    ),
    Claim(
        "training steps, against scikit-learn's fit",
        ("mnistlab_train", STEPS),
        ("sklearn_mlp", STEPS),
        bound=1.5,
        faster=True,
    ),
    Claim(
        "training steps, over their bare matrix products",
        ("mnistlab_train", STEPS),
        ("bare_products", "plain"),
        bound=1.6,
    ),
    Claim(
        "training steps, over the same products in their fastest layout",
        ("mnistlab_train", STEPS),
        ("bare_products", "transposed"),
        bound=None,
    ),
    Claim(
        "`mnistlab --help`, over a minimal typer program's",
        ("mnistlab_help", PROCESS),
        ("typer_hello", PROCESS),
        bound=1.5,
    ),
    Claim(
        "peak memory in MB, largest process",
        (MEMORY, PEAK),
        None,
        bound=250,
        unit=1e6,
    ),
    Claim(
        "peak memory in MB, all processes together",
        (MEMORY, TREE),
        None,
        bound=250,
        unit=1e6,
    ),
)

SWEEP_CLAIMS = (
    Claim(
        "each configuration, against `mnistlab train` in a process of its own",
        ("mnistlab_sweep", ALL),
        ("mnistlab_train_each", ALL),
        bound=4.0,
        faster=True,
    ),
    Claim(
        "all configurations, against our trainer one after another in one process",
        ("mnistlab_sweep", ALL),
        ("mnistlab_one_by_one", ALL),
        bound=None,
        faster=True,
    ),
    Claim(
        "all configurations, against our trainer in two processes of one thread each",
        ("mnistlab_sweep", ALL),
        ("mnistlab_two_processes", ALL),
        bound=None,
        faster=True,
    ),
    Claim(
        "whole process, against JAX with vmap",
        ("mnistlab_sweep", ALL),
        ("jax_sweep, vmap", ALL),
        bound=1.3,
        faster=True,
    ),
    Claim(
        "whole process, against JAX with the two products written by hand",
        ("mnistlab_sweep", ALL),
        ("jax_sweep, fused", ALL),
        bound=None,
        faster=True,
    ),
    Claim(
        "all configurations, against PyTorch one after another",
        ("mnistlab_sweep", ALL),
        ("torch_sweep", ALL),
        bound=10.0,
        faster=True,
    ),
    Claim(
        "all configurations, against PyTorch one after another with the update by hand",
        ("mnistlab_sweep", ALL),
        ("torch_sweep_by_hand", ALL),
        bound=None,
        faster=True,
    ),
    Claim(
        # the seconds of the same operations at the peak, over ours
        "training steps and evaluation, share of the peak of large matrix products",
        ("mnistlab_sweep", BOTH),
        ("peak_products", BOTH),
        bound=0.70,
        faster=True,
    ),
    Claim(
        "writing the run folders, share of the sweep's time",
        ("mnistlab_sweep", WRITE),
        ("mnistlab_sweep", TOTAL),
        bound=0.10,
    ),
    Claim(
        "peak memory in MB, all processes together",
        (SWEEP_MEMORY, TREE),
        None,
        bound=600,
        unit=1e6,
    ),
)


MANY_CLAIMS = (
    Claim(
        "listing 10,000 runs, seconds of the whole process",
        ("runs_list", PROCESS),
        None,
        bound=1.0,
    ),
    Claim(
        "a report on 1,000 runs, over one on 100",
        ("report_of_1000", PROCESS),
        ("report_of_100", PROCESS),
        bound=12,
    ),
    Claim(
        "a page of 1,000 runs, seconds until it can be used",
        ("open_page", OPENING),
        None,
        bound=3.0,
    ),
)

LARGE_CLAIMS = (
    Claim(
        "training with `--dry-run` on 8 million rows, seconds of the whole process",
        ("dry_run_of_8000000", PROCESS),
        None,
        bound=3.0,
    ),
    *(
        claim
        for what in ("train", "sweep")
        for claim in (
            Claim(
                f"`mnistlab {what}`, seconds a row of 8 million over those of 500,000",
                (f"{what}_of_8000000", A_MILLION),
                (f"{what}_of_500000", A_MILLION),
                bound=1.3,
            ),
            Claim(
                f"`mnistlab {what}` on 8 million rows, MB of private memory",
                (f"{what}_of_8000000", PRIVATE),
                None,
                bound=400,
                unit=1e6,
            ),
        )
    ),
)

SEARCH_CLAIMS = (
    Claim(
        "the search, against GridSearchCV over the same candidates",
        ("fused_search", ALL),
        ("grid_search_of_ours", ALL),
        bound=15.0,
        faster=True,
    ),
    *(
        claim
        for model, name in (
            ("LogisticRegression", "grid_search_of_logistic_regression"),
            ("SGDClassifier", "grid_search_of_sgd"),
        )
        for claim in (
            Claim(
                f"the search, against GridSearchCV over {model}",
                ("fused_search", ALL),
                (name, ALL),
                bound=20.0,
                faster=True,
            ),
            Claim(
                f"error of the best candidate, over that of the best {model}",
                ("fused_search", ERROR),
                (name, ERROR),
                bound=1.0,
            ),
        )
    ),
)


GRADIENT_CLAIMS = (
    Claim(
        "wrong gradients accepted, of 24",
        ("gradients_mnistlab", ACCEPTED),
        None,
        bound=0,
    ),
    Claim(
        "right gradients refused, of 24",
        ("gradients_mnistlab", REFUSED),
        None,
        bound=None,
    ),
)


TPE_CLAIMS = (
    Claim(
        "problems of three in which Optuna's trials are better than random ones",
        ("search_of_48", BETTER),
        None,
        bound=2,
        faster=True,
    ),
)

TPE_SPEED_CLAIMS = (
    Claim(
        "256 trials that Optuna asks for, over random ones",
        ("sweep_tpe", PROCESS),
        ("sweep_random", PROCESS),
        bound=3,
    ),
)


def judge(claim: Claim, rounds: Rounds) -> Outcome | None:
    """Return how a claim fares, None where one side of it was not measured.

    Of a rival that ran under several settings the one with the lowest median in this very
    part is taken.
    """
    name, part = claim.ours
    ours = rounds.get(name, {}).get(part)
    if ours is None:
        return None
    if claim.theirs is None:
        return _outcome(claim, "", [value / claim.unit for value in ours])
    peer = best_setting(*claim.theirs, rounds)
    if peer is None:
        return None
    theirs = rounds[peer][claim.theirs[1]]
    return _outcome(claim, peer, ratios(theirs, ours) if claim.faster else ratios(ours, theirs))


def best_setting(name: str, part: str, rounds: Rounds) -> str | None:
    """Return the label of a rival's fastest setting, None if it did not run."""
    labels = [label for label in rounds if label == name or label.startswith(f"{name}, ")]
    return min(labels, key=lambda label: spread(rounds[label][part]).median, default=None)


def _outcome(claim: Claim, peer: str, values: Sequence[float]) -> Outcome:
    measured, holds = spread(values), None
    if claim.bound is not None:
        median = measured.median
        holds = median >= claim.bound if claim.faster else median <= claim.bound
    return Outcome(claim, peer, measured, holds)
