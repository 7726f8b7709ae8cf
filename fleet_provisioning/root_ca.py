"""The certificate authorities that a till trusts: Amazon's own, or what `--root-ca` names."""

from pathlib import Path

import certifi
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from fleet_provisioning.errors import ProvisioningError

# https://docs.aws.amazon.com/iot/latest/developerguide/server-authentication.html
AMAZON = {f"Amazon Root CA {number}" for number in range(1, 5)}


def amazon_root_cas() -> str:
    """The four Amazon roots out of certifi, as PEM."""
    bundle = x509.load_pem_x509_certificates(Path(certifi.where()).read_bytes())
    found = {_common_name(one): one for one in bundle}
    if missing := sorted(AMAZON - set(found)):
        raise ProvisioningError(f"certifi lacks {', '.join(missing)}: update it, or give --root-ca FILE")
    return "".join(found[name].public_bytes(Encoding.PEM).decode() for name in sorted(AMAZON))


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


def _common_name(certificate: x509.Certificate) -> str:
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""
