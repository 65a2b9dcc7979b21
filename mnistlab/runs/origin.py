"""Tells whether data are still those that a run was made on."""

from mnistlab.errors import RunFolderError
from mnistlab.runs.folder import RunFolder


def check_same_data(run: RunFolder, dataset: str, sha256: str) -> None:
    """Raise RunFolderError if a run says that it was made on data with another SHA-256.

    `dataset` is how its config calls them.
    """
    known = run.read_environment().get("data_sha256")
    if known is not None and known != sha256:
        raise RunFolderError(f"{run.name}: {dataset} has changed since the run was made")
