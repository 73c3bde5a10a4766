"""Migrations of a cluster's live release, run by hand: in containers of their own, since others may be anywhere."""

from __future__ import annotations

from deploy.model.settings import Environment
from deploy.model.stack import one_service
from deploy.model.swarm import names
from deploy.tasks.app import App
from deploy.tasks.swarm.reach import chosen, home_of, members_of, unknown_node


def migrate(app: App, environment: Environment, given: list[str], service: str) -> None:
    """Migrate every service that declares how, or the one that is named, on the node that a deploy does it on."""
    from deploy.release.migrate import OneOffs
    from deploy.release.swarm.change import look

    with members_of(app, environment, given) as members:
        lead = chosen(app, members, app.hosts(environment, given))
        record, _ = app.live(lead.site, service)
        wanted = record.with_command("migrate", service)
        if not wanted:
            one_service((), "migrate")
        cluster, project = look(lead.site), lead.site.layout.project
        home, node = home_of(members, lead), cluster.data_node(project)
        for name in wanted:
            there = cluster.service(names.app_stack(project), name)
            # whoever is tied to the node with the data has volumes there
            site = home if there and there.tied_to(names.data_label(project)) else lead.site
            if site is None:
                where = (node.hostname, node.address) if node else ("", "")
                raise unknown_node(environment, f"the volumes of {name} are", *where)
            with app.console.step(f"Migrate {name} on {site.shell.name}") as step:
                OneOffs(site.shell, record, site.compose(record.id), site.guarded).migrate(name, step)
