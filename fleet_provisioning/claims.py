"""The claim of one kit: a key made here that is sent nowhere, and a certificate that may only provision."""

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from fleet_provisioning.errors import ChangedError, NotDeployedError
from infra.identity.certificates import GONE
from infra.names import Names

KEY_BITS = 2048  # what AWS IoT makes itself; every nucleus can read it


@dataclass(frozen=True)
class Claim:
    certificate_id: str
    arn: str
    certificate_pem: str
    private_key_pem: str


def make_claim(iot: Any, thing: str) -> Claim:
    """A certificate without any right, inactive as yet, from a signing request made here.

    Should this run end before the registry has heard of it, nobody can ever use it.
    """
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"claim {thing}")])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    made = iot.create_certificate_from_csr(
        certificateSigningRequest=request.public_bytes(serialization.Encoding.PEM).decode(), setAsActive=False
    )
    private_key = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    return Claim(made["certificateId"], made["certificateArn"], made["certificatePem"], private_key.decode())


def permit(iot: Any, claim: Claim, names: Names) -> None:
    """Let the claim provision.

    Raises NotDeployedError when the fleet has no claim policy, ChangedError when somebody has ended it.
    """
    try:
        iot.attach_policy(policyName=names.claim_policy, target=claim.arn)
    except ClientError as error:
        if error.response["Error"]["Code"] != GONE:
            raise
        if not _exists(iot, claim):
            raise _ended_meanwhile() from error
        raise NotDeployedError(
            f"there is no policy {names.claim_policy} in {names.region}: deploy the Identity stack first, "
            f"with make deploy"
        ) from error


def activate(iot: Any, claim: Claim) -> None:
    """From now on the claim can be used. Raises ChangedError when somebody has ended it."""
    try:
        iot.update_certificate(certificateId=claim.certificate_id, newStatus="ACTIVE")
    except ClientError as error:
        if error.response["Error"]["Code"] != GONE:
            raise
        raise _ended_meanwhile() from error


def _exists(iot: Any, claim: Claim) -> bool:
    try:
        iot.describe_certificate(certificateId=claim.certificate_id)
    except ClientError as error:
        if error.response["Error"]["Code"] != GONE:
            raise
        return False
    return True


def _ended_meanwhile() -> ChangedError:
    return ChangedError(
        "the kit's claim was ended while the kit was made: somebody else has revoked or replaced the till; "
        "look at it with greentill till status, then try again"
    )


def certificate_id(certificate_pem: bytes) -> str:
    """The id under which AWS IoT keeps a certificate: the SHA-256 of its DER form. ValueError for no PEM."""
    return x509.load_pem_x509_certificate(certificate_pem).fingerprint(hashes.SHA256()).hex()
