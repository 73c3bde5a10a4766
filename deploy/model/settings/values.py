"""Settings as values: environments and what belongs to them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path, PurePosixPath

from deploy.model.command import Command
from deploy.model.errors import UsageError, nearest
from deploy.model.retention import Retention
from deploy.model.scan import NEVER
from deploy.model.schedule import Notify, Schedule
from deploy.model.waves import AT_ONCE, CANARY, Wave

LOCAL = "dev"
"""The environment that the `dev.*` tasks work on: this machine's own."""
_HUNDRED = 100


@dataclass(frozen=True)
class Acme:
    """Who issues certificates for the public names."""

    email: str
    """Empty: hostmaster@ the first name."""
    server: str
    """Address of the ACME directory."""
    ca: str
    """File with the certificate that the ACME server itself is trusted by; empty for a public one."""


@dataclass(frozen=True)
class KeepFree:
    """Disk that must stay free: a share of it, or bytes."""

    share: float = 0
    size_bytes: int = 0

    def bytes_of(self, disk_bytes: int) -> int:
        """As bytes of a disk."""
        return max(int(disk_bytes * self.share), self.size_bytes)


@dataclass(frozen=True)
class Encryption:
    """Who can read backups."""

    recipients: tuple[str, ...] = ()
    """Public keys of age or SSH; backups are not encrypted where there is none."""
    identity: str = ""
    """File of this machine with the private key of one of them, for drills and restores."""


@dataclass(frozen=True)
class Offsite:
    """Where copies of an environment's backups go: a restic repository."""

    repository: str
    """As restic takes it: a folder of the machine, `sftp:`, `s3:`, `rest:`, `b2:` and others."""
    env_file: str
    """Variables that restic reads: its password, the keys of an object store."""
    keep: Retention
    timeout_s: float
    """How long restic may move nothing before it is ended, in seconds."""


class Engine(StrEnum):
    """What runs an environment's containers."""

    COMPOSE = "compose"
    """Each host by itself."""
    SWARM = "swarm"
    """One cluster, which the hosts are managers of."""


@dataclass(frozen=True)
class Scanning:
    """What is asked of scanners of images, where there are any."""

    fail_on: str = NEVER
    """The severity from which on a finding stops a deploy."""
    sbom: bool = False
    """Whether to write down what each image is made of."""


@dataclass(frozen=True)
class Environment:
    """A named target: compose files, env file and hosts."""

    name: str
    project: str
    """Compose project name of this environment; its data project is `<project>-data`, a release `<project>-<id>`."""
    compose: tuple[str, ...]
    """Compose files relative to the project's folder, later ones laid over earlier ones. Empty: by convention."""
    env_file: str
    hosts: tuple[str, ...]
    domains: Mapping[str, tuple[str, ...]]
    """Service to its public host names."""
    acme: Acme | None
    """Nothing when TLS is left to somebody else."""
    maintenance_page: str
    """File with the page that users get in maintenance; empty for ours."""
    path: PurePosixPath
    """The project's folder on a host."""
    keep: int
    """How many releases stay on a host to roll back to, the live one included."""
    drain_s: float
    """How long requests in flight may take to end on a release that is being replaced, in seconds."""
    keep_free: KeepFree = KeepFree()
    """How much of the disk must stay free before older releases are kept."""
    keep_warm_s: float = 0
    """How long a release that was replaced runs on, to be gone back to at once, in seconds; its workers do not."""
    backup_max_age_h: float = 0
    """How old the newest backup of a database may be before `status` calls it a problem, in hours; 0: any age."""
    proof_max_age_h: float = 0
    """How old the newest backup that a drill has found good may be, in hours; 0: any age."""
    deploy_needs_proof_h: float = 0
    """How old that may be before deploys that can harm the data are refused, in hours; 0: any age, or none at all."""
    schedule: Schedule | None = None
    """When hosts back up by themselves."""
    notify: Notify = field(default_factory=Notify)
    """Who hears of it when that has failed."""
    backup_keep: Retention = field(default_factory=Retention)
    """How many backups `db.prune` keeps."""
    encryption: Encryption = Encryption()
    offsite: Offsite | None = None
    """Where `db.backup` copies backups to; nothing where nobody said."""
    rehearse: bool = False
    """Whether a deploy first runs pending migrations on a copy of the newest backup, and stops where they fail."""
    mask: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Tables and their columns that `db.pull` replaces by an SQL expression each, before anything leaves the host."""
    data_from: tuple[str, ...] = ()
    """Environments whose databases may replace this one's (`db.clone`, `db.push`)."""
    engine: Engine = Engine.COMPOSE
    nodes: tuple[str, ...] = ()
    """Of a cluster: hosts that do not manage it, and that can be logged in to as well."""
    waves: tuple[Wave, ...] = CANARY
    """How many hosts are released together, first and after that."""
    parallel: int = AT_ONCE
    """How many hosts of a wave are worked on at the same time."""
    secrets: Mapping[str, Command] = field(default_factory=dict)
    """Variables and the command that prints each, on this machine; they count more than the env file."""
    env_identity: str = ""
    """File of this machine with the private key of an env file that age has encrypted; else that of backups."""
    builder: str = ""
    """The builder of buildx that builds the images; empty for the one in use."""
    allow: Mapping[str, str] = field(default_factory=dict)
    """Rules that may be broken: id to the reason."""
    scan: Scanning | None = Scanning()
    """Nothing where images are not to be scanned."""
    sudo: bool = False
    """Whether everything on a host is done through `sudo -n`, for a user that is not in the group docker."""

    @property
    def local(self) -> bool:
        return self.name == LOCAL


@dataclass(frozen=True)
class Settings:
    """The whole of `deploy:`."""

    project: str
    backups: str
    """Folder of local backups, relative to the project's folder."""
    environments: Mapping[str, Environment]

    def at(self, root: Path) -> Settings:
        """The same with the files that are read later named from anywhere; `root` is the project's folder."""

        def absolute(path: str) -> str:
            return str(root / path) if path else ""

        environments = {
            name: dataclasses.replace(
                one,
                maintenance_page=absolute(one.maintenance_page),
                acme=one.acme and dataclasses.replace(one.acme, ca=absolute(one.acme.ca)),
            )
            for name, one in self.environments.items()
        }
        return dataclasses.replace(self, environments=environments)

    def environment(self, name: str) -> Environment:
        """Raises UsageError for a name that is not configured."""
        if name in self.environments:
            return self.environments[name]
        raise UsageError(
            f"there is no environment '{name}'",
            f"{nearest(name, [*self.environments])} (or add it under deploy.environments in invoke.yaml)",
        )
