"""`greentill till`."""

import typer

app = typer.Typer()
