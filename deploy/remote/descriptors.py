"""Room for many connections at once: each is an open file of this process."""

from __future__ import annotations

import resource

from deploy.model.errors import UsageError

EACH = 2
"""Open files of a connection: its socket, and the pipe of what leads to it (ProxyJump)."""
OTHERS = 256
"""What else is open: commands that run here, libraries, the journal of a push."""


def make_room(connections: int) -> None:
    """Let this process have that many connections, as far as the machine lets us.

    Raises UsageError when it does not: some hosts would look as if they could not be reached.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = EACH * connections + OTHERS
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    if hard != resource.RLIM_INFINITY and hard < connections + OTHERS:
        raise UsageError(
            f"{connections} hosts at once are more than this machine allows with {hard} open files a process",
            f"raise that (ulimit -Hn), or name at most {max(hard - OTHERS, 1)} hosts",
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
