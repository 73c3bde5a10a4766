"""`stack.*`: the reference stacks and copies of them; what is known of a project, and its picture."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.collection import Collection

from deploy.model.errors import UsageError, nearest
from deploy.model.settings import LOCAL, Environment
from deploy.tasks.app import App
from deploy.tasks.base import JSON_HELP, task
from deploy.ui import columns
from deploy.ui.units import count

if TYPE_CHECKING:
    from deploy.model.findings import Finding

FORMATS = ("mermaid", "svg")


@task(name="list", help={"json": JSON_HELP})
def list_(app: App, json: bool = False) -> None:
    """List the reference stacks that a new repository can be made from.

    Example: inv stack.list
    """
    from deploy.engine.references import reference_stacks

    stacks = reference_stacks()
    if json:
        known = [{"name": one.name, "description": one.description, "services": list(one.services)} for one in stacks]
        app.console.json(known)
        return
    rows = [(one.name, ", ".join(one.services), one.description) for one in stacks]
    for line in columns(("stack", "services", "what it is"), rows):
        app.console.data(line)
    app.console.say("Next: inv stack.new NAME FOLDER makes a repository from one.")


@task(
    positional=("name", "folder"),
    help={"name": "one of inv stack.list", "folder": "where to: a folder that is not there yet, or an empty one"},
)
def new(app: App, name: str, folder: str) -> None:
    """Make a working repository from a reference stack: application, images, compose files, tasks, CI.

    Example: inv stack.new timetracker ../shop
    """
    from deploy.engine.references import new_repository, reference_stack

    stack = reference_stack(name)
    target = Path(folder).expanduser().absolute()
    new_repository(stack, target)
    app.console.good(f"Made {target} from {name}.")
    app.console.say(f"Next: cd {folder} && inv dev.up; inv prod.deploy --host sandbox; git init when you like it.")


@task(help={"env": "only this environment (default: all)", "json": JSON_HELP})
def inspect(app: App, env: str = "", json: bool = False) -> None:
    """Show everything that was found about the project: each finding with its reason, and how to say otherwise.

    Compose files, env files, kinds of services, databases and their credentials, ports, commands. Reads files only.
    Example: inv stack.inspect --env prod
    """
    names = [env] if env else [*app.settings.environments]
    found: dict[str, Sequence[Finding]] = {}
    for name in names:
        environment = app.settings.environment(name)
        found[name] = _findings(app, environment)
    if json:
        documents = {name: [dataclasses.asdict(one) for one in findings] for name, findings in found.items()}
        app.console.json({"project": app.settings.project, "environments": documents})
        return
    for name, findings in found.items():
        app.console.data(f"{app.settings.environment(name).project} ({name})")
        _show(app, findings)
    app.console.say(f"Next: inv {'dev.up' if names == [LOCAL] else 'prod.plan --host sandbox'}.")


@task(
    help={
        "env": "whose stack (default: prod)",
        "output": "write to this file: *.svg is a picture, anything else Mermaid; without it to the terminal",
        "format": f"{' or '.join(FORMATS)}, where the file's name does not say it",
    }
)
def graph(app: App, env: str = "prod", output: str = "", format: str = "") -> None:  # noqa: A002  # the option's name
    """Draw the stack: services by kind, what needs what, published ports, networks and volumes.

    Mermaid is text that GitHub and GitLab draw in Markdown. Example: inv stack.graph --output stack.svg
    """
    from deploy.engine.files import write_whole
    from deploy.engine.inspection import inspect as look
    from deploy.model.graph import graph_of
    from deploy.ui.mermaid import mermaid
    from deploy.ui.svg import svg

    if format and format not in FORMATS:
        raise UsageError(f"--format {format}: unknown", nearest(format, FORMATS))
    environment = app.settings.environment(env)
    stack = look(app.shell(DEPLOY_ADDRESS="localhost"), app.root, environment).stack
    drawn = graph_of(stack, f"{app.settings.project} ({env})")
    text = svg(drawn) if (format or ("svg" if output.endswith(".svg") else "mermaid")) == "svg" else mermaid(drawn)
    if not output:
        app.console.data(text.rstrip())
        return
    write_whole(Path(output).expanduser().absolute(), text, mode=0o644)
    app.console.good(f"Drew {count(len(drawn.nodes), 'service')} of {env} to {output}.")


def _findings(app: App, environment: Environment) -> Sequence[Finding]:
    from deploy.data.find import store_kind
    from deploy.engine.inspection import inspect as look
    from deploy.model.findings import file_findings, findings_of

    seen = look(app.shell(DEPLOY_ADDRESS="localhost"), app.root, environment)
    backed_up = [one.name for one in seen.stack.data if one.options.backup is not False and store_kind(one.runs)]
    return (
        *file_findings(environment.name, seen.files, seen.env_file, seen.example, seen.missing, seen.made_up),
        *findings_of(seen.stack, seen.sources, seen.raw, backed_up),
    )


def _show(app: App, findings: Sequence[Finding]) -> None:
    """A table for each topic, and under it what may be written for something else."""
    for topic in dict.fromkeys(one.topic for one in findings):
        own = [one for one in findings if one.topic == topic]
        app.console.data("")
        for line in columns((topic, "found", "because"), [(one.subject, one.value, one.reason) for one in own]):
            app.console.data(line)
        for override in dict.fromkeys(one.override for one in own):
            app.console.data(f"  otherwise: {override}")


def collection() -> Collection:
    return Collection("stack", graph, inspect, list_, new)
