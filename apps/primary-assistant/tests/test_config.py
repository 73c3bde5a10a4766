import logging

import pytest
from sqlalchemy.engine import URL

from website import logs
from website.config import ConfigError, from_environment

KEY = "k" * 32


def test_a_production_process_needs_a_key_of_its_own() -> None:
    with pytest.raises(ConfigError, match="SECRET_KEY has 31 characters"):
        from_environment({"SECRET_KEY": KEY[1:]}, debug=False)
    assert from_environment({"SECRET_KEY": KEY}, debug=False)["SECRET_KEY"] == KEY
    assert from_environment({}, debug=True)["SECRET_KEY"]


def test_a_password_may_have_any_character() -> None:
    found = from_environment({"POSTGRES_PASSWORD": "p@ss:w/rd?%"}, debug=True)["SQLALCHEMY_DATABASE_URI"]

    assert isinstance(found, URL)
    assert found.password == "p@ss:w/rd?%"
    assert "p@ss" not in str(found)


def test_empty_variables_count_as_unset_and_wrong_ones_are_named() -> None:
    found = from_environment({"SQLALCHEMY_POOL_SIZE": "", "TRUSTED_PROXIES": "1"}, debug=True)

    assert found["SQLALCHEMY_ENGINE_OPTIONS"]["pool_size"] == 10
    assert found["TRUSTED_PROXIES"] == 1
    with pytest.raises(ConfigError, match="TRUSTED_PROXIES is '-1'"):
        from_environment({"TRUSTED_PROXIES": "-1"}, debug=True)


def test_only_passed_health_checks_stay_out_of_the_log() -> None:
    def kept(request: str, status: str) -> bool:
        record = logging.LogRecord("werkzeug", logging.INFO, "", 0, '"%s" %s %s', (request, status, "-"), None)
        return logs.not_a_passed_health_check(record)

    assert not kept("GET /health HTTP/1.1", "200")
    assert kept("GET /health HTTP/1.1", "503")
    assert kept("GET / HTTP/1.1", "200")
