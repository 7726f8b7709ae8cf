"""`greentill till`: a till's life from its kit to its end; the commands are in the modules beside this."""

import typer

from greentill.till_kits import kit_command
from greentill.till_life import (
    decommission_command,
    move_command,
    replace_command,
    revoke_command,
    rotate_command,
)
from greentill.till_status import status_command

app = typer.Typer()

for name, command, example in (
    ("kit", kit_command, "--serial 10000000abcd --store ST-367 --stage dev --out kit"),
    ("status", status_command, "--stage dev --watch"),
    ("move", move_command, "10000000abcd --store ST-406"),
    ("rotate", rotate_command, "10000000abcd --wait"),
    ("replace", replace_command, "10000000abcd --out kit"),
    ("revoke", revoke_command, "10000000abcd --reason stolen"),
    ("decommission", decommission_command, '10000000abcd --reason "store closed"'),
):
    app.command(name, epilog=f"Example: greentill till {name} {example}")(command)
