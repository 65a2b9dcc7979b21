"""Evaluates the test split for a run that was trained without: one of a sweep."""

from mnistlab.config.schema import Config
from mnistlab.core.metrics import evaluate
from mnistlab.experiment.plan import Data, as_rows, objective_of
from mnistlab.runs import RunFolder
from mnistlab.runs.weights import load_weights


def evaluate_test(folder: RunFolder, config: Config, data: Data) -> dict[str, float]:
    """Add the test split's predictions, loss and accuracy to a completed run; return the latter."""
    parameters = load_weights(folder.model)[:, None, :]
    test = evaluate(
        parameters, objective_of(config), as_rows(data.dataset.test), data.dataset.pixels
    )
    folder.write_predictions(test.predictions[:, 0])
    metrics = test.metrics
    numbers = {"loss": float(metrics.loss[0]), "accuracy": float(metrics.accuracy[0])}
    folder.write_summary({**folder.read_summary(), "test": numbers})
    return numbers
