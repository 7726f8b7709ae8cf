"""Certificates that were made for a rotation and not noted: a function may end between the two.

They have neither rights nor a thing, so nothing tells whose they are but the key that they certify. A row
names each key (`signing_keys`) before anything is made for it: a till of the fleet made that key for a
rotation, so an inactive certificate for it is the fleet's and nobody else's.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from infra.identity.certificates import GONE, HELD
from infra.identity.rotation.due import moment
from infra.identity.rotation.keys import key_of_certificate

PAGE = 250
CLOCKS = timedelta(minutes=5)  # between this function's and AWS IoT's
# A call that made one and is still at work would note it within minutes: a day is beyond every doubt.
OLD = timedelta(days=1)


def unrecorded(iot: Any, keys: frozenset[str], since: datetime) -> Iterator[tuple[str, datetime]]:
    """Ids of inactive certificates for `keys` made after `since`, and when; the newest first."""
    pages = iot.get_paginator("list_certificates").paginate(
        ascendingOrder=False, PaginationConfig={"PageSize": PAGE}
    )
    for page in pages:
        young = [one for one in page["certificates"] if one["creationDate"] >= since - CLOCKS]
        for one in young:
            if one["status"] == "INACTIVE" and _key(iot, one["certificateId"]) in keys:
                yield one["certificateId"], one["creationDate"]
        if not young:
            return


def end_unrecorded(iot: Any, entries: list[Mapping[str, Any]], now: datetime, age: timedelta = OLD) -> int:
    """Delete what the rows' `signing_keys` name and nobody has noted for `age`; how many there were.

    AWS IoT deletes no certificate that is active, has a policy or belongs to a thing: what a row has noted
    and equipped stays, whoever is wrong about it here.
    """
    if not entries:
        return 0
    keys = frozenset(str(entry["key"]) for entry in entries)
    since = min(moment(str(entry["since"])) for entry in entries)
    ended = 0
    for certificate_id, made in unrecorded(iot, keys, since):
        if now - made >= age:
            ended += _delete(iot, certificate_id)
    return ended


def _delete(iot: Any, certificate_id: str) -> bool:
    try:
        iot.delete_certificate(certificateId=certificate_id)
    except ClientError as error:
        if error.response["Error"]["Code"] not in {GONE, *HELD}:
            raise
        return False
    return True


def _key(iot: Any, certificate_id: str) -> str | None:
    """None for a certificate that is gone by now, or whose form is another than AWS IoT's own."""
    try:
        answer = iot.describe_certificate(certificateId=certificate_id)["certificateDescription"]
        return key_of_certificate(answer["certificatePem"])
    except ClientError as error:
        if error.response["Error"]["Code"] != GONE:
            raise
    except ValueError:
        pass  # somebody's own, registered with us
    return None
