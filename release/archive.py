"""Zip archives whose bytes depend on nothing but the files in them.

Stored rather than compressed (compressors differ between releases of zlib), in name order, with one fixed
time and one mode, so the same commit gives the same bytes on any machine.
"""

import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path

EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can hold
MODE = 0o100644 << 16
UNIX = 3
CHUNK = 1 << 20


def write(target: Path, members: Mapping[str, Path | bytes]) -> str:
    """Write `members` (name in the archive: file or content) to `target`; returns its SHA-256 in hex."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", compression=zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            entry = zipfile.ZipInfo(name, date_time=EPOCH)
            entry.create_system = UNIX
            entry.external_attr = MODE
            source = members[name]
            archive.writestr(entry, source if isinstance(source, bytes) else source.read_bytes())
    return sha256(target)


def sha256(path: Path) -> str:
    """SHA-256 of a file's content, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
