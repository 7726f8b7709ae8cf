"""What the store sells: snapshots that sync fetched, looked up by code and words, swapped while selling."""

from __future__ import annotations

from .shelf import Catalogue
from .snapshot import DamagedSnapshotError, Item, Snapshot

__all__ = ["Catalogue", "DamagedSnapshotError", "Item", "Snapshot"]
