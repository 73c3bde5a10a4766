"""Where things stand in a project's folder on a host, and how its compose projects and networks are called."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True)
class HostLayout:
    """Paths and names of one project on a host (see the design, section 5)."""

    project: str
    root: PurePosixPath

    @property
    def releases(self) -> PurePosixPath:
        return self.root / "releases"

    def release(self, release_id: str) -> PurePosixPath:
        return self.releases / release_id

    @property
    def shared(self) -> PurePosixPath:
        """Folders that services write to: bind mounts of the compose file that outlive a release."""
        return self.root / "shared"

    @property
    def data(self) -> PurePosixPath:
        return self.root / "data"

    @property
    def edge(self) -> PurePosixPath:
        return self.root / "edge"

    @property
    def incoming(self) -> PurePosixPath:
        """What has arrived of a push that was cut."""
        return self.root / "incoming"

    @property
    def backups(self) -> PurePosixPath:
        return self.root / "backups"

    @property
    def archive(self) -> PurePosixPath:
        """The WAL that is kept of databases, beside the backups that it leads on from."""
        return self.backups / ".wal"

    def wal(self, service: str) -> PurePosixPath:
        return self.archive / service

    @property
    def env_file(self) -> PurePosixPath:
        """An env file that somebody has left for others (`env.push`). No release reads it."""
        return self.root / "env"

    @property
    def plain(self) -> PurePosixPath:
        """The compose project that is left where a project has been handed back."""
        return self.root / "plain"

    @property
    def data_project(self) -> str:
        return f"{self.project}-data"

    @property
    def rolling_project(self) -> str:
        """Of a cluster: what the services that are updated in place say that they are of, where they keep something."""
        return f"{self.project}-app"

    @property
    def edge_project(self) -> str:
        return f"{self.project}-edge"

    @property
    def edge_container(self) -> str:
        return f"{self.edge_project}-edge-1"

    @property
    def acme_container(self) -> str:
        """The client that gets the edge its certificates."""
        return f"{self.edge_project}-acme-1"

    def release_project(self, release_id: str) -> str:
        return f"{self.project}-{release_id}"

    def release_network(self, release_id: str, network: str) -> str:
        """The name compose gives a release's own network."""
        return f"{self.release_project(release_id)}_{network}"

    def data_container(self, service: str) -> str:
        return f"{self.data_project}-{service}-1"

    def container(self, release_id: str, service: str, number: int) -> str:
        """The name compose gives a container; the engine's DNS answers to it in every network the container is on."""
        return f"{self.release_project(release_id)}-{service}-{number}"

    def lasting_network(self, name: str) -> str:
        """A network of the edge or the data project.

        The leading 0 is load-bearing. An engine publishes a container's ports through the first of its networks in
        alphabetical order, and moves them, dropping connections, when a network with an earlier name is attached (seen
        on Docker 26.1). These containers get every new release's networks attached while they serve.
        """
        return f"0-{self.project}-{name}"
