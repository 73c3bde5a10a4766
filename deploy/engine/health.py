"""Starting services, waiting until their containers are as they should be, and saying who is not and why."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.model.command import Command
from deploy.model.errors import CommandError, DeployError
from deploy.shell import Shell
from deploy.shell.packaged import packaged
from deploy.ui import Step

TIMEOUT_S = 180
SETTLE_S = 3
"""How long a service without a health check must run before it counts as started."""
LOG_LINES = 25


def start(
    shell: Shell,
    begin: Command,
    compose: Command,
    project: str,
    services: Sequence[str],
    *,
    jobs: Sequence[str],
    ends: Sequence[str] = (),
    what: str,
    step: Step,
    settle_s: int = SETTLE_S,
) -> None:
    """Run `begin`, which starts services of a compose project, and wait for them: one round trip.

    They must become healthy, or run for a while without a health check, or, as jobs, end with status 0, which those of
    `ends` may, too. `compose` is
    `docker compose` for the project, `what` is how the message calls it. Raises DeployError naming those that will not
    get there, with the last lines each of them wrote, and CommandError when `begin` fails for another reason.
    """
    heard: list[str] = []

    def hear(line: str) -> None:
        heard.append(line)
        step.show(line)

    names = ",".join(services)
    command = packaged(
        "engine", "start.sh", project, TIMEOUT_S, settle_s, ",".join(jobs), ",".join(ends), names, *begin
    )
    try:
        shell.run(command, on_line=hear)
    except CommandError as error:
        raise _unhealthy(shell, compose, heard, what, error) from error


def _unhealthy(shell: Shell, compose: Command, heard: Sequence[str], what: str, error: CommandError) -> DeployError:
    bad = {words[1]: words[2] for line in heard if (words := line.split(" ", 2))[0] == "bad"}
    if not bad:
        return error
    logs = []
    for name in bad:
        last = compose.then("logs", "--no-color", "--no-log-prefix", "--tail", LOG_LINES, name)
        done = shell.run(last, check=False)
        logs.append(f"last lines of {name}:\n{done.stdout}{done.stderr}".rstrip())
    named = ", ".join(f"{name} ({reason})" for name, reason in bad.items())
    return DeployError(f"{shell.name}: {what} did not become healthy: {named}", details="\n\n".join(logs))
