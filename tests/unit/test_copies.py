"""Where `db.backup --to` brings a copy."""

from __future__ import annotations

import pytest

from deploy.model.errors import UsageError
from deploy.tasks.travel import folder_for


def test_a_copy_goes_to_the_usual_folder_or_to_one_that_is_named() -> None:
    assert folder_for("prod", "local", local=False) == ""
    assert folder_for("prod", "/mnt/disk", local=False) == "/mnt/disk"
    assert folder_for("dev", "", local=True) == ""


@pytest.mark.parametrize(
    ("to", "local", "said", "remedy"),
    [
        ("loacl", False, "--to loacl: it is 'local'", "write --to ./loacl"),
        ("local", True, "those of development are here already", "add --env prod"),
    ],
)
def test_what_is_no_place_is_refused_before_anything_is_backed_up(to: str, local: bool, said: str, remedy: str) -> None:
    with pytest.raises(UsageError) as raised:
        folder_for("prod", to, local=local)

    assert said in raised.value.message
    assert remedy in raised.value.remedy
