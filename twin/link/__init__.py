"""The network between the tills and the cloud: forwards by address and name, and can be cut."""

from twin.link.client import Link, LinkError
from twin.link.settings import TillLink, Upstreams

__all__ = ["Link", "LinkError", "TillLink", "Upstreams"]
