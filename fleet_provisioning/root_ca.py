"""The certificate authorities that a till trusts: Amazon's own, or what `--root-ca` names."""

import re
from pathlib import Path

import certifi
from cryptography import x509
from cryptography.x509.oid import NameOID

from fleet_provisioning.errors import ProvisioningError

# https://docs.aws.amazon.com/iot/latest/developerguide/server-authentication.html
AMAZON = {f"Amazon Root CA {number}" for number in range(1, 5)}
LABELLED = re.compile(
    r'# Label: "([^"]+)"\n(?:#.*\n)*(-----BEGIN CERTIFICATE-----\n[^-]+-----END CERTIFICATE-----\n)'
)


def amazon_root_cas() -> str:
    """The four Amazon roots out of certifi, as PEM."""
    # Only the labelled blocks are parsed: some of the bundle's other certificates are malformed.
    blocks = LABELLED.findall(Path(certifi.where()).read_text(encoding="utf-8"))
    found = {label: pem for label, pem in blocks if label in AMAZON and _common_name(pem) == label}
    if missing := sorted(AMAZON - set(found)):
        raise ProvisioningError(f"certifi lacks {', '.join(missing)}: update it, or give --root-ca FILE")
    return "".join(found[name] for name in sorted(AMAZON))


def root_ca(file: Path | None) -> str:
    """What goes into the kit as root-ca.pem. Raises ProvisioningError for a file without certificates."""
    if file is None:
        return amazon_root_cas()
    try:
        text = file.read_text()
        x509.load_pem_x509_certificates(text.encode())
    except (OSError, ValueError) as error:
        raise ProvisioningError(f"--root-ca {file} can't be used as PEM certificates: {error}") from error
    return text


def _common_name(pem: str) -> str:
    subject = x509.load_pem_x509_certificate(pem.encode()).subject
    names = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""
