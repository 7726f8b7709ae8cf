"""The claim of one kit: a key made here that is sent nowhere, and a certificate that may only provision."""

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from fleet_provisioning.errors import NotDeployedError
from infra.names import Names

KEY_BITS = 2048  # what AWS IoT makes itself; every nucleus can read it


@dataclass(frozen=True)
class Claim:
    certificate_id: str
    arn: str
    certificate_pem: str
    private_key_pem: str


def make_claim(iot: Any, thing: str) -> Claim:
    """An active certificate without any right yet, from a signing request made here."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"claim {thing}")])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    made = iot.create_certificate_from_csr(
        certificateSigningRequest=request.public_bytes(serialization.Encoding.PEM).decode(), setAsActive=True
    )
    private_key = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    return Claim(made["certificateId"], made["certificateArn"], made["certificatePem"], private_key.decode())


def permit(iot: Any, claim: Claim, names: Names) -> None:
    """Let the claim provision. Raises NotDeployedError when the fleet has no claim policy."""
    try:
        iot.attach_policy(policyName=names.claim_policy, target=claim.arn)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        raise NotDeployedError(
            f"there is no policy {names.claim_policy} in {names.region}: deploy the Identity stack first, "
            f"with make deploy"
        ) from error


def forbid(iot: Any, claim: Claim, names: Names) -> None:
    """Take the policy off again; nothing happens where it isn't attached."""
    iot.detach_policy(policyName=names.claim_policy, target=claim.arn)


def destroy(iot: Any, claim: Claim) -> None:
    """Deactivate and delete the certificate."""
    iot.update_certificate(certificateId=claim.certificate_id, newStatus="INACTIVE")
    iot.delete_certificate(certificateId=claim.certificate_id)
