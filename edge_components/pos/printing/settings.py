"""Which receipt printer the till has."""

from __future__ import annotations

from dataclasses import dataclass

from edge_components.edgekit.config import limits


@dataclass(frozen=True)
class PrinterSettings:
    """A network printer by its address, or one on a cable by its device; neither: no printer."""

    host: str = ""
    port: int = limits(9100, minimum=1, maximum=65535)
    device: str = ""  # such as /dev/usb/lp0, which the group lp may write
    timeout_seconds: float = limits(10.0, minimum=0.5, maximum=60)  # for one receipt, connecting included
    # Printers say whether they have paper when they are asked; one that never answers is sent to blindly.
    ask_status: bool = True
    automatic: bool = True  # each sale's receipt, and the drawer with it where cash was paid

    @property
    def present(self) -> bool:
        return bool(self.host or self.device)
