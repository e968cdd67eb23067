"""Tokens in cookies, for browsers: never readable by scripts, and useless to other sites (RFC 6265bis, OWASP CSRF).

The CSRF token is an HMAC over the sign-in, so a page of another site can neither read nor make it, and a cookie that
somebody planted does not help.
"""

import hmac
from http.cookies import CookieError, SimpleCookie

from jwtrail.middleware.http import Credential, Headers
from jwtrail.middleware.settings import HttpSettings
from jwtrail.tokens import base64url
from jwtrail.tokens.pairs import TokenPair
from jwtrail.tokens.verdict import Claims

__all__ = ["ACCESS", "CSRF", "CSRF_HEADER", "MAX_COOKIE_BYTES", "REFRESH", "SAFE", "Cookies"]

ACCESS = "__Host-jwtrail"
CSRF = "__Host-jwtrail-csrf"
REFRESH = "__Secure-jwtrail-refresh"
"""The prefixes make browsers refuse these cookies without TLS, and from other hosts (RFC 6265bis section 4.1.3)."""

CSRF_HEADER = b"x-csrf-token"

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Methods that change nothing (RFC 9110 section 9.2.1) and need no CSRF token."""

MAX_COOKIE_BYTES = 32_768
"""Of the `Cookie` header; browsers send 4 KB a cookie, servers refuse more than this in total."""


class Cookies:
    """Sets, reads and clears the cookies.

    Args:
        secret: shared by all processes that serve one API.
        settings: see `HttpSettings`.
    """

    def __init__(self, secret: bytes, settings: HttpSettings) -> None:
        self._secret = secret
        self._same_site = settings.cookie_same_site.capitalize()
        self._refresh_path = settings.cookie_refresh_path

    def credential(self, headers: Headers) -> Credential | None:
        """The access token of the cookie; None when there is none."""
        found = self.read(headers, ACCESS)
        return Credential(found, "cookie") if found else None

    def read(self, headers: Headers, name: str) -> str:
        """The value of a cookie, or an empty text."""
        raw = "; ".join(headers.all(b"cookie"))
        if name not in raw or len(raw) > MAX_COOKIE_BYTES:
            return ""
        try:
            found = SimpleCookie(raw).get(name)
        except CookieError:
            return ""
        return found.value if found is not None else ""

    def csrf_of(self, claims: Claims) -> str:
        """The CSRF token of a sign-in."""
        sign_in = f"csrf.{claims.family or claims.jti}".encode()
        return base64url.encode(hmac.digest(self._secret, sign_in, "sha256"))

    def refusal(self, method: str, headers: Headers, claims: Claims) -> str:
        """`csrf_missing`, `csrf_mismatch`, or an empty text when the request may be ours."""
        if method in SAFE:
            return ""
        shown = headers.get(CSRF_HEADER) or ""
        if not shown:
            return "csrf_missing"
        good = hmac.compare_digest(shown.encode("utf-8", "replace"), self.csrf_of(claims).encode())
        return "" if good else "csrf_mismatch"

    def set(self, pair: TokenPair, now_us: int) -> list[tuple[bytes, bytes]]:
        """`Set-Cookie` headers for a pair that was just issued."""
        life_s = max(0, int(pair.refresh.exp or 0) - now_us // 1_000_000)
        return [
            self._header(ACCESS, pair.access_token, pair.expires_in),
            self._header(REFRESH, pair.refresh_token, life_s, path=self._refresh_path),
            self._header(CSRF, self.csrf_of(pair.access), life_s, script=True),
        ]

    def clear(self) -> list[tuple[bytes, bytes]]:
        """`Set-Cookie` headers that take all of them away."""
        return [
            self._header(ACCESS, "", 0),
            self._header(REFRESH, "", 0, path=self._refresh_path),
            self._header(CSRF, "", 0, script=True),
        ]

    def _header(
        self, name: str, value: str, life_s: int, *, path: str = "/", script: bool = False
    ) -> tuple[bytes, bytes]:
        hidden = "" if script else " HttpOnly;"  # the page must read the CSRF token to send it back
        text = f"{name}={value}; Path={path}; Max-Age={life_s}; Secure;{hidden} SameSite={self._same_site}"
        return (b"set-cookie", text.encode("latin-1"))
