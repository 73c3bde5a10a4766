"""The edge: the HAProxy that owns a project's public ports and points every one of them at one release.

Two slots hold releases, `blue` and `green`; a map with one entry says which slot is live, so that changing this entry
switches all ports at once. Servers are named by the engine's DNS names of the release's containers, so that a restarted
container is found again at its new address. Slots are filled, the map is changed, certificates are renewed and the
maintenance page is shown through HAProxy's runtime API, after the same state was written to disk for the next start.

Source: HAProxy 3.0 management guide, "set server fqdn", "set map", "set ssl cert"; configuration manual, "use_backend"
with log-format.
"""

from deploy.model.edge.compose import ACME_IMAGE, DEFINITION, IMAGE, definition, images, published, render_compose
from deploy.model.edge.config import render_config
from deploy.model.edge.frontends import FIRST_PORT
from deploy.model.edge.maintenance import Maintenance, page_template, render_maintenance
from deploy.model.edge.networks import edge_networks
from deploy.model.edge.runtime import empty_commands, fill_commands, maintenance_commands, probes_of, servers_of
from deploy.model.edge.state import (
    EMPTY,
    NONE,
    SERVERS,
    SLOTS,
    EdgeState,
    Listener,
    Target,
    listeners_of,
    render_map,
    target_of,
)
from deploy.model.edge.tls import HTTP_PORT, HTTPS_PORT, PLACEHOLDER, Certificate, Tls, parse_certificates, tls_of

__all__ = [
    "ACME_IMAGE",
    "DEFINITION",
    "EMPTY",
    "FIRST_PORT",
    "HTTPS_PORT",
    "HTTP_PORT",
    "IMAGE",
    "NONE",
    "PLACEHOLDER",
    "SERVERS",
    "SLOTS",
    "Certificate",
    "EdgeState",
    "Listener",
    "Maintenance",
    "Target",
    "Tls",
    "definition",
    "edge_networks",
    "empty_commands",
    "fill_commands",
    "images",
    "listeners_of",
    "maintenance_commands",
    "page_template",
    "parse_certificates",
    "probes_of",
    "published",
    "render_compose",
    "render_config",
    "render_maintenance",
    "render_map",
    "servers_of",
    "target_of",
    "tls_of",
]
