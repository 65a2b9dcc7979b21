"""Datasets and exact optima, each looked for once for all the runs of a report."""

from collections.abc import Callable
from typing import Any

from mnistlab.config.schema import Config
from mnistlab.datasets import Dataset
from mnistlab.errors import MnistlabError
from mnistlab.experiment.prepare import data_key, open_data, open_images
from mnistlab.optimum import Optimum, find_optimum, has_optimum, ridge_of


class SharedData:
    """Keeps what was found and, where nothing was, the error."""

    def __init__(self) -> None:
        self._found: dict[object, Any] = {}

    def dataset(self, config: Config, sha256: object) -> Dataset:
        """Return the data that a run was trained on, its feature steps aside.

        Raises MnistlabError where it cannot be loaded, or is not the data with this SHA-256.
        """
        key = config.data.model_dump_json()
        dataset: Dataset = self._once(key, lambda: open_images(config))
        if dataset.sha256 != sha256:
            raise MnistlabError(f"{config.data.dataset} has changed since the run was made")
        return dataset

    def optimum(self, config: Config, sha256: object) -> Optimum | None:
        """Return the best that the config's model can do, None where no such optimum is known.

        Raises MnistlabError where it cannot be computed.
        """
        dataset = self.dataset(config, sha256)

        def find() -> Optimum | None:
            known = config.features and has_optimum(config)
            return find_optimum(config, open_data(config) if known else dataset)

        key = (sha256, data_key(config), config.model, config.loss, ridge_of(config))
        optimum: Optimum | None = self._once(key, find)
        return optimum

    def _once(self, key: object, find: Callable[[], object]) -> Any:
        if key not in self._found:
            try:
                self._found[key] = find()
            except MnistlabError as error:
                self._found[key] = error
        if isinstance(self._found[key], MnistlabError):
            raise self._found[key]
        return self._found[key]
