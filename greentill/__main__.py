"""`greentill`: assemble the groups and turn expected errors into one sentence and an exit code."""

import sys
from importlib import import_module

import typer
from rich.markup import escape

from greentill.console import CommandError, err

GROUPS = {
    "catalogue": "What stores sell: publish it to their tills.",
    "release": "Build, check and publish component versions.",
    "sales": "Replay baskets through tills; prove what the cloud holds.",
    "till": "Make kits for new tills; see how tills are.",
    "twin": "Run the whole fleet on this machine, without an AWS account.",
}


def build() -> typer.Typer:
    """The application with every group attached."""
    app = typer.Typer(
        name="greentill",
        help="Tills that sell without a network, and the AWS side that receives every sale.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    for name, help_text in GROUPS.items():
        group: typer.Typer = import_module(f"greentill.{name}").app
        app.add_typer(group, name=name, help=help_text, no_args_is_help=True)
    return app


def main() -> None:
    """Run the command line; an expected error prints its sentence and sets the exit code."""
    try:
        build()(prog_name="greentill")
    except CommandError as error:
        err.print(f"[bold red]error:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
