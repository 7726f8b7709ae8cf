"""`greentill release`: build, check and publish component versions."""

import typer

app = typer.Typer()
