"""The commands: each in a small file that parses, imports lazily and calls one function."""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import mnistlab
from mnistlab.cli import config, data, train
from mnistlab.errors import Interrupted


class _Group(TyperGroup):
    """Lets an interrupt through, which click would turn into "Aborted!" and exit code 1."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            typer.echo("mnistlab: interrupted", err=True)
            raise typer.Exit(getattr(stop, "exit_code", Interrupted().exit_code)) from None


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Every command has its own --help. --debug, anywhere, shows the traceback of an error.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mnistlab {mnistlab.__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """A lab bench for shallow classifiers: configs in, proven and repeatable runs out."""


app.command("train", no_args_is_help=True)(train.train)
app.add_typer(data.app, name="data")
app.add_typer(config.app, name="config")
