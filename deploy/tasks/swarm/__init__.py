"""What the tasks of an environment do where its engine is a cluster."""

from deploy.tasks.swarm.freezing import freeze_cluster, thaw_cluster
from deploy.tasks.swarm.live import execute, logs, restart, scale, shell, status
from deploy.tasks.swarm.migrate import migrate
from deploy.tasks.swarm.reach import data_and_lead, is_swarm, manager, refuse, refuse_on
from deploy.tasks.swarm.releases import deploy_to, plan_for, prune, roll_back

__all__ = [
    "data_and_lead",
    "deploy_to",
    "execute",
    "freeze_cluster",
    "is_swarm",
    "logs",
    "manager",
    "migrate",
    "plan_for",
    "prune",
    "refuse",
    "refuse_on",
    "restart",
    "roll_back",
    "scale",
    "shell",
    "status",
    "thaw_cluster",
]
