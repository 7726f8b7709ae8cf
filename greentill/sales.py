"""`greentill sales`."""

import typer

app = typer.Typer()
