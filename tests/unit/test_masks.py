"""What `db.pull` replaces, as settings say it."""

from __future__ import annotations

import pytest

from deploy.data.pull import masks_of
from deploy.model.errors import UsageError
from deploy.model.settings import parse_settings
from tests.unit.test_records import DATABASE

MASK = {"users": {"email": "'u' || id"}, "audit.events": {"address": "NULL"}}


def test_tables_have_columns_and_columns_have_expressions() -> None:
    raw = {"environments": {"prod": {"mask": MASK}}}

    assert parse_settings(raw, folder="shop").environment("prod").mask == MASK


@pytest.mark.parametrize("mask", [["users"], {"users": "email"}, {"users": {"email": 5}}])
def test_another_shape_is_refused_by_its_name(mask: object) -> None:
    with pytest.raises(UsageError, match=r"deploy\.environments\.prod\.mask(\.users)? is not a mapping"):
        parse_settings({"environments": {"prod": {"mask": mask}}}, folder="shop")


def test_masks_belong_to_one_database() -> None:
    assert masks_of(MASK, [DATABASE]) == MASK
    assert masks_of({}, [DATABASE, DATABASE]) == {}
    with pytest.raises(UsageError, match="there are several databases: db/shop, db/shop"):
        masks_of(MASK, [DATABASE, DATABASE])


def test_data_comes_from_environments_that_there_are() -> None:
    raw = {"environments": {"staging": {"data_from": ["prod", "dev"]}}}
    assert parse_settings(raw, folder="shop").environment("staging").data_from == ("prod", "dev")
    with pytest.raises(UsageError, match=r"staging\.data_from: there is no environment 'prdo'"):
        parse_settings({"environments": {"staging": {"data_from": "prdo"}}}, folder="shop")
