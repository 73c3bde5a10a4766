"""Which networks the edge is in."""

from __future__ import annotations

from collections.abc import Iterable

from deploy.model.kinds import Kind
from deploy.model.layout import HostLayout
from deploy.model.release import ReleaseRecord


def edge_networks(layout: HostLayout, records: Iterable[ReleaseRecord]) -> tuple[str, ...]:
    """One network of every public service of these releases."""
    return tuple(
        sorted(
            {
                layout.lasting_network(f"data-{min(service.networks)}")
                if service.kind == Kind.DATA
                else layout.release_network(record.id, min(service.networks))
                for record in records
                for name, service in record.services.items()
                if service.networks and any(public.service == name for public in record.public)
            }
            | {
                min(service.outside)
                for record in records
                for name, service in record.services.items()
                if not service.networks and service.outside and any(public.service == name for public in record.public)
            }
        )
    )
