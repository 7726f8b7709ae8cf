"""Where sales end up: tables, buckets, and the way to query them."""

from aws_cdk import App, Environment, Stack

from infra.names import Names
from infra.storage.analytics import Analytics
from infra.storage.buckets import Buckets
from infra.storage.tables import Tables


class Storage(Stack):
    def __init__(self, app: App, names: Names, environment: Environment, *, keep_sales: bool) -> None:
        super().__init__(
            app,
            names.stack("Storage"),
            env=environment,
            description="Greentill: sales tables, sales and artifact buckets, queries",
        )
        Tables(self, names, keep_sales=keep_sales)
        buckets = Buckets(self, names, keep_sales=keep_sales)
        Analytics(self, names).node.add_dependency(buckets.sales)
