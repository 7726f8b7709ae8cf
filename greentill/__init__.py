"""The `greentill` command line: one Typer group per file, each a thin face on the package that does the work."""
