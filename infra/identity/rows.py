"""Changes of a till's row in the registry that depend on what the row says."""

from typing import Any

from botocore.exceptions import ClientError

CONDITION_FAILED = "ConditionalCheckFailedException"


def update_row(table: Any, thing: str, **update: Any) -> bool:
    """Update the row; False when it is no longer as the update's condition wants it.

    `table` is the registry as a boto3 resource, `update` what its `update_item` takes beside the key.
    """
    try:
        table.update_item(Key={"thing": thing}, **update)
    except ClientError as error:
        if error.response["Error"]["Code"] != CONDITION_FAILED:
            raise
        return False
    return True
