"""What the tasks of an environment do where its engine is a cluster."""

from deploy.tasks.swarm.live import execute, logs, restart, scale, shell, status
from deploy.tasks.swarm.reach import is_swarm, manager, refuse, refuse_on
from deploy.tasks.swarm.releases import deploy_to, plan_for, prune, roll_back

__all__ = [
    "deploy_to",
    "execute",
    "is_swarm",
    "logs",
    "manager",
    "plan_for",
    "prune",
    "refuse",
    "refuse_on",
    "restart",
    "roll_back",
    "scale",
    "shell",
    "status",
]
