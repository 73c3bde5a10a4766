"""The vectors by hand: `python -m autopack.index` compares them with the database, `… rebuild` makes all of them anew."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from autopack.database import connect
from autopack.memory import Memories
from autopack.settings import Settings
from autopack.vectors import Vectors


def main(words: Sequence[str]) -> int:
    """The command line. The exit status."""
    if [*words] not in ([], ["rebuild"]):
        print(__doc__, file=sys.stderr)
        return 2
    settings = Settings.read()
    vectors = Vectors(settings.qdrant_url, settings.qdrant_api_key, settings.collection_prefix)
    mended = Memories(connect(settings.database_url), vectors).reconcile(wait=True, afresh=bool(words))
    assert mended  # only one that does not wait has none
    print(f"{mended.added} vectors added, {mended.removed} removed.")
    return 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    sys.exit(main(sys.argv[1:]))
