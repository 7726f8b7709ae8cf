"""`greentill sales recompute`: a business date added up again from the bucket."""

from datetime import date as calendar_date
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.table import Table

from greentill.console import CommandError, JsonOption, err, out, print_json
from infra.errors import SettingsError
from sales.access import AccessError, cloud
from sales.recompute import Recomputed, recompute


def recompute_command(
    date: Annotated[str, typer.Option(help="The business date, as 2026-11-21.")],
    as_json: JsonOption = False,
) -> None:
    """Add up a business date from S3 and hold it against the tills' own sums; exit 1 when they differ.

    Example: greentill sales recompute --date 2026-11-21
    """
    day = _day(date)
    try:
        found = recompute(cloud(), day)
    except (SettingsError, AccessError) as error:
        raise CommandError(str(error)) from error
    except (ClientError, BotoCoreError) as error:
        raise CommandError(f"{error}; is the fleet deployed in this account and Region?") from error
    if as_json:
        print_json(found.document())
    else:
        _print(found)
    if not found.sound:
        raise typer.Exit(1)


def _day(text: str) -> str:
    try:
        return calendar_date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise CommandError(f"{text!r} is no date; write it as 2026-11-21") from error


def _print(found: Recomputed) -> None:
    table = Table("till", "epoch", "records", "sales", "refunds", "voids", "tax", "against the till's own")
    table.caption = "amounts in minor units, such as cents"
    for day in found.days:
        sums = (day.computed.sums[name] for name in ("sales", "refunds", "voids", "tax"))
        table.add_row(
            day.thing, day.computed.epoch, str(day.computed.count), *(f"{one:,}" for one in sums), day.state
        )
    out.print(table)
    for problem in (*map(str, found.findings), *found.unusable):
        err.print(problem, style="red", highlight=False, soft_wrap=True, markup=False)
