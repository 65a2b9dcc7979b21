"""Says how easily a difference between two classifiers comes about by chance, alike everywhere."""

SELDOM = 0.05
"""A p below it is called rare; where many pairs are compared, some will be."""


def tell_chance(p: float) -> str:
    """Return the end of a sentence on a difference, with its p."""
    told = f"p = {p:.3g}" if p < 1 else "p = 1"
    if p < SELDOM:
        return f"such a difference would be rare by chance ({told})"
    return f"such a difference may well be chance ({told})"
