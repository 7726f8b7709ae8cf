"""Asks the root helper of a machine, as a component of the till would."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography import x509

from tests.bootstrap.aws_iot import authority
from twin.machines import Machine, MachineError

PATIENCE = 120.0  # seconds; only a helper that never answers needs them
ASKS = "/run/greentill/asks"
ANSWERS = "/run/greentill/answers"


@dataclass(frozen=True)
class Helper:
    """The root helper of a booted till."""

    machine: Machine

    def root(self, script: str) -> str:
        """What a command of root's prints; it must succeed."""
        done = self.machine.run(["sh", "-c", script])
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def component(self, script: str) -> str:
        """What a command of a component's user prints; it must succeed."""
        done = self.machine.run(["sh", "-c", script], user="ggc_user")
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def ask(self, verb: str, how: str = "touch {ask}") -> dict[str, Any]:
        """Ask, and wait for the answer as the component reads it."""
        self.root(f"rm -f {ANSWERS}/{verb}.json")
        self.component(how.format(ask=f"{ASKS}/{verb}"))
        return self.answer(verb)

    def answer(self, verb: str) -> dict[str, Any]:
        """The answer to `verb`, once it is there."""
        told: list[str] = []

        def answered() -> bool:
            done = self.machine.run(["cat", f"{ANSWERS}/{verb}.json"], user="ggc_user")
            told.append(done.stdout)
            return done.returncode == 0

        wait(answered, f"an answer to {verb}")
        answer: dict[str, Any] = json.loads(told[-1])
        assert answer["verb"] == verb
        return answer

    def give(self, certificate: str) -> None:
        """Leave a certificate for the next swap."""
        done = self.machine.run(
            ["tee", f"{ASKS}/certificate.pem"], user="ggc_user", stdin=certificate, timeout=60
        )
        assert done.returncode == 0, done.stderr

    def certificate_for_new_key(self) -> str:
        """A certificate of our authority for the key that the helper makes."""
        answer = self.ask("request-certificate")
        assert answer["outcome"] == "done", answer
        request = x509.load_pem_x509_csr(answer["detail"]["csr"].encode())
        assert request.subject.rfc4514_string() == "CN=greentill-PI0001"
        return authority().sign(request.public_key(), "greentill-PI0001")  # type: ignore[arg-type]

    def in_use(self) -> str:
        """The fingerprint of the certificate in use, whose key must lie beside it."""
        both = [
            self.root(f"openssl {kind} /greengrass/v2/{file} {options}")
            for kind, file, options in (
                ("x509 -in", "thingCert.crt", "-noout -pubkey"),
                ("pkey -in", "privKey.key", "-pubout"),
            )
        ]
        assert both[0] == both[1]
        return self.certificate()

    def certificate(self) -> str:
        """Its fingerprint, also while certificate and key are being changed one after the other."""
        return self.root("openssl x509 -in /greengrass/v2/thingCert.crt -outform DER | sha256sum").split()[0]


def wait(condition: Callable[[], bool], what: str) -> None:
    """Until `condition` holds; a machine that is just going down or coming up doesn't answer."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except MachineError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"no {what} within {PATIENCE:.0f} s")
