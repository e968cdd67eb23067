"""Settings of the request path."""

import ipaddress
import re
from typing import Literal

from msgspec import Struct

from jwtrail.errors import ConfigError
from jwtrail.middleware.http import UNIX
from jwtrail.middleware.places import Places
from jwtrail.tokens.htu import normal_url

__all__ = ["HttpSettings"]


_PATH = re.compile(r"/[A-Za-z0-9._~/-]*")


class HttpSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How requests are read and answered.

    Args:
        trusted_proxies: networks (`10.0.0.0/8`) or addresses whose `X-Forwarded-For` is believed, and `unix` for a proxy that
            comes over a Unix socket; none by default.
        query_allow: names of query parameters whose values are kept; all others are written as `…`.
        claims_allow: names of further claims that are kept in `jwt.claims`; none by default.
        bad_token: `reject` answers 401 at once to a token that does not verify; `pass` leaves it to the route's `require`;
            `observe` leaves tokens to the application, which checks them itself, and only records what became of them.
        token_places: where an application that is observed reads tokens from beside `Authorization`: `header:X-Access-Token`,
            `cookie:access_token_cookie`, `query:jwt`.
        open_paths: paths where, and below which, a bad token is never answered for the application, such as the sign-in; without
            what the application is mounted at. A path that can be read in two ways (`//`, `..`, `%`) is none of them.
        durability: `batch` (on disk within 50 ms) or `sync` (on disk before the answer) for requests that were served;
            denials and everything about sign-in and tokens are always `sync`.
        write_failure: `closed` answers 503 when a `sync` event cannot be written, `open` serves and counts the gap.
        public_url: where clients reach this API, such as `https://api.example/v1`; DPoP proofs are made for it. Without it
            they count only when they name the address that the server itself listens at.
        client_cert_header: name of the header in which a trusted proxy hands over the client's certificate for tokens bound
            to one (`x5t#S256`), such as `Client-Cert` or `X-SSL-Client-Cert`; the proxy must overwrite what clients send.
        dpop_nonce: ask for a nonce in every DPoP proof, so that none can be made in advance.
        dpop_max_age_s: seconds a DPoP proof is taken after it was made.
        cookies: also take access tokens from a cookie, for browsers; requests that change something then need the header
            `X-CSRF-Token`.
        cookie_same_site: `strict`, or `lax` when people must stay signed in on links from other sites.
        cookie_refresh_path: where the refresh cookie is sent to: the path under which the token routes are mounted.
        state_away: what becomes of good tokens while revocations cannot be followed: `open` serves with what was known, `closed`
            answers 503.
        strict_paths: path prefixes that are always `closed` then, such as `/admin`; a path that can be read in two ways is too.
        sync_timeout_s: seconds a request waits for the disk before `write_failure` decides.
    """

    trusted_proxies: tuple[str, ...] = ()
    query_allow: tuple[str, ...] = ("page", "limit", "sort", "order")
    claims_allow: tuple[str, ...] = ()
    bad_token: Literal["reject", "pass", "observe"] = "reject"  # noqa: S105  # a policy, not a password
    token_places: tuple[str, ...] = ()
    open_paths: tuple[str, ...] = ("/login", "/token/")
    durability: Literal["batch", "sync"] = "batch"
    write_failure: Literal["closed", "open"] = "closed"
    public_url: str = ""
    client_cert_header: str = ""
    dpop_nonce: bool = False
    dpop_max_age_s: int = 60
    cookies: bool = False
    cookie_same_site: Literal["strict", "lax"] = "strict"
    cookie_refresh_path: str = "/token"
    state_away: Literal["closed", "open"] = "open"
    strict_paths: tuple[str, ...] = ()
    sync_timeout_s: float = 5.0

    def __post_init__(self) -> None:
        for network in self.trusted_proxies:
            if network == UNIX:
                continue
            try:
                ipaddress.ip_network(network, strict=False)
            except ValueError as error:
                raise ConfigError(
                    str(error), where="http.trusted_proxies", hint="write 10.0.0.0/8, 192.0.2.1 or unix"
                ) from error
        Places(self.token_places)  # refuses what is no place
        if self.token_places and self.bad_token != "observe":  # noqa: S105
            raise ConfigError(
                "tokens are read from elsewhere only while the application checks them",
                where="http.token_places",
                hint='set http.bad_token = "observe", or http.cookies for tokens in our own cookies',
            )
        if self.client_cert_header and not self.trusted_proxies:
            raise ConfigError(
                "anybody could claim a certificate",
                where="http.client_cert_header",
                hint="name the proxy in http.trusted_proxies",
            )
        if self.public_url and normal_url(self.public_url) is None:
            raise ConfigError(
                f"{self.public_url!r} is no URL", where="http.public_url", hint="https://api.example"
            )
        if not _PATH.fullmatch(self.cookie_refresh_path):
            raise ConfigError(
                f"{self.cookie_refresh_path!r} is no path", where="http.cookie_refresh_path", hint="/token"
            )
        if not 5 <= self.dpop_max_age_s <= 600:
            raise ConfigError(f"{self.dpop_max_age_s} is not between 5 and 600", where="http.dpop_max_age_s")
        if not 0 < self.sync_timeout_s <= 60:
            raise ConfigError(f"{self.sync_timeout_s} is not between 0 and 60", where="http.sync_timeout_s")
