"""Where HAProxy has its files inside its container."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Paths:
    """The folders of one kind of edge, and what is in them."""

    config: str
    certificates: str

    @property
    def live_map(self) -> str:
        return f"{self.config}/live.map"

    @property
    def maintenance_map(self) -> str:
        """Whether users get the maintenance page, and what it tells them."""
        return f"{self.config}/maintenance.map"

    @property
    def page(self) -> str:
        return f"{self.config}/maintenance.html"

    @property
    def issued_map(self) -> str:
        """Which names have a real certificate: only these are redirected to HTTPS."""
        return f"{self.certificates}/issued.map"

    def certificate(self, name: str) -> str:
        return f"{self.certificates}/{name}.pem"


ON_ONE_HOST = Paths("/usr/local/etc/haproxy", "/certs")
ON_A_NODE = Paths("/var/lib/haproxy/current", "/var/lib/haproxy/current")
"""On a cluster: a link to one state of everything, so that a node goes from one to the next in one moment."""
