"""`mnistlab config`: look at configs, check them, and tell editors about them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnistlab.cli.options import AsJson, ConfigFile, Overrides, Plugins, echo, echo_json

if TYPE_CHECKING:
    from mnistlab.config.schema import Config

app = typer.Typer(
    help="Show, check and describe config files.", no_args_is_help=True, rich_markup_mode=None
)


@app.command(short_help="Print the config that results.")
def show(
    overrides: Overrides = None,
    config: ConfigFile = None,
    plugin: Plugins = None,
    as_json: AsJson = False,
) -> None:
    """Print the resolved config: the defaults, then the file, then the overrides."""
    from mnistlab.config.load import load_config
    from mnistlab.plugins import load_plugins

    load_plugins(plugin or [])
    print_settled(load_config(config, overrides or []), as_json=as_json)


def print_settled(config: "Config", *, as_json: bool) -> None:
    """Print a resolved config as YAML or as JSON."""
    from mnistlab.config.load import to_yaml

    if as_json:
        echo_json(config.model_dump(exclude_none=True))
    else:
        echo(to_yaml(config).removesuffix("\n"))


@app.command(short_help="Check config files; exit code 2 if one is wrong.")
def validate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="The files to check.")],
    plugin: Plugins = None,
    as_json: AsJson = False,
) -> None:
    """Check config and sweep files; each is checked, and exit code 2 tells that one is wrong."""
    from mnistlab.config.load import load_config
    from mnistlab.errors import ConfigError
    from mnistlab.plugins import load_plugins
    from mnistlab.sweeps.sweep_file import is_sweep_file
    from mnistlab.sweeps.trials import load_sweep

    load_plugins(plugin or [])
    findings: dict[str, str | None] = {}
    for file in files:
        try:
            read = load_sweep if is_sweep_file(file) else load_config
            read(file)
            findings[str(file)] = None
        except ConfigError as error:
            findings[str(file)] = str(error)
    if as_json:
        echo_json([{"file": file, "error": error} for file, error in findings.items()])
    else:
        for path, finding in findings.items():
            echo(finding or f"{path}: valid")
    if any(findings.values()):
        raise typer.Exit(2)


@app.command(short_help="Print a JSON Schema for editors.")
def schema() -> None:
    """Print a JSON Schema of config files, for completion and checks in an editor."""
    from mnistlab.config.schema import Config

    draft = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    echo_json(draft | Config.model_json_schema())
