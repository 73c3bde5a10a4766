"""Sessions and forms: cookies that are safe where the page is, and a token in every form."""

from flask import Flask, request
from flask.sessions import SecureCookieSessionInterface
from flask_wtf import CSRFProtect

csrf = CSRFProtect()


class SchemeAwareSessions(SecureCookieSessionInterface):
    """`Secure` cookies wherever the page came over HTTPS; over plain http a browser would drop them."""

    def get_cookie_secure(self, app: Flask) -> bool:
        return request.is_secure
