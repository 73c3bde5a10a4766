"""Running commands on a machine: the protocol every machine speaks, and this machine."""

from deploy.shell.base import Completed, OnLine, Process, Shell
from deploy.shell.local import LocalShell

__all__ = ["Completed", "LocalShell", "OnLine", "Process", "Shell"]
