"""`mnistlab config`: look at configs, check them, and tell editors about them."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Show, check and describe config files.", no_args_is_help=True, rich_markup_mode=None
)


@app.command()
def show(
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="Values that win.")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", metavar="FILE", help="A YAML file (default: none)."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of YAML.")] = False,
) -> None:
    """Print the resolved config: the defaults, then the file, then the overrides."""
    from mnistlab.config import load_config, to_yaml
    from mnistlab.runs.atomic import to_json

    settled = load_config(config, overrides or [])
    if as_json:
        typer.echo(to_json(settled.model_dump(exclude_none=True)))
    else:
        typer.echo(to_yaml(settled), nl=False)


@app.command()
def validate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="The files to check.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the findings as one JSON document.")
    ] = False,
) -> None:
    """Check config files; every one is checked, and exit code 2 tells that one is wrong."""
    from mnistlab.config import load_config
    from mnistlab.errors import ConfigError
    from mnistlab.runs.atomic import to_json

    findings: dict[str, str | None] = {}
    for file in files:
        try:
            load_config(file)
            findings[str(file)] = None
        except ConfigError as error:
            findings[str(file)] = str(error)
    if as_json:
        report = [{"file": file, "error": error} for file, error in findings.items()]
        typer.echo(to_json(report))
    else:
        for path, finding in findings.items():
            typer.echo(finding or f"{path}: valid")
    if any(findings.values()):
        raise typer.Exit(2)


@app.command()
def schema() -> None:
    """Print a JSON Schema of config files, for completion and checks in an editor."""
    from mnistlab.config import Config
    from mnistlab.runs.atomic import to_json

    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Config.model_json_schema(),
    }
    typer.echo(to_json(document))
