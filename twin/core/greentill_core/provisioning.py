"""Fleet provisioning by claim: a certificate of the till's own, then its thing name."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from contextlib import suppress
from typing import Any

from awscrt import mqtt
from awscrt.exceptions import AwsCrtError
from awsiot import mqtt_connection_builder

from . import identity
from .errors import CoreError, NotReachableError
from .identity import Identity
from .mqtt import answer
from .settings import Settings

_ANSWER_SECONDS = 30.0
_CREATE = "$aws/certificates/create/json"


class RefusedError(CoreError):
    """The cloud answered, and said no."""


async def ensure(settings: Settings, log: logging.Logger) -> Identity:
    """The till's identity; on a till without one, provision, and keep trying for ever."""
    found = identity.load(settings.configuration_folder)
    if found is not None:
        return found
    pause = 1.0
    while True:
        try:
            made = await _provision(settings)
        except RefusedError as error:
            log.error("provisioning was refused: %s. Ask head office for a new kit.", error)  # noqa: TRY400 - the sentence says it all
        except NotReachableError as error:
            log.warning("can't provision yet: %s", error)
        else:
            log.info("provisioned as %s", made.thing)
            return made
        await asyncio.sleep(random.uniform(0.5, 1) * pause)  # noqa: S311 - spreads retries
        pause = min(pause * 2, settings.longest_backoff_seconds)


async def _provision(settings: Settings) -> Identity:
    if not (settings.claim_certificate.is_file() and settings.claim_private_key.is_file()):
        raise NotReachableError(f"there is no claim at {settings.claim_certificate}")
    connection = mqtt_connection_builder.mtls_from_path(
        cert_filepath=str(settings.claim_certificate),
        pri_key_filepath=str(settings.claim_private_key),
        ca_filepath=str(settings.root_ca),
        endpoint=settings.iot_data_endpoint,
        port=settings.mqtt_port,
        client_id=f"provisioning-{settings.serial}",
        clean_session=True,
        keep_alive_secs=settings.keep_alive_seconds,
    )
    try:
        await answer(connection.connect(), _ANSWER_SECONDS)
        certificate = await _ask(connection, _CREATE, {})
        given = await _ask(
            connection,
            f"$aws/provisioning-templates/{settings.provisioning_template}/provision/json",
            {
                "certificateOwnershipToken": certificate["certificateOwnershipToken"],
                "parameters": {"SerialNumber": settings.serial},
            },
        )
        return identity.store(
            settings.root, given["thingName"], certificate["certificatePem"], certificate["privateKey"]
        )
    except (AwsCrtError, TimeoutError) as error:
        raise NotReachableError(f"AWS IoT does not answer: {error or 'no answer in time'}") from error
    except KeyError as error:
        raise NotReachableError(f"AWS IoT's answer lacks {error}") from error
    finally:
        with suppress(AwsCrtError, TimeoutError):
            await answer(connection.disconnect(), 2)


async def _ask(connection: Any, topic: str, body: dict[str, Any]) -> dict[str, Any]:
    """Publish and wait for `/accepted` or `/rejected`."""
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[tuple[str, bytes]] = loop.create_future()

    def settle(heard: str, payload: bytes) -> None:
        if not answered.done():
            answered.set_result((heard, payload))

    def arrived(topic: str, payload: bytes, **_: Any) -> None:
        loop.call_soon_threadsafe(settle, topic, bytes(payload))

    for ending in ("accepted", "rejected"):
        await answer(
            connection.subscribe(f"{topic}/{ending}", mqtt.QoS.AT_LEAST_ONCE, arrived)[0], _ANSWER_SECONDS
        )
    await answer(connection.publish(topic, json.dumps(body), mqtt.QoS.AT_LEAST_ONCE)[0], _ANSWER_SECONDS)
    heard, payload = await asyncio.wait_for(answered, _ANSWER_SECONDS)
    try:
        found = dict(json.loads(payload))
    except (ValueError, TypeError) as error:
        raise NotReachableError(f"{heard} is not JSON: {error}") from error
    if heard.endswith("/rejected"):
        raise RefusedError(
            f"{found.get('errorCode', 'no code')}, {found.get('errorMessage', payload.decode())}"
        )
    return found
