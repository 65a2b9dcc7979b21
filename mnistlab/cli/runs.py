"""`mnistlab runs`: the commands that look at runs; `run_actions` adds the others."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from mnistlab.cli import options
from mnistlab.cli.options import (
    echo,
    echo_json,
    evaluate_test_if_missing,
    fail_if_refused,
)

if TYPE_CHECKING:
    from mnistlab.run_folders import RunFolder
    from mnistlab.store.facts import Facts
    from mnistlab.store.selection import Filter, Selection

runs_app = typer.Typer(
    help="List, compare, repeat and clear away runs and sweeps.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_NAMED = 5  # names that a message lists


class _ListCommand(TyperCommand):
    """The command whose help names the keys that there are."""

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        from mnistlab.store.facts import describe_keys

        self.help = (self.help or "").replace("KEYS", describe_keys())
        super().format_help_text(ctx, formatter)


@runs_app.command("list", cls=_ListCommand, short_help="List runs and sweeps, or a sweep's runs.")
def list_runs(
    names: options.SweepNames = None,
    condition: options.FilterText = None,
    sort: Annotated[
        str | None,
        typer.Option(
            metavar="KEY",
            help="Sort by a key, -KEY from the largest, A,-B by several (default: newest).",
        ),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(metavar="A,B,C", help="Show these keys: run,learning_rate,test.loss"),
    ] = None,
    status: Annotated[
        str | None,
        typer.Option(
            metavar="STATUS",
            help="Only runs that are running, completed, diverged, failed, interrupted, damaged "
            "or refused.",
            autocompletion=options.complete_status,
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="Show the first N.")] = None,
    as_json: options.AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the columns as CSV.")] = False,
    runs_dir: options.RunsDir = options.RUNS,
) -> None:
    """List runs and sweeps, the newest first, the runs inside a sweep, or those in other folders.

    A folder of folders, such as a class's, is looked through; then `who` says whose a run is, a
    folder that cannot be opened is listed as refused, and the exit code is 1.

    Any key of a config (learning_rate, data.dataset) can be filtered by, sorted by and shown, and
    so can KEYS.

    To stay quick, a list checks only the files that its values come from, and of others that they
    are there; whether weights and predictions are what the run left, `runs verify` says.

    --csv puts an apostrophe before a text that a spreadsheet would take for a formula.
    """
    from mnistlab.console.tables import print_csv, print_json, print_runs, reading_progress
    from mnistlab.errors import InputError
    from mnistlab.run_folders.folder import SweepFolder
    from mnistlab.store.facts import columns_of, least_telling
    from mnistlab.store.listing import read_all
    from mnistlab.store.opening import facts_of, open_given
    from mnistlab.store.selection import (
        arrange,
        parse,
        parse_columns,
        select,
    )

    if as_json and as_csv:
        raise InputError("runs list: --json and --csv exclude each other")
    wanted = parse(condition) if condition is not None else None
    folder = runs_dir
    given = open_given(names, runs_dir) if names else []
    of_sweep = len(given) == 1 and isinstance(given[0].folder, SweepFolder)
    if of_sweep:
        folder, given = given[0].path / "runs", []
    with reading_progress() as progress:
        everything = facts_of(given) if given else read_all(folder, progress)
    selection = select(everything, wanted, status)
    runs = arrange(selection.runs, sort) if sort or not given else selection.runs
    runs = runs[:limit]
    chosen = parse_columns(columns, everything) if columns is not None else None
    _explain_missing(None if given else folder, everything, selection, len(runs), wanted)
    shown = chosen or columns_of(runs, of_sweep=of_sweep)
    if as_json:
        print_json(runs)
    elif as_csv:
        print_csv(runs, shown)
    elif runs:
        print_runs(runs, shown, () if chosen else least_telling(of_sweep=of_sweep))
    fail_if_refused(given)


def _explain_missing(
    folder: Path | None,
    everything: "list[Facts]",
    selection: "Selection",
    listed: int,
    condition: "Filter | None",
) -> None:
    """Say on stderr why runs of a folder, or of several where it is None, are not in the list."""
    from mnistlab.errors import shown
    from mnistlab.store.listing import other_entries
    from mnistlab.store.selection import explain_no_match

    count = len(everything)
    if folder is not None and (others := other_entries(folder, everything)):
        names = ", ".join(map(shown, others[:_NAMED])) + (", …" if len(others) > _NAMED else "")
        echo(f"no run, and not listed: {names}", err=True)
    if selection.warning:
        echo(f"warning: {selection.warning}", err=True)
    if not count:
        echo(f"{shown(str(folder))}: there is no run here yet", err=True)
    elif not selection.runs:
        echo(f"no run matches, of {count:,} in all", err=True)
        for hint in explain_no_match(condition, everything) if condition else ():
            echo(f"  {shown(hint)}", err=True)
    elif listed < len(selection.runs):
        echo(f"{listed:,} of {len(selection.runs):,} runs", err=True)


@runs_app.command(short_help="Show a run: its config, status, metrics and files.")
def show(
    run: options.RunName,
    runs_dir: options.RunsDir = options.RUNS,
    plugin: options.Plugins = None,
    as_json: options.AsJson = False,
) -> None:
    """Show a run or a sweep.

    A run of a sweep that was not the best has not seen the test split yet: asked for by name, it
    is evaluated now, and the numbers are kept in its folder; where that cannot be, a warning
    says why.
    """
    from mnistlab.run_folders.places import find_run

    folder = find_run(run, runs_dir)
    evaluate_test_if_missing(folder)
    facts = _facts(folder)
    if as_json:
        echo_json(facts)
        return
    from mnistlab.console.printed_runs import print_run

    print_run(folder, facts)


def _facts(folder: "RunFolder") -> dict[str, Any]:
    """Return what the folder says of itself; what is missing or damaged is None."""
    from mnistlab.config.config_files import MAX_SWEEP_BYTES, read_file
    from mnistlab.errors import InputError
    from mnistlab.run_folders.safeguards import describe_damage
    from mnistlab.store.facts import read_facts

    def unless_damaged(read: Any) -> Any:
        try:
            return read()
        except InputError:
            return None

    altered = [describe_damage(folder.path / name) for name in folder.damaged_files()]
    known = read_facts(folder).get("damaged", [])
    return {
        "run": folder.name,
        "path": str(folder.path),
        "status": folder.read_status(),
        "config": unless_damaged(lambda: read_file(folder.config, MAX_SWEEP_BYTES)[0]),
        "summary": unless_damaged(folder.read_summary),
        "environment": folder.read_environment() or None,
        "damaged": list(dict.fromkeys([*known, *altered])),
        "plots": sorted(str(path) for path in folder.plots.glob("*.png")),
    }


@runs_app.command(short_help="Show what differs between two runs, image by image.")
def diff(
    first: Annotated[str, options.run_argument("A")],
    second: Annotated[str, options.run_argument("B")],
    runs_dir: options.RunsDir = options.RUNS,
    plugin: options.Plugins = None,
    as_json: options.AsJson = False,
) -> None:
    """Show what differs between two runs: config, environment, metrics, weights, predictions.

    Where both were made on the same data, every test image counts: which ones only one of them
    gets right, and by McNemar's test whether that can be chance for these two sets of weights. A
    run of a sweep that has not seen the test split is evaluated for it, as `runs show` does, unless
    it lies outside the runs folder, where nothing is written.
    """
    from dataclasses import asdict, replace

    from mnistlab.console.progress import fetch_progress
    from mnistlab.errors import RunFolderError
    from mnistlab.run_folders.folder import SweepFolder
    from mnistlab.run_folders.places import is_inside
    from mnistlab.store.compare import find_differences
    from mnistlab.store.opening import open_given

    given = open_given([first, second], runs_dir)
    given = given * 2 if len(given) == 1 else given  # a run is the same as itself
    folders = [one.folder for one in given if one.folder is not None]
    if len(folders) != 2 or len(given) != 2:
        refused = next((one.refused for one in given if one.refused), "")
        raise RunFolderError(refused or f"runs diff: takes two runs, not {len(given)}")
    for folder in folders:
        if isinstance(folder, SweepFolder):
            raise RunFolderError(
                f"{folder.name}: is a sweep; name one of its runs, {folder.name}/0 for its first"
            )
    for folder in folders:
        if is_inside(folder.path, runs_dir):
            evaluate_test_if_missing(folder)
    found = find_differences(folders[0], folders[1], fetch_progress(quiet=as_json))
    found = replace(found, runs=(given[0].label, given[1].label))
    if as_json:
        echo_json(asdict(found))
        return
    from mnistlab.console.printed_runs import print_differences

    print_differences(found)


@runs_app.command(short_help="Compare runs in a table and a picture.")
def compare(
    runs: options.GivenRuns,
    runs_dir: options.RunsDir = options.RUNS,
    plot: Annotated[
        bool, typer.Option("--plot", help="Draw the learning curves of all runs together.")
    ] = False,
    to: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Draw into this .png, .svg or .pdf (default: comparison.png); implies --plot.",
        ),
    ] = None,
    force: options.Force = False,
    as_json: options.AsJson = False,
) -> None:
    """Compare two to twelve runs: the settings that differ, the metrics, the best of each.

    A sweep stands for all of its runs. Their test split is not looked at for this: a run that
    has not seen it has no test metrics here.
    """
    from dataclasses import asdict

    from mnistlab.console.printed_runs import print_comparison
    from mnistlab.errors import InputError, shown
    from mnistlab.plots import check_picture, save_picture
    from mnistlab.store.compare import choose_runs, compare_runs, draw_comparison
    from mnistlab.store.opening import open_given

    given = open_given(runs, runs_dir)
    chosen = choose_runs(given)
    picture = to or (Path("comparison.png") if plot else None)
    if picture is not None:
        check_picture(picture)
        if not force and (picture.exists() or picture.is_symlink()):
            raise InputError(f"{shown(picture)}: is there already; --force replaces it")
    comparison = compare_runs(chosen)
    if picture is not None:
        figure, has_curves = draw_comparison(list(chosen.values()), comparison)
        save_picture(figure, picture)
        if not has_curves:
            echo(
                "warning: none of these runs measured a finite loss, so the picture has no curve; "
                "runs plot RUN draws where one overflowed",
                err=True,
            )
    if as_json:
        echo_json(asdict(comparison) | {"plot": None if picture is None else str(picture)})
    else:
        print_comparison(comparison)
        if picture is not None:
            echo(f"plot: {picture}")
    fail_if_refused(given)


@runs_app.command(short_help="Draw the plots of a run or a sweep.")
def plot(
    run: options.RunName,
    runs_dir: options.RunsDir = options.RUNS,
    form: Annotated[
        str | None, typer.Option("--format", metavar="png|svg|pdf", help="The kind of picture.")
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE|FOLDER",
            help="Write there instead of into the run's plots: a .pdf takes all plots, a .png or "
            ".svg one, a folder a file each.",
        ),
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Draw this plot, weights for example, and no other."),
    ] = None,
    force: options.Force = False,
    plugin: options.Plugins = None,
    as_json: options.AsJson = False,
) -> None:
    """Draw the plots of a run or a sweep from its folder, again if they are there already.

    For a run of a sweep that was not the best this evaluates the test split, as `runs show` does.
    """
    from mnistlab.errors import MnistlabError
    from mnistlab.run_folders.places import find_run

    folder = find_run(run, runs_dir)
    kind = _kind_of_picture(form, to, force=force)
    if not folder.summary.exists():
        raise MnistlabError(f"{folder.name}: is not finished, so there is nothing to draw yet")
    if damaged := folder.damaged_files():
        raise MnistlabError(
            f"{folder.path / damaged[0]}: is not what the run left, so nothing is drawn from it"
        )
    if form or to or only:
        from mnistlab.plots import write_plots

        evaluate_test_if_missing(folder, required=True)
        drawn = [str(path) for path in write_plots(folder, kind, only=only, to=to)]
    else:
        drawn = _draw_all(folder, plugin or [])
    if as_json:
        echo_json(drawn)
    else:
        echo("\n".join(f"plot: {path}" for path in drawn))


def _kind_of_picture(form: str | None, to: Path | None, *, force: bool) -> str:
    """Return png, svg or pdf, as --format or the ending of --to says; raise InputError."""
    from mnistlab.errors import InputError, UnknownNameError, shown
    from mnistlab.plots.drawing import FORMATS, check_picture

    kinds = [ending.removeprefix(".") for ending in FORMATS]
    if form is not None and form not in kinds:
        raise UnknownNameError("format", form, kinds)
    if to is None or to.is_dir():
        return form or "png"
    check_picture(to)
    ending = to.suffix.lower().removeprefix(".")
    if form not in (None, ending):
        raise InputError(f"--to {shown(to)}: is no {form}; leave out --format, or name a .{form}")
    if not force and (to.exists() or to.is_symlink()):
        raise InputError(f"--to {shown(to)}: is there already; --force replaces it")
    return ending


def _draw_all(folder: "RunFolder", plugins: list[Path]) -> list[str]:
    """Draw every plot into the run's folder by the drawing process; return the files."""
    from mnistlab.errors import MnistlabError
    from mnistlab.plots.drawing import Painter

    with Painter(plugins) as painter:
        evaluate_test_if_missing(folder, required=True)
        try:
            return [str(folder.plot(name)) for name in painter.draw(folder.path)]
        except RuntimeError as error:
            raise MnistlabError(f"{folder.name}: the plots could not be drawn: {error}") from None
