"""Successive halving: the runs that look worst early on are not trained to the end.

Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter
optimization", AISTATS 2016: after each budget of epochs the best 1/factor of the trials stay.
"""

from collections.abc import Mapping

from mnistlab.sweep.spaces.settings import Halving


def budgets(halving: Halving, epochs: int) -> list[int]:
    """Return the epochs after which trials leave: min_epochs times powers of the factor."""
    budget, found = halving.min_epochs, []
    while budget < epochs:
        found.append(budget)
        budget *= halving.factor
    return found


def choose_losers(scores: Mapping[int, float], factor: int) -> set[int]:
    """Return the trials that leave, given the score of each that is left; the lowest is best.

    One in `factor` stays, rounded down, and never less than one; of equals the first stays. What
    has diverged has no score any more.
    """
    ranked = sorted(scores, key=lambda trial: (scores[trial], trial))
    return set(ranked[max(1, len(ranked) // factor) :])
