"""What the commands of `greentill till` share: errors as one sentence, progress as it comes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from fleet_provisioning.access import fleet_access, fleet_settings
from fleet_provisioning.errors import ProvisioningError
from fleet_provisioning.fleet import Fleet, Report
from greentill.console import CommandError, err
from infra.errors import SettingsError, near_miss
from infra.identity.rotation.shadow import UnsettledError


@contextmanager
def explained() -> Iterator[None]:
    """Errors that a user can do something about, as one sentence."""
    try:
        yield
    except (ProvisioningError, SettingsError, UnsettledError) as error:
        raise CommandError(str(error)) from error
    except OSError as error:
        raise CommandError(f"{error.filename or 'the kit'} can't be written: {error.strerror}") from error
    except (ClientError, BotoCoreError) as error:
        raise CommandError(
            f"{error}; is the fleet deployed in this account and Region? What was begun is finished by the "
            "same command again"
        ) from error


def expect_known(*, store: str | None = None, stage: str | None = None) -> None:
    """Raises CommandError for what fleet.toml doesn't have, before any account is asked."""
    with explained():
        settings = fleet_settings()
        for what, given, known in (("store", store, settings.stores), ("stage", stage, settings.stages)):
            if given is not None and given not in known:
                raise ProvisioningError(
                    f"{what} {given!r} isn't in fleet.toml{near_miss(given, known)}; "
                    f"there is: {', '.join(sorted(known))}"
                )


@contextmanager
def fleet_at_work() -> Iterator[Fleet]:
    """The fleet, whose steps are shown while they happen; errors are explained."""
    with explained(), _progress() as report:
        access = fleet_access()
        yield Fleet(access.session, access.names, access.settings, report)


@contextmanager
def _progress() -> Iterator[Report]:
    """A spinner with the latest step for people; plain lines without a terminal."""
    if not err.is_terminal:
        yield _line
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task("looking the till up")
        show: Callable[[str], None] = lambda step: progress.update(task, description=step)  # noqa: E731
        yield show


def _line(step: str) -> None:
    err.print(step, highlight=False, soft_wrap=True, markup=False)
