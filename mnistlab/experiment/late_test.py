"""Evaluates the test split for a run that was trained without: one of a sweep."""

from mnistlab.config.schema import Config
from mnistlab.core.metrics import evaluate
from mnistlab.datasets import as_rows
from mnistlab.experiment.plan import Data, objective_of
from mnistlab.runs import RunFolder
from mnistlab.runs.files import to_json
from mnistlab.runs.integrity import check_same_data, check_undamaged, replace_files
from mnistlab.runs.weights import load_weights, predictions_as_bytes


def evaluate_test(folder: RunFolder, config: Config, data: Data) -> dict[str, float]:
    """Add the test split's predictions, loss and accuracy to a completed run; return the latter.

    Raises RunFolderError for a run that is not what it was left as, that was made on other
    data, or that another process works on: its status would vouch for what is wrong.
    """
    check_undamaged(folder)
    check_same_data(folder, config.data.dataset, data.dataset.sha256)
    parameters = load_weights(folder.model)[:, None, :]
    test = evaluate(
        parameters, objective_of(config), as_rows(data.dataset.test), data.dataset.pixels
    )
    metrics = test.metrics
    numbers = {"loss": float(metrics.loss[0]), "accuracy": float(metrics.accuracy[0])}
    summary = to_json({**folder.read_summary(), "test": numbers}) + "\n"
    contents = {
        folder.predictions: predictions_as_bytes(test.predictions[:, 0]),
        folder.summary: summary.encode(),
    }
    replace_files(folder, contents)
    return numbers
