"""What a host does by itself every night: when, what it is started by, and what became of it."""

from deploy.model.schedule.crontab import begin_mark, has_block, with_block, without_block
from deploy.model.schedule.runs import Run, Step, parse_runs, run_problems
from deploy.model.schedule.times import Times, parse_times
from deploy.model.schedule.units import service_unit, timer_unit, unit_name
from deploy.model.schedule.wanted import DrillEvery, Notify, Schedule, drill_is_due

__all__ = [
    "DrillEvery",
    "Notify",
    "Run",
    "Schedule",
    "Step",
    "Times",
    "begin_mark",
    "drill_is_due",
    "has_block",
    "parse_runs",
    "parse_times",
    "run_problems",
    "service_unit",
    "timer_unit",
    "unit_name",
    "with_block",
    "without_block",
]
