"""The door for any WSGI application: Django, Bottle, Pyramid, or one without a framework. Flask has one of its own.

`trail = Trail()`, then `application = trail.wrap(application)`.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jwtrail.middleware.frame import Resolve
from jwtrail.middleware.gate import Judge
from jwtrail.middleware.observed import Identify
from jwtrail.middleware.wsgi import SCOPE, WsgiMiddleware, exchange_of, reply
from jwtrail.middleware.wsgianswer import App, Environ, StartResponse
from jwtrail.runtime.door import Denial, Door, binding_of, denial_of
from jwtrail.runtime.endpoints import MAX_FORM_BYTES, PATHS, Endpoints, Reply, form_of
from jwtrail.tokens.pairs import TokenPair
from jwtrail.tokens.verdict import Accepted, Binding, Claims

__all__ = ["SCOPE", "Binding", "Claims", "Denial", "TokenPair", "Trail"]


class Trail(Door):
    """Checks the tokens and records every request of a WSGI application.

    Args:
        config: a settings file instead of `jwtrail.toml`.
        daemon: start `jwtrail serve` as a child process of this one.
        **settings: any setting by its dotted name.

    Raises:
        ConfigError: a setting is unknown or out of bounds.
        KeyRefusedError: a signing key is too weak.
    """

    def __init__(self, *, config: Path | None = None, daemon: bool = False, **settings: Any) -> None:
        super().__init__(settings, config=config, daemon=daemon)
        self._endpoints = Endpoints(self._worker)

    def wrap(
        self,
        app: App,
        *,
        identify: Identify | None = None,
        verifier: Judge | None = None,
        resolve: Resolve | None = None,
    ) -> WsgiMiddleware:
        """The application with the middleware around it.

        Args:
            identify: in observe mode, gives the claims that the application verified in the request of this scope, or None.
            verifier: in observe mode, names the reason of a token that the application refused, and stops one that was revoked;
                it must know the application's keys, see `verifier`. Ours when absent.
            resolve: sets `scope["route"]` (anything with a `path`) and `scope["path_params"]` of a request that is refused
                before routing. For the others a hook of the framework sets them in `environ[SCOPE]`.
        """
        frame = self._worker.frame(identify=identify, verifier=verifier, resolve=resolve)
        return WsgiMiddleware(app, frame, on_startup=self._worker.start)

    def routes(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """An application with `/token/refresh`, `/token/revoke`, `/token/introspect` and `/.well-known/jwks.json`, to mount
        behind the middleware.
        """
        path, method = environ.get("PATH_INFO", ""), environ["REQUEST_METHOD"]
        answer = self._reply(path, method, environ)
        return reply(start_response, answer.status, answer.body, dict(answer.headers))

    def _reply(self, path: str, method: str, environ: Environ) -> Reply:
        known = PATHS.get(path)
        if known is None:
            return Reply(404, b'{"error":"not_found"}')
        if method != known[0]:
            return Reply(405, b'{"error":"method_not_allowed"}', (("Allow", known[0]),))
        body = _body(environ)
        if body is None:
            return Reply(413, b'{"error":"too_large"}')
        form = form_of(body, environ.get("CONTENT_TYPE", ""))
        return self._endpoints.answer(path, form, exchange_of(environ))

    def claims(self, environ: Environ) -> Claims | None:
        """Whose request this is; None without a token that counts.

        Raises:
            ConfigError: the request did not come through what `wrap` gave.
        """
        verdict = exchange_of(environ).verdict
        return verdict.claims if isinstance(verdict, Accepted) else None

    def denial(self, environ: Environ, *scopes: str, roles: tuple[str, ...] = ()) -> Denial | None:
        """Why this request may not go on, for the answer; None when it may. The trail learns the reason.

        Args:
            scopes: all of these are asked for.
            roles: one of these is, when any are given.
        """
        return denial_of(exchange_of(environ), scopes, roles)

    def issue(self, subject: str, *, name: str | None = None, **about: Any) -> TokenPair:
        """Sign somebody in; see `jwtrail.fastapi.JWTrail.issue`."""
        return self._worker.sign_in(subject, name=name or subject, **about)

    def login_failed(self, name: str, *, reason: str = "bad_credentials") -> Denial:
        """Record a failed sign-in; gives the 401 to answer with.

        Args:
            name: what was typed as the name.
            reason: `bad_credentials`, `user_unknown`, `user_disabled`, `mfa_required` or `mfa_failed`; the client never sees it.
        """
        return self._login_failed(name, reason)

    def proven(self, environ: Environ, *, required: bool = False) -> Binding:
        """What the client of this request has shown to hold, for `issue(…, binding=…)`: see `jwtrail.fastapi.JWTrail.proven`.

        Raises:
            TokenError: the proof does not count, or one is required and there is none; `reason` says why.
                `dpop_nonce_required`: the answer brings the nonce.
            StateError: whether the proof was used before cannot be told.
        """
        return binding_of(exchange_of(environ), required=required)


def _body(environ: Environ) -> bytes | None:
    """The request's body; None when it is too long. PEP 3333: nothing behind `CONTENT_LENGTH` may be read."""
    length = str(environ.get("CONTENT_LENGTH") or "0")
    if not (length.isascii() and length.isdigit()) or int(length[:9]) > MAX_FORM_BYTES or len(length) > 9:
        return None
    return bytes(environ["wsgi.input"].read(int(length)))
