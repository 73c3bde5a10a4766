"""`prod.check`: mistakes in a project's files and on its hosts, before they cost anything."""

from __future__ import annotations

import dataclasses
import difflib
import json as json_format
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.tasks import Task

from deploy.model.checks import Locate, Problem
from deploy.model.errors import DeployError, UsageError
from deploy.model.settings import Engine, Environment
from deploy.tasks.app import App
from deploy.tasks.base import HOST_HELP, JSON_HELP, YES_HELP, task
from deploy.ui.units import count

if TYPE_CHECKING:
    from deploy.engine.compose import ComposeProject
    from deploy.engine.examine import Examined
    from deploy.release.site import Site


def check_task(name: str) -> Task[Any]:
    """For one environment."""

    @task(
        iterable=("host",),
        help={
            "host": HOST_HELP,
            "local": "this machine's files only, no host",
            "strict": "end with status 1 when there are warnings only, too",
            "json": JSON_HELP,
            "sarif": "write this file for a code scanner, SARIF 2.1.0",
            "fix": "write what can be mended without thinking as a compose file to lay over the others",
            "list": "print the rules themselves, as Markdown",
            "yes": YES_HELP,
        },
    )
    def check(
        app: App,
        host: list[str],
        local: bool = False,
        strict: bool = False,
        json: bool = False,
        sarif: str = "",
        *,
        fix: bool = False,
        list: bool = False,  # noqa: A002  # the option's name
        yes: bool = False,
    ) -> None:
        """Find mistakes in the project's files, and on its hosts, before they cost anything.

        Each with its file and line, and what mends it; docs/checks.md says why it matters, and how to allow one with a
        reason. Builds nothing and changes nothing. Ends with status 1 when there are errors.
        Example: inv prod.check --local --sarif check.sarif
        """
        from deploy.model.rules import RULES
        from deploy.ui.rules import problem_documents, problem_lines, rules_page, verdict

        if list:
            app.console.data(rules_page(RULES).rstrip("\n"))
            return
        _require_together(local=local, fix=fix, told=bool(json or sarif), host=bool(host))
        environment = app.settings.environment(name)
        examined, compose = _examine(app, environment)
        locate = examined.lines.locate
        if fix:
            _fix(app, environment, examined, yes=yes)
            return
        problems = examined.problems
        if environment.engine == Engine.SWARM:
            problems += _on_a_cluster(app, environment, examined)
        elif host or (environment.hosts and not local):
            problems += _on_hosts(app, environment, examined, compose, app.hosts(environment, host))
        if sarif:
            _write_sarif(Path(sarif), problems, locate)
        if json:
            app.console.json(problem_documents(problems, locate))
        else:
            for line in problem_lines(problems, locate):
                app.console.data(line)
        _conclude(app, name, problems, verdict(problems), strict=strict, quiet=json)

    return check


def _require_together(*, local: bool, fix: bool, told: bool, host: bool) -> None:
    """Raises UsageError for options of which one would count for nothing."""
    if local and host:
        raise UsageError("--local and --host are against each other", "leave one of them out")
    if fix and (told or host):
        raise UsageError("--fix writes a file and tells nothing else", "leave --json, --sarif and --host out")


def _conclude(app: App, name: str, problems: Sequence[Problem], verdict: str, *, strict: bool, quiet: bool) -> None:
    open_ones = [one for one in problems if not one.allowed]
    if any(one.fatal for one in open_ones) or (strict and open_ones):
        mendable = any(one.overlay for one in open_ones)
        fixes = f"; inv {name}.check --fix writes an overlay for some" if mendable else ""
        raise DeployError(verdict, f"mend these, or allow them with a reason (docs/checks.md){fixes}")
    if quiet:
        return
    if open_ones:
        app.console.say(f"{verdict}: nothing of it stops a deploy.")
    else:
        app.console.good(f"Nothing is wrong: {verdict}.")
    app.console.say(f"Next: inv {name}.plan shows what a deploy would do.")


