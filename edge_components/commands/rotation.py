"""The till's part in a rotation: ask for a certificate, have it swapped in, find out which one won, tell.

Each step follows from the shadow's document, the helper's answers and one small file, so that it can be
repeated after any interruption. The helper alone touches keys; a swap that nobody confirms it undoes itself.
"""

from __future__ import annotations

import binascii
import hashlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from edge_components.commands.helper import Answer, Helper
from edge_components.commands.memory import Memory, Swap, boot_id
from edge_components.commands.shadow import Document

log = logging.getLogger("commands")

# Longer than the helper lets a swap stand unconfirmed: by then one of the two certificates has won.
UNANSWERED_SECONDS = 1_200.0
OVER = ("swapped", "failed")


class SwappedError(Exception):
    """The nucleus was restarted with the new certificate: this process speaks through the old one."""


class Rotation:
    """`report` publishes the reported part of the shadow; it may raise IpcError, and is then repeated."""

    def __init__(
        self,
        helper: Helper,
        memory: Memory,
        report: Callable[[Mapping[str, Any]], None],
        boot: Callable[[], str] = boot_id,
    ) -> None:
        self._helper = helper
        self._memory = memory
        self._report = report
        self._boot = boot

    def follow(self, document: Document) -> bool:
        """Do what is to be done next; whether more is expected soon.

        Raises HelperError, IpcError, or SwappedError after which the process has to begin again.
        """
        swap = self._memory.load()
        if swap is not None:
            return self._conclude(swap, document)
        wanted = str(document.desired.get("rotation") or "")
        told = document.reported if document.reported.get("rotation") == wanted else {}
        if not wanted or told.get("state") in OVER:
            return False
        if document.desired.get("certificate_pem") and document.desired.get("certificate_id"):
            self._swap(wanted, document)
        else:
            self._request(wanted)
        return True

    def _request(self, wanted: str) -> None:
        """Repeated while there is no certificate: the helper keeps its key, the cloud its certificate."""
        answer = self._helper.ask("request-certificate")
        if not answer.done:
            self._report(_told(wanted, "failed", reason=answer.message))
            return
        self._report(_told(wanted, "requested", csr=str(answer.detail.get("csr", ""))))
        log.info("rotation %s: a certificate is requested", wanted)

    def _swap(self, wanted: str, document: Document) -> None:
        pem = str(document.desired["certificate_pem"])
        certificate_id = str(document.desired["certificate_id"])
        try:
            fingerprint = fingerprint_of(pem)
        except ValueError:
            self._report(_told(wanted, "failed", certificate_id, "the certificate that came can't be read"))
            return
        swap = Swap(wanted, certificate_id, fingerprint, self._boot(), time.time())
        self._memory.save(swap)
        self._helper.give("certificate.pem", pem.encode())
        log.info("rotation %s: swapping to certificate %s", wanted, certificate_id[:8])
        answer = self._helper.ask("swap-certificate")
        if answer.done:
            raise SwappedError
        self._over(swap, "failed", answer.message or "the helper refused the certificate")

    def _conclude(self, swap: Swap, document: Document) -> bool:
        """Until the cloud has heard how the swap ended, tell it again."""
        if not swap.outcome:
            answer = self._helper.answer("swap-certificate")
            if not self._settled(swap, answer, document):
                return True
            if answer and not answer.done and swap.boot_id == self._boot():
                self._over(swap, "failed", answer.message)
            else:
                self._confirm(swap)
            return True
        heard = (document.reported.get("rotation"), document.reported.get("state"))
        if heard == (swap.rotation, swap.outcome):
            self._memory.clear()
            return bool(document.desired.get("rotation") != swap.rotation)
        self._tell(swap)
        return True

    def _settled(self, swap: Swap, answer: Answer | None, document: Document) -> bool:
        """Whether the swap is over and the document came through the nucleus as it is since."""
        if swap.boot_id != self._boot():
            return True  # what was asked before the power went is no longer under way
        if answer is not None and answer.written >= swap.asked_at - 1:
            return document.asked_at >= answer.written
        return time.time() - swap.asked_at > UNANSWERED_SECONDS

    def _confirm(self, swap: Swap) -> None:
        """The till is connected: let go of the way back, and see which certificate it is connected with."""
        kept = self._helper.ask("keep-certificate")
        if not kept.done:
            log.warning("the swap can't be confirmed yet: %s", kept.message)
        elif kept.fingerprint == swap.fingerprint:
            self._over(swap, "swapped", "")
        else:
            self._over(swap, "failed", "the till did not come back with the new certificate, and went back")

    def _over(self, swap: Swap, outcome: str, reason: str) -> None:
        ended = replace(swap, outcome=outcome, reason=reason)
        self._memory.save(ended)
        log.log(
            logging.INFO if outcome == "swapped" else logging.WARNING,
            "rotation %s has %s%s",
            swap.rotation,
            outcome,
            f": {reason}" if reason else "",
        )
        self._tell(ended)

    def _tell(self, swap: Swap) -> None:
        self._report(_told(swap.rotation, swap.outcome, swap.certificate_id, swap.reason))


def fingerprint_of(pem: str) -> str:
    """SHA-256 in hex of the first certificate's DER, which is AWS IoT's certificate id. Raises ValueError."""
    body = pem.partition("-----BEGIN CERTIFICATE-----")[2].partition("-----END CERTIFICATE-----")[0]
    if not body.strip():
        raise ValueError("there is no certificate in it")
    return hashlib.sha256(binascii.a2b_base64("".join(body.split()), strict_mode=True)).hexdigest()


def _told(
    rotation: str,
    state: str,
    certificate_id: str | None = None,
    reason: str | None = None,
    csr: str | None = None,
) -> dict[str, Any]:
    return {
        "rotation": rotation,
        "state": state,
        "certificate_id": certificate_id,
        "reason": reason or None,
        "csr": csr,
    }
