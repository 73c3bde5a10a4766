"""The API. A refusal is `{"detail": "a sentence"}` with its status."""

import functools
import hmac
import json
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from config.version import APP_VERSION

from . import panel
from .machine import Mode, NotNow
from .models import Sensor

LONGEST_NAME = 60


class Refused(Exception):
    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


View = Callable[..., JsonResponse]


def answers_refusals(view: View) -> View:
    @functools.wraps(view)
    def wrapped(request: HttpRequest, **arguments: str) -> JsonResponse:
        try:
            return view(request, **arguments)
        except Refused as refused:
            return JsonResponse({"detail": str(refused)}, status=refused.status)

    return wrapped


@require_GET
def health(_: HttpRequest) -> JsonResponse:
    """200 when this process and its database answer."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return JsonResponse({"status": "no database"}, status=503)
    return JsonResponse({"status": "ok"})


@require_GET
def version(_: HttpRequest) -> JsonResponse:
    return JsonResponse({"version": APP_VERSION})


@require_http_methods(["GET", "POST"])
@answers_refusals
def panel_(request: HttpRequest) -> JsonResponse:
    """The panel; POST `{"command": "arm_home" | "arm_away" | "disarm", "code": "…"}` changes it first."""
    if request.method == "POST":
        body = _body(request)
        _require(body.get("code"), settings.PANEL_CODE, "This is not the code.")
        _obey(body.get("command"))
    return JsonResponse(panel.snapshot())


@require_GET
def events(_: HttpRequest) -> JsonResponse:
    """The newest events."""
    return JsonResponse({"events": panel.events()})


@require_POST
@answers_refusals
def doorbell(request: HttpRequest) -> JsonResponse:
    """`{"visitor": "…"}`: anybody may ring."""
    visitor = _body(request).get("visitor", "")
    if not isinstance(visitor, str) or len(visitor) > LONGEST_NAME or not visitor.isprintable():
        raise Refused(400, f"visitor must be a text of at most {LONGEST_NAME} characters.")
    return JsonResponse(panel.event_as_json(panel.ring(visitor)), status=201)


@require_POST
@answers_refusals
def sensor(request: HttpRequest, key: str) -> JsonResponse:
    """`{"active": true | false, "token": "…"}` from the gateway; 200 when that is no news, 201 when it is."""
    body = _body(request)
    _require(body.get("token"), settings.GATEWAY_TOKEN, "This is not the gateway's token.")
    if not isinstance(body.get("active"), bool):
        raise Refused(400, "active must be true or false.")
    try:
        event = panel.report(key, active=body["active"])
    except Sensor.DoesNotExist as error:
        raise Refused(404, f"There is no sensor {key}.") from error
    return JsonResponse({"event": event and panel.event_as_json(event)}, status=201 if event else 200)


def _obey(command: object) -> None:
    modes = {f"arm_{mode}": mode for mode in Mode}
    try:
        if command == "disarm":
            panel.disarm()
        elif isinstance(command, str) and command in modes:
            panel.arm(modes[command])
        else:
            raise Refused(400, f"command must be one of {', '.join((*modes, 'disarm'))}.")
    except NotNow as error:
        raise Refused(409, str(error)) from error


def _body(request: HttpRequest) -> dict[str, Any]:
    try:
        body = json.loads(request.body)
    except ValueError as error:
        raise Refused(400, "The body is not JSON.") from error
    if not isinstance(body, dict):
        raise Refused(400, "The body is not a JSON object.")
    return body


def _require(given: object, secret: str, otherwise: str) -> None:
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(), secret.encode()):
        raise Refused(403, otherwise)
