"""`mnistlab config`: look at configs, check them, and tell editors about them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnistlab.cli.completion import complete_config
from mnistlab.cli.options import (
    AsJson,
    ConfigFile,
    Plugins,
    echo,
    echo_json,
    find_config_file,
)

if TYPE_CHECKING:
    from mnistlab.config.schema import Config

app = typer.Typer(
    help="Show, check and describe config files.", no_args_is_help=True, rich_markup_mode=None
)


@app.command("list", short_help="List the configs that come with mnistlab.")
def list_configs(as_json: AsJson = False) -> None:
    """List the shipped configs and sweeps: `--config NAME` takes them, in any folder."""
    from mnistlab.config.config_files import describe_config, shipped_configs

    described = {name: describe_config(file) for name, file in shipped_configs().items()}
    if as_json:
        echo_json(described)
        return
    from mnistlab.console.tables import print_lines, shorten, table, terminal_width

    room = terminal_width() - max(map(len, described)) - 2
    rows = [(name, shorten(text, room)) for name, text in described.items()]
    print_lines(table(("config", "what it is"), rows, left=("config", "what it is")))


@app.command(short_help="Print the config that results.")
def show(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME] [KEY=VALUE]...",
            help="A shipped config or sweep by name or file, in place of --config, and overrides.",
            autocompletion=complete_config,
        ),
    ] = None,
    config: ConfigFile = None,
    plugin: Plugins = None,
    as_json: AsJson = False,
) -> None:
    """Print the resolved config: the defaults, then the file, then the overrides.

    `mnistlab config show linear > mine.yaml` is the beginning of a config of your own.
    """
    from mnistlab.config.load import load_config
    from mnistlab.errors import InputError
    from mnistlab.plugins import load_plugins
    from mnistlab.sweeps.sweep_file import is_sweep_file
    from mnistlab.sweeps.trials import load_sweep

    load_plugins(plugin or [])
    names = [word for word in words or [] if "=" not in word]
    overrides = [word for word in words or [] if "=" in word]
    if len(names) + (config is not None) > 1:
        raise InputError(f"config show: shows one config, and {names[0]!r} is another")
    path = find_config_file(Path(names[0])) if names else config
    if path is None or not is_sweep_file(path):
        print_settled(load_config(path, overrides), as_json=as_json)
        return
    sweep = load_sweep(path, overrides)
    if as_json:
        echo_json(sweep.document)
    else:
        echo(sweep.to_yaml().removesuffix("\n"))


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
    from mnistlab.config.config_files import find_config
    from mnistlab.config.load import load_config
    from mnistlab.errors import ConfigError
    from mnistlab.plugins import load_plugins
    from mnistlab.sweeps.sweep_file import is_sweep_file
    from mnistlab.sweeps.trials import load_sweep

    load_plugins(plugin or [])
    findings: dict[str, str | None] = {}
    for file in files:
        try:
            path = find_config(file)
            read = load_sweep if is_sweep_file(path) else load_config
            read(path)
            findings[str(file)] = None
        except ConfigError as error:
            findings[str(file)] = str(error)
    if as_json:
        echo_json([{"file": file, "error": error} for file, error in findings.items()])
    else:
        for name, finding in findings.items():
            echo(finding or f"{name}: valid")
    if any(findings.values()):
        raise typer.Exit(2)


@app.command(short_help="Print a JSON Schema for editors.")
def schema(plugin: Plugins = None) -> None:
    """Print a JSON Schema of config files, for completion and checks in an editor."""
    from mnistlab.config.schema import config_type
    from mnistlab.plugins import load_plugins

    load_plugins(plugin or [])

    draft = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    echo_json(draft | config_type().model_json_schema())
