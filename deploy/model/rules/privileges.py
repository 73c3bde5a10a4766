"""What a service may do to the host that it runs on."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any

from deploy.model.checks.problem import Problem
from deploy.model.kinds import RUNTIME_IMAGES, Kind, image_name
from deploy.model.rules.given import given
from deploy.model.rules.rule import Severity, rule
from deploy.model.rules.subject import Dockerfile, Subject, at
from deploy.model.stack import Service, unescaped

_SOCKET = re.compile(r".*/(docker|podman|containerd)\.sock")
_SOCKET_PROXY = "docker-socket-proxy"
_HOST_FOLDERS = frozenset(
    [
        *("/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/opt", "/proc", "/root", "/run", "/sbin", "/sys"),
        *("/usr", "/var", "/var/lib", "/var/lib/docker", "/var/run"),
    ]
)
_CAPABILITIES = {
    "ALL": "everything that root may",
    "BPF": "load programs into the kernel",
    "DAC_READ_SEARCH": "read every file of the host",
    "MAC_ADMIN": "change the host's access rules",
    "NET_ADMIN": "change the network",
    "SYS_ADMIN": "nearly everything that root may",
    "SYS_BOOT": "restart the host",
    "SYS_MODULE": "load modules into the kernel",
    "SYS_PTRACE": "read and change other processes",
    "SYS_RAWIO": "write to the host's devices",
    "SYS_TIME": "set the host's clock",
}
_DROPS = re.compile(r"\b(gosu|su-exec|setpriv|setuidgid|runuser|chroot|suexec|dumb-init.*su)\b")
"""Programs by which an image that starts as root becomes somebody else."""
_NOT_ROOT = re.compile(r"unprivileged|nonroot|non-root|rootless|bitnami|chainguard|cgr\.dev|jenkins|grafana|keycloak")
_ROOT_IMAGES = RUNTIME_IMAGES - {"php", "deno", "elixir"} | {"nginx", "httpd"}
"""Images that run as root where nobody says otherwise, and do not drop it all by themselves."""


@rule(
    "privileged",
    Severity.WARNING,
    "A service is privileged",
    why="Whoever gets into it has the host: all devices, all capabilities, no seccomp.",
    fix="`devices:` or `cap_add:` with what it needs of it.",
)
def privileged(subject: Subject) -> Iterator[Problem]:
    for service in subject.stack.services.values():
        if service.definition.get("privileged"):
            yield Problem(
                f"{service.name} is privileged: whoever gets into it has the host",
                "devices: or cap_add: with what it needs",
                path=at(service, "privileged"),
            )


@rule(
    "docker-socket",
    Severity.WARNING,
    "A service rules the Docker engine",
    why="""
    Whoever can ask the engine can start a container with the host's files in it, and so is root. `:ro` changes
    nothing about it: it is about the file, not about what is asked through it.
    """,
    fix="A proxy that lets some questions through (`tecnativa/docker-socket-proxy`), on a network of its own.",
)
def docker_socket(subject: Subject) -> Iterator[Problem]:
    names = subject.stack.services
    for service in names.values():
        for mount in _mounts(service):
            source = unescaped(str(mount["source"]))
            if _SOCKET.fullmatch(source) and image_name(service.runs) != _SOCKET_PROXY:
                yield Problem(
                    f"{service.name} has {source}: whoever gets into it is root on the host",
                    "put a proxy before it that lets through what it needs: tecnativa/docker-socket-proxy",
                    path=at(service, "volumes", _word(service, mount, subject)),
                )
    for one in given(subject):
        host = re.sub(r"^\w+://", "", one.value).partition(":")[0]
        if one.name == "DOCKER_HOST" and one.value.startswith(("tcp://", "ssh://", "http://")) and host not in names:
            yield Problem(
                f"{one.service.name} asks a Docker engine by DOCKER_HOST: whoever gets into it is root there",
                "put a proxy before it that lets through what it needs: tecnativa/docker-socket-proxy",
                path=one.path,
            )


@rule(
    "host-root-mount",
    Severity.WARNING,
    "A service writes to the host's own folders",
    why="With `/`, `/etc` or `/root` to write to, whoever gets into the service makes himself root on the host.",
    fix="Mount the file or the folder that it needs, with `:ro` where it only reads.",
)
def host_root_mount(subject: Subject) -> Iterator[Problem]:
    for service in subject.stack.services.values():
        for mount in _mounts(service):
            source = posixpath.normpath(unescaped(str(mount["source"])))
            if source in _HOST_FOLDERS and not mount.get("read_only"):
                yield Problem(
                    f"{service.name} may write to {source} of the host",
                    "mount what it needs of it, with :ro where it only reads",
                    path=at(service, "volumes", _word(service, mount, subject)),
                )


@rule(
    "added-capabilities",
    Severity.WARNING,
    "A service may do what only root may",
    why="Each of these capabilities is enough to get out of the container, or to change the host.",
    fix="Take it out of `cap_add`, or give the reason.",
)
def added_capabilities(subject: Subject) -> Iterator[Problem]:
    for service in subject.stack.services.values():
        for raw in service.definition.get("cap_add") or ():
            name = str(raw).upper().removeprefix("CAP_")
            if name in _CAPABILITIES:
                yield Problem(
                    f"{service.name} has {raw}: it may {_may(name)}",
                    "leave it out",
                    path=at(service, "cap_add", str(raw)),
                )


@rule(
    "no-new-privileges",
    Severity.WARNING,
    "A service may become root again",
    why="""
    Without it a program with the setuid bit (`su`, `mount`, `ping`) makes root of a user who got into the container.
    Images that start as root and become somebody else do not need it.
    """,
    fix='`security_opt: ["no-new-privileges:true"]`. Only `sudo` in a container needs it otherwise.',
    mends=True,
)
def no_new_privileges(subject: Subject) -> Iterator[Problem]:
    for service in subject.stack.services.values():
        said = [str(one).replace("=", ":") for one in service.definition.get("security_opt") or ()]
        if service.definition.get("privileged") or {"no-new-privileges", "no-new-privileges:true"} & {*said}:
            continue
        mended = {"services": {service.name: {"security_opt": ["no-new-privileges:true"]}}}
        yield Problem(
            f"{service.name} may gain privileges that it was not started with",
            'security_opt: ["no-new-privileges:true"]',
            path=subject.said(service, "security_opt"),
            overlay={} if "no-new-privileges:false" in said else mended,  # lists are added together
        )


@rule(
    "runs-as-root",
    Severity.WARNING,
    "A service runs as root",
    why="""
    Root in a container is root to the kernel: a flaw there, or a folder that is mounted, and it is root of the host.
    Images of databases begin as root and become somebody else: those are not meant.
    """,
    fix='`USER 10001` at the end of the Dockerfile, or `user: "10001:10001"` in the compose file.',
)
def runs_as_root(subject: Subject) -> Iterator[Problem]:
    for service in subject.stack.services.values():
        said = str(service.definition.get("user") or "")
        if said:
            if _is_root(said):
                yield Problem(f"{service.name} runs as root", 'user: "10001:10001"', path=at(service, "user"))
            continue
        if service.build and service.build.local:
            file = subject.dockerfiles.get(service.name)
            if file and file.text and (place := _root_in(service, file, subject)) is not None:
                says = "says so" if place else "names nobody else"
                yield Problem(
                    f"{service.name} runs as root: its Dockerfile {says}",
                    "USER 10001 at its end",
                    path=at(service, "build"),
                    place=place,
                )
        elif service.kind != Kind.DATA and image_name(service.image) in _ROOT_IMAGES and _no_user(service.image):
            front = image_name(service.image) == "nginx"
            yield Problem(
                f"{service.name} ({image_name(service.image)}) runs as root",
                "nginxinc/nginx-unprivileged, which listens on 8080" if front else 'user: "10001:10001"',
                path=at(service, "image"),
            )


@rule(
    "writable-root",
    Severity.WARNING,
    "A service can change its own program",
    why="Whoever gets into it leaves something behind there that runs on, and a full log fills the host's disk.",
    fix="`read_only: true`, and `tmpfs: [/tmp]` for what it writes on the way.",
)
def writable_root(subject: Subject) -> Iterator[Problem]:
    for service in subject.stack.services.values():
        if not service.definition.get("read_only") and service.kind != Kind.JOB:
            yield Problem(
                f"{service.name} can write to its own image's files",
                "read_only: true, with tmpfs: [/tmp] for what it writes on the way",
                path=subject.said(service, "read_only"),
            )


@rule(
    "host-namespace",
    Severity.WARNING,
    "A service is in the host's own namespace",
    why="""
    In the host's network it reaches what only listens there, and everything that it listens on is open past Docker's
    own rules. Among the host's processes it sees their arguments and environments.
    """,
    fix="Networks of the stack and `ports:` instead of `network_mode: host`; leave `pid` and `ipc` out.",
)
def host_namespace(subject: Subject) -> Iterator[Problem]:
    for service in subject.stack.services.values():
        for key in ("network_mode", "pid", "ipc", "uts", "userns_mode"):
            if service.definition.get(key) == "host":
                what = key.removesuffix("_mode")
                yield Problem(
                    f"{service.name} shares the host's {what}", f"leave {key}: host out", path=at(service, key)
                )


def _mounts(service: Service) -> Iterator[Mapping[str, Any]]:
    for mount in service.definition.get("volumes") or ():
        if mount.get("type") == "bind":
            yield mount


def _word(service: Service, mount: Mapping[str, Any], subject: Subject) -> str:
    source, target = unescaped(str(mount["source"])), str(mount.get("target"))
    return subject.written_as(service, "volumes", f"{source}:{target}", f":{target}", source, target)


def _may(capability: str) -> str:
    what = _CAPABILITIES[capability]
    return f"do {what}" if "everything" in what else what


def _is_root(user: str) -> bool:
    return user.partition(":")[0] in {"0", "root"}


def _no_user(reference: str) -> bool:
    return not _NOT_ROOT.search(reference)


def _root_in(service: Service, file: Dockerfile, subject: Subject) -> str | None:
    """Where a Dockerfile makes its program root's, an empty text for what it leaves out; None when it does not."""
    recipe = subject.recipe(service)
    starts = " ".join((*recipe.entrypoint, *recipe.command))
    if _DROPS.search(file.text) or _DROPS.search(starts):
        return None
    if recipe.user:
        return file.last("USER", recipe.user) if _is_root(recipe.user) else None
    known = image_name(recipe.base) in _ROOT_IMAGES or recipe.base == "scratch"
    return "" if known and _no_user(recipe.base) and service.kind != Kind.DATA else None
