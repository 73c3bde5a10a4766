"""The hosts of a task, all at once: connected, asked, and what is wrong with them told together."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from deploy.engine.sandbox import is_sandbox
from deploy.model.errors import MOST_TOLD, DeployError, UnreachableError
from deploy.model.settings import Environment
from deploy.tasks.app import App
from deploy.ui.units import count, names_of

if TYPE_CHECKING:
    from deploy.release.site import Site

T = TypeVar("T")
SKIP = "--skip-unreachable"


@contextlib.contextmanager
def connected(
    app: App, environment: Environment, specs: Sequence[str], *, make_sandbox: bool = False, skip: bool = False
) -> Iterator[tuple[Mapping[str, Site], tuple[str, ...]]]:
    """Every host, in order, and those that cannot be reached and are left out because `skip` says so.

    Raises DeployError with what is wrong with each host; there is nothing to do where every one is unreachable.
    """
    from deploy.release.fleet import ASKED_AT_ONCE, require_all
    from deploy.release.parallel import Parallel
    from deploy.remote.descriptors import make_room

    make_room(len(specs))
    if make_sandbox:
        for spec in filter(is_sandbox, specs):
            app.sandbox(spec).up()

    def enter(spec: str) -> tuple[contextlib.AbstractContextManager[Site], Site]:
        context = app.site(environment, spec)
        return context, context.__enter__()

    opening = Parallel(enter, at_once=ASKED_AT_ONCE)
    with contextlib.ExitStack() as opened:
        app.console.note(f"connecting to {names_of(specs)}")  # no step: somebody may be asked for a passphrase
        try:
            opening.run(specs)
        finally:
            for context, _ in opening.done.values():
                opened.push(context)
        absent = [spec for spec in specs if isinstance(opening.failed.get(spec), UnreachableError)]
        left_out = dict.fromkeys(absent if skip and len(absent) < len(specs) else [])
        wrong = {spec: error for spec, error in opening.failed.items() if spec not in left_out}
        try:
            require_all(wrong, f"{len(wrong)} of {len(specs)} hosts cannot be connected to; nothing was changed")
        except DeployError as error:
            hint = f"; {SKIP} leaves out hosts that cannot be reached" if absent and not skip else ""
            raise DeployError(error.message, error.remedy + hint, details=error.details, code=error.code) from error
        for spec in [*left_out][:MOST_TOLD]:
            app.console.warn(f"{opening.failed[spec].args[0]}: left out")
        if len(left_out) > MOST_TOLD:
            app.console.warn(f"and {count(len(left_out) - MOST_TOLD, 'more host')} that cannot be reached: left out")
        yield {spec: opening.done[spec][1] for spec in specs if spec in opening.done}, tuple(left_out)


def visit(
    app: App,
    environment: Environment,
    specs: Sequence[str],
    ask_one: Callable[[Site], T],
    show: Callable[[str, T], None],
) -> Mapping[str, DeployError]:
    """Ask every host, each over a connection of its own for that long, and show the answers in the order of `specs`.

    A host that cannot be asked keeps nobody from the others: it is told in its place, and returned. Raises DeployError
    where it is the only one.
    """
    from deploy.release.fleet import ASKED_AT_ONCE
    from deploy.release.parallel import Parallel

    def work(spec: str) -> T:
        with app.site(environment, spec) as site:
            return ask_one(site)

    asking = Parallel(work, at_once=ASKED_AT_ONCE)
    waiting = deque(specs)
    failed: dict[str, DeployError] = {}

    def tell() -> None:
        while waiting and (waiting[0] in asking.done or waiting[0] in asking.failed):
            spec = waiting.popleft()
            if spec in asking.done:
                show(spec, asking.done.pop(spec))
                continue
            error = asking.failed[spec]
            if not isinstance(error, DeployError) or len(specs) == 1:
                raise error
            failed[spec] = error
            app.console.error(f"✗ {error.message}")
            if error.remedy:
                app.console.say(f"→ {error.remedy}")

    asking.run(specs, tell)
    return failed


def ask(sites: Mapping[str, Site], what: Callable[[str, Site], T]) -> Mapping[str, T]:
    """The answer of each host, in order. Raises DeployError with what is wrong with each."""
    from deploy.release.fleet import ASKED_AT_ONCE, require_all
    from deploy.release.parallel import Parallel

    asking = Parallel[str, T](lambda spec: what(spec, sites[spec]), at_once=ASKED_AT_ONCE)
    asking.run([*sites])
    require_all(asking.failed, f"{len(asking.failed)} of {len(sites)} hosts are not ready; nothing was changed")
    return {spec: asking.done[spec] for spec in sites}
