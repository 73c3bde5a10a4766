"""The page that users get while the project is in maintenance, and how HAProxy comes by it.

The page is a file that HAProxy reads when it starts or is reloaded; whether it is shown, and the message in it, are
entries of a map that the runtime API changes.
"""

from __future__ import annotations

import base64
import html
import json
from dataclasses import asdict, dataclass

from deploy.model.edge.paths import ON_ONE_HOST, Paths
from deploy.model.errors import UsageError

RETRY_AFTER_S = 120
MOST_BYTES = 14_000
"""An answer must fit into one of HAProxy's buffers, 16 KB with its headers."""
PLACE = "{message}"
DEFAULT_MESSAGE = "We are working on it and will be back soon."
DEFAULT_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Maintenance</title>
<style>
body { font: 1.1rem/1.6 system-ui, sans-serif; max-width: 32rem; margin: 20vh auto 0; padding: 0 1.5rem; color: #222; }
@media (prefers-color-scheme: dark) { body { background: #161616; color: #ddd; } }
</style>
</head>
<body>
<h1>Down for maintenance</h1>
<p>{message}</p>
</body>
</html>
"""


@dataclass(frozen=True)
class Maintenance:
    """`edge/maintenance.json`: who put a project into maintenance, since when, and what users are told."""

    by: str
    since: str
    message: str

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False) + "\n"


def page_template(page: str, *, where: str, paths: Paths = ON_ONE_HOST) -> str:
    """A page as HAProxy reads it, `{message}` standing for the message. Raises UsageError when it is too long."""
    template = page.replace("%", "%%").replace(PLACE, f"%[str(message),map_str({paths.maintenance_map}),b64dec]")
    size = len(template.encode())
    if size > MOST_BYTES:
        raise UsageError(
            f"{where}: {size} bytes are too long for a maintenance page",
            f"keep it below {MOST_BYTES}: put pictures where another server has them",
        )
    return template


def encoded(message: str) -> str:
    """A message as the map holds it: a text without spaces, already safe inside HTML."""
    return base64.b64encode(html.escape(message or DEFAULT_MESSAGE).encode()).decode()


def render_maintenance(maintenance: Maintenance | None) -> str:
    """`maintenance.map`."""
    return f"mode {'on' if maintenance else 'off'}\nmessage {encoded(maintenance.message if maintenance else '')}\n"
