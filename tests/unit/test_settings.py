"""`deploy:` in invoke.yaml."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import pytest

from deploy.model.errors import UsageError
from deploy.model.settings import environment_names, parse_settings


def test_an_empty_configuration_gives_dev_and_prod() -> None:
    settings = parse_settings({}, folder="My Shop")

    assert settings.project == "my-shop"
    assert list(settings.environments) == ["dev", "prod"]
    assert settings.environments["dev"].project == "my-shop-dev"
    assert settings.environments["prod"].project == "my-shop"
    assert settings.environments["prod"].path == PurePosixPath("/opt/my-shop")
    assert settings.environments["dev"].env_file == ".env"
    assert settings.environments["prod"].env_file == ".env.prod"


def test_a_stack_names_its_compose_files() -> None:
    settings = parse_settings({"stack": "alarm"}, folder="x")

    assert settings.project == "alarm"
    assert settings.environments["dev"].compose == ("compose/alarm/compose.yaml", "compose/alarm/dev.yaml")
    assert settings.environments["prod"].compose == ("compose/alarm/compose.yaml", "compose/alarm/prod.yaml")


def test_a_further_environment_has_a_project_and_a_folder_of_its_own() -> None:
    settings = parse_settings({"project": "shop", "environments": {"staging": {"hosts": ["a@b"]}}}, folder="x")

    staging = settings.environment("staging")
    assert (staging.project, str(staging.path), staging.hosts) == ("shop-staging", "/opt/shop-staging", ("a@b",))


def test_environment_names_are_known_before_settings_are_checked() -> None:
    assert environment_names({"environments": {"staging": {"nonsense": 1}}}) == ("prod", "staging")
    assert environment_names({"environments": "nonsense"}) == ("prod",)


@pytest.mark.parametrize(
    ("raw", "message", "remedy"),
    [
        ({"projet": "x"}, "invoke.yaml: deploy.projet: unknown key", "did you mean 'project'?"),
        (
            {"environments": {"prod": {"host": []}}},
            "invoke.yaml: deploy.environments.prod.host: unknown key",
            "did you mean 'hosts'?",
        ),
        (
            {"environments": {"prod": {"zzz": []}}},
            "deploy.environments.prod.zzz: unknown key",
            "known: project, compose,",
        ),
        ({"environments": ["prod"]}, "deploy.environments is not a mapping", "it is ['prod']"),
        (
            {"environments": {"prod": {"hosts": [1]}}},
            "deploy.environments.prod.hosts is not a list of texts",
            "it is [1]",
        ),
        (
            {"environments": {"prod": {"keep": 1}}},
            "deploy.environments.prod.keep is not a number of at least 2",
            "it is 1",
        ),
        ({"environments": {"prod": {"keep": True}}}, "keep is not a number", "it is True"),
        ({"environments": {"prod": {"path": "/"}}}, "'/' is not an absolute folder", "/opt/myapp"),
        ({"environments": {"prod": {"path": "srv/x"}}}, "'srv/x' is not an absolute folder", "/opt/myapp"),
        ({"project": "My Shop"}, "'My Shop' cannot name a compose project", "lower-case"),
        ({"project": ["x"]}, "deploy.project is not a text", "it is ['x']"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_its_remedy(raw: dict[str, Any], message: str, remedy: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_settings(raw, folder="x")

    assert message in caught.value.message
    assert remedy in caught.value.remedy
    assert caught.value.code == 2


def test_an_unknown_environment_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UsageError) as caught:
        parse_settings({}, folder="x").environment("stage")

    assert "known: dev, prod" in caught.value.remedy
