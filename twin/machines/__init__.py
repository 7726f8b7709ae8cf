"""Debian machines that play the Pis: systemd as PID 1 on an overlay of one cached root."""

from twin.machines.errors import MachineError
from twin.machines.host import refusal
from twin.machines.machine import Machine
from twin.machines.reclaim import reclaim
from twin.machines.roots import ensure_root, root_path

__all__ = ["Machine", "MachineError", "ensure_root", "reclaim", "refusal", "root_path"]
