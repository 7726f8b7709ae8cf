"""Fleet status: what runs here and how it is, after each deployment and on a timer."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any

from . import VERSION
from .deployments import Outcome
from .mqtt import Mqtt
from .recipes import this_platform
from .state import StateFile
from .states import State
from .supervisor import Supervisor


class Health:
    """Publishes to `greengrassv2/health/json`."""

    def __init__(
        self, thing: str, link: Mqtt, state: StateFile, *, supervisor: Supervisor, seconds: float
    ) -> None:
        self._thing = thing
        self._link = link
        self._state = state
        self._supervisor = supervisor
        self._seconds = seconds
        self._number = 0

    async def run(self) -> None:
        """Once at the start, then on the timer."""
        self.send("NUCLEUS_LAUNCH")
        while True:
            await asyncio.sleep(self._seconds)
            self.send("CADENCE")

    def deployed(self, document: Mapping[str, Any], outcome: Outcome) -> None:
        """After a deployment."""
        group = ":thinggroup/" in str(document.get("configurationArn", ""))
        self.send(
            "THING_GROUP_DEPLOYMENT" if group else "THING_DEPLOYMENT",
            {
                "deploymentId": document.get("deploymentId"),
                "status": outcome.status,
                "statusDetails": dict(outcome.details),
                "fleetConfigurationArnForStatus": document.get("configurationArn"),
            },
        )

    def broke(self, _name: str, state: State) -> None:
        """A component's state changed."""
        if state == State.BROKEN:
            self.send("COMPONENT_STATUS_CHANGE")

    def send(self, trigger: str, deployment: Mapping[str, Any] | None = None) -> None:
        states, kept = self._supervisor.states(), self._state.kept
        self._number += 1
        well = all(state not in (State.BROKEN, State.ERRORED) for state in states.values())
        message: dict[str, Any] = {
            "thing": self._thing,
            "platform": "linux",
            "architecture": this_platform()["architecture"],
            "runtime": "aws_nucleus_classic",
            "ggcVersion": VERSION,
            "timestamp": int(time.time() * 1000),
            "sequenceNumber": self._number,
            "messageType": "COMPLETE",
            "trigger": trigger,
            "overallDeviceStatus": "HEALTHY" if well else "UNHEALTHY",
            "components": [
                {
                    "componentName": name,
                    "version": kept.components.get(name, ""),
                    "status": state,
                    "statusDetails": None,
                    "isRoot": name in kept.roots,
                    "fleetConfigArns": kept.roots.get(name, []),
                }
                for name, state in sorted(states.items())
            ],
        }
        if deployment is not None:
            message["deploymentInformation"] = deployment
        topic = f"$aws/things/{self._thing}/greengrassv2/health/json"
        self._link.publish(topic, json.dumps(message).encode())
