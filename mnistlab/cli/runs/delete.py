"""`mnistlab runs delete`: remove runs and sweeps for good."""

import sys
from typing import Annotated

import typer

from mnistlab.cli.options import RunsDir
from mnistlab.cli.runs.naming import RunNames


def delete(
    names: RunNames,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Delete without asking.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be deleted, delete nothing.")
    ] = False,
    runs_dir: RunsDir = None,
) -> None:
    """Delete runs and sweeps for good; it names them and asks first.

    All names are checked before the first is deleted. A sweep goes as a whole; a run that a
    process works on stays. `latest` then points to the newest run that is left.
    """
    from mnistlab.errors import InputError, MnistlabError
    from mnistlab.runs import default_runs_dir
    from mnistlab.store.delete import plan_removal, remove

    folder = runs_dir or default_runs_dir()
    removals = plan_removal(names, folder)
    if dry_run:
        for removal in removals:
            typer.echo(f"would delete {removal}")
        return
    if not yes:
        if not sys.stdin.isatty():
            told = ", ".join(map(str, removals))
            raise InputError(f"runs delete: nobody can be asked here; --yes deletes {told}")
        for removal in removals:
            typer.echo(str(removal), err=True)
        if not _confirm("Delete it for good?" if len(removals) == 1 else "Delete them for good?"):
            raise MnistlabError("nothing was deleted")
    for removal in remove(removals, folder):
        typer.echo(f"deleted {removal}")


def _confirm(question: str) -> bool:
    """Ask on stderr, as stdout is for results, and return whether the answer is yes."""
    typer.echo(f"{question} [y/N] ", err=True, nl=False)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
