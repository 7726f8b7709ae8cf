"""The whole fleet as one CDK app: a stack per logical part, in the order in which they need each other."""

from pathlib import Path

from aws_cdk import App, Aws, Environment, Stack, Tags, Validations
from cdk_nag import AwsSolutionsChecks

from infra import settings as fleet_settings
from infra.cleanup.stack import Cleanup
from infra.components.built import builds
from infra.components.stack import Components
from infra.deployments.stack import StageDeployment
from infra.identity.stack import Identity
from infra.names import FLEET_TAG, Names
from infra.storage.stack import Storage


def build_app(root: Path, outdir: Path | None = None) -> App:
    """The app of the clone at `root`. SettingsError when its settings or what was built can't be deployed."""
    settings = fleet_settings.load(root)
    built = builds(root / "dist", settings.releases)
    names = Names(settings.fleet.name, Aws.ACCOUNT_ID, settings.fleet.region)
    environment = Environment(region=settings.fleet.region)

    app = App(outdir=str(outdir) if outdir else None)
    storage = Storage(app, names, environment, keep_sales=settings.fleet.keep_sales_on_destroy)
    identity = Identity(app, names, environment, settings)
    components = Components(app, names, environment, built)
    deployments = [
        StageDeployment(app, names, environment, stage, settings.releases[stage.name])
        for stage in settings.stages.values()
        if settings.releases[stage.name].components
    ]
    cleanup = Cleanup(app, names, environment, sorted(settings.stages))

    _needs(identity, storage)  # the tills' role goes before the tables that it writes to
    _needs(components, storage)
    for deployment in deployments:
        _needs(deployment, components, identity)
    _needs(cleanup, storage, identity, components, *deployments)

    Tags.of(app).add(FLEET_TAG, settings.fleet.name)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    return app


def _needs(stack: Stack, *others: Stack) -> None:
    for other in others:
        stack.add_stack_dependency(other)
