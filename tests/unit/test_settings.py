"""`deploy:` in invoke.yaml."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from deploy.model.errors import UsageError
from deploy.model.settings import Acme, Encryption, environment_names, parse_settings


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
        (
            {"environments": {"prod": {"domains": {"web": "https://x"}}}},
            "'https://x' is not a host name",
            "shop.example.com",
        ),
        (
            {"environments": {"prod": {"domains": {"web": "*.x.org"}}}},
            "'*.x.org' is not a host name",
            "shop.example.com",
        ),
        (
            {"environments": {"prod": {"domains": {"a": "x.org", "b": "x.org"}}}},
            "'x.org' is there twice",
            "one service",
        ),
        ({"environments": {"prod": {"acme": True}}}, "acme is not a mapping, nor false", "it is True"),
        ({"environments": {"prod": {"acme": {"mail": "x"}}}}, "acme.mail: unknown key", "did you mean 'email'?"),
        ({"environments": {"prod": {"acme": {"email": "x y"}}}}, "'x y' is not an address", "ops@example.com"),
        ({"environments": {"prod": {"acme": {"server": "http://x"}}}}, "is not an https address", "letsencrypt"),
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


def test_names_are_one_or_several_and_certificates_can_be_left_to_somebody_else() -> None:
    declared = {"domains": {"web": "shop.example.com", "api": ["a.example.com", "b.example.com"]}}
    settings = parse_settings({"environments": {"prod": declared, "stage": declared | {"acme": False}}}, folder="x")
    prod = settings.environment("prod")

    assert prod.domains == {"web": ("shop.example.com",), "api": ("a.example.com", "b.example.com")}
    assert prod.acme == Acme("", "https://acme-v02.api.letsencrypt.org/directory", "")
    assert settings.environment("stage").acme is None


def test_files_that_are_read_later_are_found_from_anywhere() -> None:
    declared = {"maintenance_page": "closed.html", "acme": {"ca": "ca.pem"}}
    prod = parse_settings({"environments": {"prod": declared}}, folder="x").at(Path("/src")).environment("prod")

    assert prod.acme
    assert (prod.maintenance_page, prod.acme.ca) == ("/src/closed.html", "/src/ca.pem")


def test_an_unknown_environment_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UsageError) as caught:
        parse_settings({}, folder="x").environment("stage")

    assert "known: dev, prod" in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "free"), [("20%", 200), ("10MB", 10_000_000), ("1.5 GB", 1_500_000_000), (4000, 4000), (0, 0)]
)
def test_disk_that_must_stay_free_is_a_share_or_a_size(text: object, free: int) -> None:
    raw = {"environments": {"prod": {"keep_free": text}}}
    assert parse_settings(raw, folder="shop").environment("prod").keep_free.bytes_of(1000) == free


@pytest.mark.parametrize("text", ["100%", "some", "-1GB", "10 XB"])
def test_disk_that_cannot_stay_free_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"environments\.prod\.keep_free: .* is neither a share nor a size"):
        parse_settings({"environments": {"prod": {"keep_free": text}}}, folder="shop")


def test_backups_are_encrypted_for_public_keys() -> None:
    keys = ["age1" + "q" * 58, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 ada@laptop"]
    raw = {"environments": {"prod": {"encryption": {"recipients": keys, "identity": "~/key"}}}}
    found = parse_settings(raw, folder="shop").environment("prod").encryption
    assert found == Encryption(tuple(keys), "~/key")


@pytest.mark.parametrize(
    ("encryption", "said"),
    [
        ("age1", "is not a mapping"),
        ({"recipient": "age1"}, "did you mean 'recipients'"),
        ({"identity": "~/key"}, "recipients is empty"),
        ({"recipients": "ada"}, "'ada' is no public key"),
        ({"recipients": "AGE-SECRET-KEY-1QQQ"}, "a private key: take it out"),
    ],
)
def test_an_encryption_that_nobody_could_undo_is_refused(encryption: object, said: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_settings({"environments": {"prod": {"encryption": encryption}}}, folder="shop")
    assert said in f"{error.value.message} {error.value.remedy}"
    assert "QQQ" not in f"{error.value.message} {error.value.remedy}"