def _examine(app: App, environment: Environment) -> tuple[Examined, ComposeProject]:
    """The project's files; variables that nothing sets here, as in CI, count as set."""
    from deploy.engine.examine import examine_project
    from deploy.engine.inspection import readable

    found = readable(app.shell(DEPLOY_ADDRESS="localhost"), app.root, environment)
    if found.missing:
        app.console.note(f"not set here, and not looked at: {', '.join(found.missing)}")
    return examine_project(found.compose, environment, app.root, found.stood_in), found.compose


def _on_a_cluster(app: App, environment: Environment, examined: Examined) -> tuple[Problem, ...]:
    """What of the stack a cluster does not take."""
    from deploy.model.swarm.refused import check_swarm

    app.console.note(f"inv {environment.name}.plan looks at the cluster itself")
    return tuple(check_swarm(examined.stack, examined.places, environment))


def _on_hosts(
    app: App, environment: Environment, examined: Examined, compose: ComposeProject, specs: Sequence[str]
) -> tuple[Problem, ...]:
    """What is wrong with the hosts themselves, all at once; of those that cannot be asked, that alone."""
    from deploy.release.checking import host_problems
    from deploy.release.initial import as_set_up
    from deploy.release.prepare import release_of
    from deploy.tasks.hosts import SKIP, ask, connected

    now = datetime.now(UTC)

    def look(spec: str, site: Site) -> tuple[Problem, ...]:
        try:
            prepared = release_of(
                examined, compose, environment, app.root, now, architecture=lambda: site.first_look.architecture
            )
        except DeployError as error:
            return (Problem(f"{spec} was not looked at: {error.message}", error.remedy),)
        found = host_problems(as_set_up(prepared, site), site, app.shell())
        return tuple(dataclasses.replace(one, message=f"{spec}: {one.message}") for one in found)

    try:
        with connected(app, environment, specs) as (sites, _), app.console.step(f"Look at {', '.join(specs)}"):
            return tuple(one for found in ask(sites, look).values() for one in found)
    except DeployError as error:  # what was found here is told all the same
        if isinstance(error, UsageError):
            raise
        said = " ".join((error.details or error.message).split())
        return (Problem(said, error.remedy.partition(f"; {SKIP}")[0], rule="host-reached"),)


def _write_sarif(path: Path, problems: Sequence[Problem], locate: Locate) -> None:
    from importlib.metadata import version

    from deploy.engine.files import write_whole
    from deploy.model.rules import RULES
    from deploy.ui.rules import sarif

    log = sarif(problems, RULES, locate, version("windlass-deploy"))
    write_whole(path.expanduser().absolute(), json_format.dumps(log, indent=2) + "\n", mode=0o644)


def _fix(app: App, environment: Environment, examined: Examined, *, yes: bool) -> None:
    """Write the overlay that mends what can be mended so, after showing what of it is new."""
    from deploy.engine.files import write_whole
    from deploy.engine.overlay import NAME, overlay_text
    from deploy.model.rules.overlay import overlay_of

    document = overlay_of(examined.problems)
    if not document:
        app.console.good("There is nothing that can be mended without thinking.")
        return
    path = examined.lines.files[-1].parent / NAME
    relative = examined.lines.name(path)
    if path in examined.lines.files:
        raise UsageError(
            f"{relative} is laid over the others already", "mend these there, or remove it and run this again"
        )
    head = f"What inv {environment.name}.check --fix found to be mended without thinking."
    new, old = overlay_text(document, head), path.read_text() if path.is_file() else ""
    for line in difflib.unified_diff(old.splitlines(), new.splitlines(), relative, relative, lineterm=""):
        app.console.data(line)
    if new == old:
        app.console.good(f"{relative} says all of this already.")
    else:
        app.console.confirm(f"Write {relative}?", yes=yes, consequence=f"this writes {relative}")
        write_whole(path, new, mode=0o644)
        mended = sum(bool(one.overlay) and not one.allowed for one in examined.problems)
        app.console.good(f"Wrote {relative}, which mends {count(mended, 'problem')}.")
    names = ", ".join(map(examined.lines.name, (*examined.lines.files, path)))
    app.console.say(
        f"Next: compose: [{names}] under deploy.environments.{environment.name} in invoke.yaml lays it over the others."
    )
