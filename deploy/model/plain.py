"""What a release comes to without us: one plain compose document that `docker compose up` runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy.model.layout import HostLayout
from deploy.model.release import ReleaseRecord
from deploy.model.render import FILES_LABEL

SECTIONS = ("volumes", "configs", "secrets")


def plain_document(
    release: Mapping[str, Any], data: Mapping[str, Any], record: ReleaseRecord, layout: HostLayout
) -> dict[str, Any]:
    """Both documents of a release as one project of the stack's own name, its public ports published by the services.

    `release` and `data` are the documents as they are on the host; the result refers to copies of what is shipped with
    them under the layout's `plain`, and holds the values of secrets.
    """
    app = _moved(release, str(layout.release(record.id)), str(layout.plain / "release"))
    lasting = _moved(data, str(layout.data), str(layout.plain / "data"))
    services = lasting.get("services", {}) | app.get("services", {})
    for name in lasting.get("services", {}):
        labels = services[name].get("labels") or {}
        labels.pop(FILES_LABEL, None)
    for public in record.public:
        _publish(services[public.service], public.port.published, public.port.target, public.port.host_ip)
    document: dict[str, Any] = {"name": layout.project, "services": services}
    networks = (lasting.get("networks") or {}) | (app.get("networks") or {})
    if networks:
        document["networks"] = {name: _own(raw) for name, raw in networks.items()}
    for section in SECTIONS:
        if both := (lasting.get(section) or {}) | (app.get(section) or {}):
            document[section] = both
    return document


def _moved(value: Any, folder: str, to: str) -> Any:
    """A document with every path below a folder of the host as one below another."""
    if isinstance(value, Mapping):
        return {key: _moved(inner, folder, to) for key, inner in value.items()}
    if isinstance(value, list):
        return [_moved(inner, folder, to) for inner in value]
    if isinstance(value, str) and value.startswith(f"{folder}/"):
        return to + value.removeprefix(folder)
    return value


def _publish(service: dict[str, Any], published: int, target: int, host_ip: str) -> None:
    port = {"mode": "ingress", "target": target, "published": str(published), "protocol": "tcp"}
    service["ports"] = [*(service.get("ports") or []), port | ({"host_ip": host_ip} if host_ip else {})]
    # without an edge a port has one container
    service.pop("scale", None)
    (service.get("deploy") or {}).pop("replicas", None)


def _own(network: Mapping[str, Any] | None) -> dict[str, Any]:
    """A network of the data project under the project's own name."""
    raw = dict(network or {})
    if not raw.get("external"):
        raw.pop("name", None)
    return raw
