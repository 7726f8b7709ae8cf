"""Why the cloud did not take something, told apart, since each asks for another remedy."""

from __future__ import annotations

from enum import StrEnum

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    HTTPClientError,
    MetadataRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    ReadTimeoutError,
    SSLError,
)
from botocore.exceptions import (
    ConnectionError as BotocoreConnectionError,
)
from botocore.parsers import ResponseParserError

from edge_components.edgekit.ledger import LedgerUnavailableError


class Kind(StrEnum):
    """What stands in the way. Only CONTENT is about a record; everything else is waited out."""

    THROTTLED = "throttled"
    DENIED = "denied"
    MISSING = "missing"
    CREDENTIALS = "no credentials"
    NETWORK = "network"
    HANGING = "no answer in time"
    CLOCK = "clock skew"
    CONTENT = "refused content"
    NOT_AWS = "an answer that isn't from AWS"
    CLOUD = "trouble in the cloud"
    LEDGER = "no ledger to read"
    OWN = "trouble on this till"


THROTTLED = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "Throttling",
        "ThrottledException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "SlowDown",
    }
)
MISSING = frozenset({"ResourceNotFoundException", "NoSuchBucket"})
WRONG_TIME = ("certificate is not yet valid", "certificate has expired")  # by this till's clock
CLOCK = frozenset({"RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"})
EXPIRED = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "TokenRefreshRequired",
    }
)  # credentials that the service no longer takes: others have to be fetched
CONTENT = frozenset(
    {
        "ValidationException",
        "SerializationException",
        "ItemCollectionSizeLimitExceededException",
        "EntityTooLarge",
        "RequestEntityTooLarge",
    }
)


class NotAwsError(Exception):
    """An answer lacks what every answer of the service has: a captive portal, or a proxy's page."""


class UnusableRecordError(Exception):
    """A record in the ledger from which no item can be made."""


class AssignmentError(Exception):
    """The registry has no assignment that a till could use."""


class CatalogueError(Exception):
    """The store's catalogue isn't there yet, or isn't what it should be; the till keeps the one it has."""


class NotAcknowledgedError(Exception):
    """The service left part of a request undone (UnprocessedItems); what it did is kept."""


def classify(error: BaseException) -> Kind:
    """What kind of trouble an exception is."""
    if isinstance(error, ClientError):
        return _of_answer(error)
    if isinstance(error, SSLError) and any(words in str(error) for words in WRONG_TIME):
        return Kind.CLOCK
    for kinds, kind in _BY_TYPE:
        if isinstance(error, kinds):
            return kind
    return Kind.OWN


_BY_TYPE: tuple[tuple[tuple[type[BaseException], ...], Kind], ...] = (
    ((NotAcknowledgedError,), Kind.THROTTLED),
    ((NotAwsError, ResponseParserError), Kind.NOT_AWS),
    (
        (CredentialRetrievalError, MetadataRetrievalError, NoCredentialsError, PartialCredentialsError),
        Kind.CREDENTIALS,
    ),
    ((SSLError,), Kind.NOT_AWS),  # a portal can't show the service's certificate
    ((ConnectTimeoutError, ReadTimeoutError), Kind.HANGING),
    ((BotocoreConnectionError, HTTPClientError), Kind.NETWORK),
    ((LedgerUnavailableError,), Kind.LEDGER),
    ((UnusableRecordError,), Kind.CONTENT),
    ((AssignmentError, CatalogueError), Kind.MISSING),
    ((BotoCoreError,), Kind.CLOUD),
)


def _of_answer(error: ClientError) -> Kind:
    code = str(error.response.get("Error", {}).get("Code", ""))
    message = str(error.response.get("Error", {}).get("Message", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    signature = code in ("InvalidSignatureException", "SignatureDoesNotMatch")
    if code in CLOCK or (signature and ("expired" in message or "not yet current" in message)):
        return Kind.CLOCK
    for codes, kind in (
        (THROTTLED, Kind.THROTTLED),
        (MISSING, Kind.MISSING),
        (EXPIRED, Kind.CREDENTIALS),
        (CONTENT, Kind.CONTENT),
    ):
        if code in codes:
            return kind
    return _of_status(code, status)


def _of_status(code: str, status: int) -> Kind:
    if status in (429, 503):
        return Kind.THROTTLED
    if status >= 500:
        return Kind.CLOUD
    if status in (301, 302, 307, 308) or code in ("", "Unknown") or code.isdigit():
        return Kind.NOT_AWS if status not in (401, 403) else Kind.DENIED
    return Kind.DENIED if status in (401, 403) or "Denied" in code or "Unauthorized" in code else Kind.CLOUD
