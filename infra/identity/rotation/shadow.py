"""What the cloud wants of a till, in its shadow `certificate`: always what the till's row says.

Row and shadow can't be changed in one step, and a call may be slow or end anywhere. So nobody writes what it
has known for a while: whoever has changed a row settles its shadow after that, which looks at both until
they agree. A slow call that overwrote what another had settled finds that out and settles it again.
"""

import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from infra.identity.certificates import GONE, unless_gone

SHADOW = "certificate"
UNDER_WAY = ("wanted", "signed")
KEYS = ("rotation", "certificate_id", "certificate_pem")
MOST_LOOKS = 20


class UnsettledError(Exception):
    """Row and shadow were changed by others at every look."""


class Shadow:
    """`table` is the registry as a boto3 resource; `iot` and `data` are clients."""

    def __init__(self, table: Any, iot: Any, data: Any) -> None:
        self._table = table
        self._iot = iot
        self._data = data

    def settle(self, thing: str) -> None:
        """Raises UnsettledError; what is interrupted is done by repeating it."""
        for _ in range(MOST_LOOKS):
            row = self._table.get_item(Key={"thing": thing}, ConsistentRead=True).get("Item") or {}
            wanted = self._wanted(row)
            there = self._there(thing)
            if there is None and not any(wanted.values()):
                return
            if row.get("state") == "decommissioned":
                self._remove(thing)
                return
            desired, reported = _section(there, "desired"), _section(there, "reported")
            # a request that is signed, or that nobody is to sign, is of no use and as big as all the rest
            stale = "csr" in reported and not _awaits_request(row)
            if {key: desired.get(key) for key in KEYS} == wanted and not stale:
                return
            self._write(thing, desired=wanted, **({"reported": {"csr": None}} if stale else {}))
        raise UnsettledError(f"the shadow of {thing} is being changed by others: repeat this")

    def reported(self, thing: str) -> Mapping[str, Any]:
        """What the till has said last; empty when it never has."""
        return _section(self._there(thing), "reported")

    def _wanted(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """None takes a key away."""
        order = row.get("rotation") or {}
        if row.get("state") != "provisioned" or order.get("state") not in UNDER_WAY:
            return dict.fromkeys(KEYS)
        certificate = self._usable(order["certificate_id"]) if order.get("certificate_id") else None
        if certificate is None:
            return {"rotation": order["id"], "certificate_id": None, "certificate_pem": None}
        return {
            "rotation": order["id"],
            "certificate_id": order["certificate_id"],
            "certificate_pem": certificate,
        }

    def _usable(self, certificate_id: str) -> str | None:
        """Its PEM, once the till can use it."""
        try:
            answer = self._iot.describe_certificate(certificateId=certificate_id)["certificateDescription"]
        except ClientError as error:
            if error.response["Error"]["Code"] != GONE:
                raise
            return None
        return str(answer["certificatePem"]) if answer["status"] == "ACTIVE" else None

    def _there(self, thing: str) -> Mapping[str, Any] | None:
        try:
            answer = self._data.get_thing_shadow(thingName=thing, shadowName=SHADOW)
        except ClientError as error:
            if error.response["Error"]["Code"] != GONE:
                raise
            return None
        state = json.loads(answer["payload"].read()).get("state")
        return state if isinstance(state, Mapping) else {}

    def _remove(self, thing: str) -> None:
        unless_gone(lambda: self._data.delete_thing_shadow(thingName=thing, shadowName=SHADOW))

    def _write(self, thing: str, **sections: Mapping[str, Any]) -> None:
        """Where the thing is gone by now, so is its shadow, or nearly: the next look sees it."""
        payload = json.dumps({"state": {name: dict(section) for name, section in sections.items()}}).encode()
        unless_gone(
            lambda: self._data.update_thing_shadow(thingName=thing, shadowName=SHADOW, payload=payload)
        )


def _section(state: Mapping[str, Any] | None, name: str) -> Mapping[str, Any]:
    section = (state or {}).get(name)
    return section if isinstance(section, Mapping) else {}


def _awaits_request(row: Mapping[str, Any]) -> bool:
    order = row.get("rotation") or {}
    return bool(row.get("state") == "provisioned" and order.get("state") == "wanted")
