"""Who the till is, once it is provisioned: `config/identity.json` and the files that it names."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from .storage import read_json, write, write_json


@dataclass(frozen=True, slots=True)
class Identity:
    """Thing name, and paths of its certificate and key."""

    thing: str
    certificate: str
    private_key: str


def load(configuration_folder: Path) -> Identity | None:
    """The identity, or None before provisioning."""
    found = read_json(configuration_folder / "identity.json", None)
    return Identity(**found) if found else None


def store(root: Path, thing: str, certificate_pem: str, private_key_pem: str) -> Identity:
    """Keep key and certificate first: the identity file is what says that provisioning is over."""
    certificate, key = root / "thingCert.crt", root / "privKey.key"
    write(key, private_key_pem.encode(), 0o600)
    write(certificate, certificate_pem.encode(), 0o600)
    identity = Identity(thing, str(certificate), str(key))
    write_json(root / "config" / "identity.json", asdict(identity), 0o600)
    return identity
