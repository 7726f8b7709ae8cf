"""The `greentill` command line: a Typer group per file, a thin face on the package that does the work."""
