"""A plan: everything a deploy will do to a host and why, as a value computed from what is wanted and what was found."""

from deploy.model.plan.details import Definitions, FileText, with_details
from deploy.model.plan.make import make_plan
from deploy.model.plan.masking import Masking
from deploy.model.plan.values import Action, EdgeAction, FileDiff, Plan, ServicePlan, ValueChange, Wanted

__all__ = [
    "Action",
    "Definitions",
    "EdgeAction",
    "FileDiff",
    "FileText",
    "Masking",
    "Plan",
    "ServicePlan",
    "ValueChange",
    "Wanted",
    "make_plan",
    "with_details",
]
