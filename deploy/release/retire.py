"""What becomes of a release that is no longer live."""

from __future__ import annotations

from deploy.model.edge import SLOTS, EdgeState, empty_commands, render_config
from deploy.release.change import Change
from deploy.release.data_services import lasting_pairs
from deploy.release.steps import Action
from deploy.release.warm import keep_warm
from deploy.ui import Step
from deploy.ui.units import count, duration


class Retire(Action):
    """Lets the old release finish what it has begun, then stops it. It stays on the host to go back to.

    Has no undo: from here on the new release stands, and a failure is something to report, not to take back.
    """

    title = "Drain and stop the release before"

    def __init__(self, change: Change) -> None:
        self._change = change

    def run(self, step: Step) -> None:
        change = self._change
        slot = next((slot for slot in SLOTS if change.edge.slots.get(slot) and slot != change.edge.live), "")
        if slot or change.ending:
            left = self._retire(slot, change.edge.with_target(slot, None) if slot else change.edge, step)
            if left:
                change.notes.append(
                    f"{count(left, 'connection')} had not ended after {change.environment.drain_s:g} s and "
                    + (
                        f"go on for as long as {change.warming.id} does"
                        if change.warming
                        else "were told to: the release before got its stop signal"
                    )
                )
        texts = [record.id for record in change.ending]
        if change.warming:
            keep_warm(change.site, change.warming, int(change.environment.keep_warm_s))
            texts.append(f"{change.warming.id} runs on for {duration(change.environment.keep_warm_s)}")
        step.result = ", ".join(texts) or "there was none"

    def _retire(self, slot: str, after: EdgeState, step: Step) -> int:
        """One script on the host; how many connections had not ended."""
        change = self._change
        site, layout = change.site, change.site.layout
        target = change.edge.slots.get(slot)
        listeners = [one for one in change.edge.listeners if target and one.name in target.servers]
        done = site.run(
            "retire.sh",
            str(layout.root),
            layout.edge_container,
            slot,
            int(change.environment.drain_s),
            render_config(after, layout),
            after.to_json(),
            "; ".join(empty_commands(slot, change.edge.listeners, layout)) if slot else "",
            *(listener.name for listener in listeners),
            "--",
            *(layout.release_project(record.id) for record in change.ending),
            "--",
            *(word for record in change.ending for word in lasting_pairs(site, record)),
            on_line=step.show,
        )
        change.edge = after
        last = done.stdout.split()[-1:]
        return int(last[0]) if last and last[0].isdigit() else 0
