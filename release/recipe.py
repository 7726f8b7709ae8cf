"""A recipe's open places, and the digest of a component as built.

A built recipe leaves the fleet's name, the artifact bucket and its own digest open, so that the digest is
the same for every fleet; they are filled in when the version is created. No dependencies.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from release.errors import ReleaseError

FLEET = "@FLEET@"
BUCKET = "@BUCKET@"
DIGEST = "@DIGEST@"
SALES_BUCKET = "@SALES_BUCKET@"  # follows from the artifact bucket: both end in account and region
RUNTIME = "@RUNTIME@"  # filled in at build: the Runtime version that a component is built against
OPEN_PLACE = re.compile(r"@[A-Z_]+@")


def render(recipe_text: str, *, fleet: str, bucket: str, digest: str) -> str:
    """Fill the open places of a built recipe; `digest` is `sha256:<hex>` or the hex alone.

    Raises ReleaseError when a place stays open.
    """
    text = (
        recipe_text.replace(SALES_BUCKET, sales_bucket(fleet, bucket))
        .replace(FLEET, fleet)
        .replace(BUCKET, bucket)
        .replace(DIGEST, digest.removeprefix("sha256:"))
    )
    if left := sorted(set(OPEN_PLACE.findall(text))):
        raise ReleaseError(
            f"The recipe leaves {', '.join(left)} open; only {FLEET}, {BUCKET}, {DIGEST} exist."
        )
    return text


def sales_bucket(fleet: str, artifact_bucket: str) -> str:
    """`greentill-sales-<account>-<region>` from `greentill-artifacts-<account>-<region>`."""
    prefix = f"{fleet}-artifacts-"
    if not artifact_bucket.startswith(prefix):
        raise ReleaseError(f"The artifact bucket {artifact_bucket!r} doesn't begin with {prefix!r}.")
    return f"{fleet}-sales-{artifact_bucket.removeprefix(prefix)}"


def compact(document: Any) -> str:
    """The recipe as it is stored: JSON without blanks, in the order written (it may have 16,000 bytes)."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n"


def component_digest(recipe_text: str, artifacts: Mapping[str, str]) -> str:
    """`sha256:<hex>` over the recipe with its open places and the artifacts' SHA-256 by file name."""
    digest = hashlib.sha256(recipe_text.encode())
    for file in sorted(artifacts):
        digest.update(f"{file}\0{artifacts[file]}\n".encode())
    return f"sha256:{digest.hexdigest()}"
