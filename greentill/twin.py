"""`greentill twin`."""

import typer

app = typer.Typer()
