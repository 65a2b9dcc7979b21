"""The smallest typer program there is: what `--help` costs before a program adds anything."""

import typer

app = typer.Typer()


@app.command()
def hello(name: str) -> None:
    """Greet someone."""
    typer.echo(f"Hello {name}")


if __name__ == "__main__":
    app()
