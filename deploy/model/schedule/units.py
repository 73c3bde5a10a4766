"""The units that let systemd start a schedule (systemd.service(5), systemd.timer(5))."""

from __future__ import annotations

from deploy.model.schedule.times import Times


def unit_name(project: str) -> str:
    """Of both units, without what tells them apart."""
    return f"windlass-{project}"


def service_unit(project: str, user: str, program: str) -> str:
    """Runs the program once as the user that deploys."""
    return (
        "[Unit]\n"
        f"Description=Backups of {project}\n"
        "Wants=docker.service network-online.target\n"
        "After=docker.service network-online.target\n"
        "\n"
        "[Service]\n"
        "Type=oneshot\n"
        f"User={user}\n"
        f"ExecStart={_quoted(program)}\n"
        "Nice=10\n"
    )


def timer_unit(project: str, times: Times) -> str:
    """Starts it; a run that was due while the host was off is made up for."""
    return (
        "[Unit]\n"
        f"Description=When to back up {project}\n"
        "\n"
        "[Timer]\n"
        f"OnCalendar={times.calendar}\n"
        "Persistent=true\n"
        "AccuracySec=1s\n"
        "\n"
        "[Install]\n"
        "WantedBy=timers.target\n"
    )


def _quoted(path: str) -> str:
    """A path as the program of ExecStart=, where there are no variables: no specifier and no escape is meant by it."""
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'
