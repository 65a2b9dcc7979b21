"""Datasets and exact optima, each looked for once for all the runs of a report."""

from collections.abc import Callable
from typing import Any

from mnistlab.config.schema import Config
from mnistlab.datasets import Dataset, load
from mnistlab.errors import MnistlabError
from mnistlab.optimum import Optimum, find_optimum, ridge_of


class SharedData:
    """Keeps what was found and, where nothing was, the error."""

    def __init__(self) -> None:
        self._found: dict[tuple[object, ...], Any] = {}

    def dataset(self, config: Config, sha256: object) -> Dataset:
        """Return the data that a run was trained on.

        Raises MnistlabError where it cannot be loaded, or is not the data with this SHA-256.
        """
        data = config.data
        key = (data.dataset, data.validation, tuple(data.preprocess))
        dataset: Dataset = self._once(
            key, lambda: load(key[0], validation=key[1], preprocess=key[2])
        )
        if dataset.sha256 != sha256:
            raise MnistlabError(f"{data.dataset} has changed since the run was made")
        return dataset

    def optimum(self, config: Config, sha256: object) -> Optimum | None:
        """Return the best that the config's model can do, None where no such optimum is known.

        Raises MnistlabError where it cannot be computed.
        """
        dataset, data = self.dataset(config, sha256), config.data
        of_data = (sha256, data.validation, tuple(data.preprocess))
        key = (*of_data, config.model, config.loss, ridge_of(config))
        optimum: Optimum | None = self._once(key, lambda: find_optimum(config, dataset))
        return optimum

    def _once(self, key: tuple[object, ...], find: Callable[[], object]) -> Any:
        if key not in self._found:
            try:
                self._found[key] = find()
            except MnistlabError as error:
                self._found[key] = error
        if isinstance(self._found[key], MnistlabError):
            raise self._found[key]
        return self._found[key]
