"""Datasets and optima, each sought once for all the runs of a report that need it."""

from mnistlab.config.schema import Config
from mnistlab.datasets import Dataset, load
from mnistlab.errors import FetchError, InputError, MnistlabError
from mnistlab.optimum import Optimum, find_optimum, ridge_of


class DataShelf:
    """What was found stays here, and what was not found, with the reason.

    `first_runs` are the names of the first runs of the report by their keys.
    """

    def __init__(self) -> None:
        self._datasets: dict[tuple[str, int, tuple[str, ...]], Dataset | str] = {}
        self._optima: dict[tuple[object, ...], Optimum | str | None] = {}
        self.first_runs: dict[object, str] = {}

        self._changed = False

    @property
    def lacked(self) -> bool:
        """Whether something was asked for that another day might be there."""
        found = [*self._datasets.values(), *self._optima.values()]
        return self._changed or any(isinstance(one, str) for one in found)

    def dataset(self, config: Config, sha256: object) -> Dataset:
        """Return the data that a run was made on; raise MnistlabError if it cannot be had.

        So it is too where what its config names is other data by now.
        """
        dataset = self._load(config)
        if dataset.sha256 != sha256:
            self._changed = True
            raise MnistlabError(f"{config.data.dataset} has changed since the run was made")
        return dataset

    def _load(self, config: Config) -> Dataset:
        data = config.data
        key = (data.dataset, data.validation, tuple(data.preprocess))
        if key not in self._datasets:
            try:
                self._datasets[key] = load(key[0], validation=key[1], preprocess=key[2])
            except (InputError, FetchError) as error:
                self._datasets[key] = str(error)
        found = self._datasets[key]
        if isinstance(found, str):
            raise MnistlabError(found)
        return found

    def optimum(self, config: Config, sha256: str) -> Optimum | None:
        """Return the best that the config's model can do, None if there is no such thing.

        Raises MnistlabError where it cannot be found, or the data is not what it was.
        """
        dataset, data = self.dataset(config, sha256), config.data
        key = (
            *(sha256, data.validation, tuple(data.preprocess)),
            *(config.model, config.loss, ridge_of(config)),
        )
        if key not in self._optima:
            try:
                self._optima[key] = find_optimum(config, dataset)
            except MnistlabError as error:
                self._optima[key] = str(error)
        found = self._optima[key]
        if isinstance(found, str):
            raise MnistlabError(found)
        return found
