"""Athena over the segments as they lie: a projected partition a day; tills add nothing to the catalogue."""

from aws_cdk import aws_athena as athena
from aws_cdk import aws_glue as glue
from constructs import Construct

from infra.names import Names
from infra.storage.buckets import ATHENA_PREFIX
from infra.storage.queries import QUERIES

TABLE = "sales"
FIRST_DAY = "2026-01-01"

_LINE = (
    "sku:string,description:string,quantity:bigint,quantity_scale:int,unit_price:string,"
    "discount:bigint,total:bigint,tax_code:string,department:string"
)
_BODY = (
    f"struct<currency:string,lines:array<struct<{_LINE}>>,"
    "payments:array<struct<method:string,amount:bigint>>,"
    "totals:struct<total:bigint,discount:bigint,tax:bigint>,customer_ref:string,sold_at:string>"
)
COLUMNS = {
    "v": "int",
    "epoch": "string",
    "seq": "bigint",
    "kind": "string",
    "thing": "string",
    "store": "string",
    "terminal": "string",
    "cashier": "string",
    "sale_id": "string",
    "receipt_no": "string",
    "business_date": "string",
    "recorded_at": "string",
    "clock_synchronized": "boolean",
    "boot_id": "string",
    "monotonic_ns": "bigint",
    "catalogue_version": "string",
    "body": _BODY,
    "exceptions": "array<struct<code:string,message:string,path:string>>",
    "prev_hash": "string",
    "hash": "string",
}


class Analytics(Construct):
    def __init__(self, scope: Construct, names: Names) -> None:
        super().__init__(scope, "Analytics")
        database = glue.CfnDatabase(
            self,
            "Database",
            catalog_id=names.account,
            database_input=glue.CfnDatabase.DatabaseInputProperty(
                name=names.database, description="Sales of the fleet, one line per record"
            ),
        )
        self._table(names).add_resource_dependency(database)
        self._queries(names, database)

    def _table(self, names: Names) -> glue.CfnTable:
        location = f"s3://{names.sales_bucket}/sales/"
        return glue.CfnTable(
            self,
            "Sales",
            catalog_id=names.account,
            database_name=names.database,
            table_input=glue.CfnTable.TableInputProperty(
                name=TABLE,
                table_type="EXTERNAL_TABLE",
                parameters={
                    "classification": "json",
                    "compressionType": "gzip",
                    "projection.enabled": "true",
                    "projection.date.type": "date",
                    "projection.date.format": "yyyy-MM-dd",
                    "projection.date.range": f"{FIRST_DAY},NOW+1DAYS",
                    "storage.location.template": f"{location}date=${{date}}/",
                },
                partition_keys=[glue.CfnTable.ColumnProperty(name="date", type="string")],
                storage_descriptor=glue.CfnTable.StorageDescriptorProperty(
                    location=location,
                    input_format="org.apache.hadoop.mapred.TextInputFormat",
                    output_format="org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
                    serde_info=glue.CfnTable.SerdeInfoProperty(
                        serialization_library="org.openx.data.jsonserde.JsonSerDe"
                    ),
                    columns=[
                        glue.CfnTable.ColumnProperty(name=name, type=kind) for name, kind in COLUMNS.items()
                    ],
                ),
            ),
        )

    def _queries(self, names: Names, database: glue.CfnDatabase) -> None:
        workgroup = athena.CfnWorkGroup(
            self,
            "Workgroup",
            name=names.workgroup,
            description="Queries over the fleet's sales",
            recursive_delete_option=True,
            work_group_configuration=athena.CfnWorkGroup.WorkGroupConfigurationProperty(
                enforce_work_group_configuration=True,
                publish_cloud_watch_metrics_enabled=True,
                result_configuration=athena.CfnWorkGroup.ResultConfigurationProperty(
                    output_location=f"s3://{names.sales_bucket}/{ATHENA_PREFIX}",
                    encryption_configuration=athena.CfnWorkGroup.EncryptionConfigurationProperty(
                        encryption_option="SSE_S3"
                    ),
                ),
            ),
        )
        for query in QUERIES:
            saved = athena.CfnNamedQuery(
                self,
                query.construct_id,
                name=f"{names.prefix}{query.name}",
                description=query.description,
                database=names.database,
                work_group=names.workgroup,
                query_string=query.sql,
            )
            saved.add_resource_dependency(workgroup)
            saved.add_resource_dependency(database)
