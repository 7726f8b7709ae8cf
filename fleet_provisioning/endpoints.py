"""Where a till finds AWS IoT in this account and Region."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Endpoints:
    """Host names, without scheme or port."""

    data: str
    credentials: str


def endpoints(iot: Any) -> Endpoints:
    """The account's own endpoints, asked once for all kits of a run."""

    def address(kind: str) -> str:
        return str(iot.describe_endpoint(endpointType=kind)["endpointAddress"])

    return Endpoints(data=address("iot:Data-ATS"), credentials=address("iot:CredentialProvider"))
