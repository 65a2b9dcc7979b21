"""Replaces files of a run that has ended, which is whole at every moment of it."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from mnistlab.runs.atomic import write_bytes
from mnistlab.runs.claims import claim_while_replaced
from mnistlab.runs.folder import RunFolder


def replace_files(run: RunFolder, contents: Mapping[Path, bytes]) -> None:
    """Write new contents into a run's files, which need not be there yet.

    Until all are written the status vouches for each as it was or as it is to be. Raises
    RunFolderError where another process works on the run, and OSError.
    """
    lock = run.hold()
    try:
        status, files = run.read_status()["status"], run.vouched()
        new = {path.name: hashlib.sha256(content).hexdigest() for path, content in contents.items()}
        if files:
            either = {
                path.name: claim_while_replaced(path, files.get(path.name), new[path.name])
                for path in contents
            }
            run.write_status(status, files={**files, **either})
        for path, content in contents.items():
            write_bytes(path, content)
        if files:
            run.write_status(status, files={**files, **new})
    finally:
        run.let_go(lock)
