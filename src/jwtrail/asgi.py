"""The door for any ASGI application: Starlette, Litestar, Quart, Django, or one without a framework.

`trail = Trail()`, then `app = trail.wrap(app)`. An application that keeps its own token library sets
`http.bad_token = "observe"` and tells the trail whose request it is: `trail.wrap(app, identify=…)` or `trail.seen(claims)`.
"""

from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Any

from jwtrail.middleware.asgi import App, TrailMiddleware
from jwtrail.middleware.exchange import SCOPE_KEY, Exchange
from jwtrail.middleware.gate import Judge
from jwtrail.middleware.observed import Identify
from jwtrail.runtime.door import Denial, Door, binding_of, denial_of
from jwtrail.runtime.endpoints import Endpoints
from jwtrail.runtime.routes import TokenRoutes
from jwtrail.tokens.pairs import TokenPair
from jwtrail.tokens.verdict import Accepted, Binding, Claims

__all__ = ["Binding", "Claims", "Denial", "TokenPair", "Trail"]

Scope = MutableMapping[str, Any]
Resolve = Callable[[Scope], None]


class Trail(Door):
    """Checks the tokens and records every request of an ASGI application.

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
        self.routes = TokenRoutes(Endpoints(self._worker))
        """Mount it to have `/token/refresh`, `/token/revoke`, `/token/introspect` and `/.well-known/jwks.json`."""

    def wrap(
        self,
        app: App,
        *,
        identify: Identify | None = None,
        verifier: Judge | None = None,
        resolve: Resolve | None = None,
    ) -> TrailMiddleware:
        """The application with the middleware around it.

        Args:
            identify: in observe mode, gives the claims that the application verified in the request of this scope, or None.
            verifier: in observe mode, names the reason of a token that the application refused, and stops one that was revoked;
                it must know the application's keys, see `verifier`. Ours when absent.
            resolve: sets `scope["route"]` (anything with a `path`) and `scope["path_params"]` of a request that is refused
                before routing, so that its event has a template.
        """
        return TrailMiddleware(
            app,
            self._worker.frame(identify=identify, verifier=verifier, resolve=resolve),
            on_startup=self._worker.start,
            on_shutdown=self._worker.close,
        )

    def claims(self, scope: Scope) -> Claims | None:
        """Whose request this is; None without a token that counts."""
        exchange: Exchange = scope[SCOPE_KEY]
        return exchange.verdict.claims if isinstance(exchange.verdict, Accepted) else None

    def denial(self, scope: Scope, *scopes: str, roles: tuple[str, ...] = ()) -> Denial | None:
        """Why this request may not go on, for the answer; None when it may. The trail learns the reason.

        Args:
            scopes: all of these are asked for.
            roles: one of these is, when any are given.
        """
        return denial_of(scope[SCOPE_KEY], scopes, roles)

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

    def proven(self, scope: Scope, *, required: bool = False) -> Binding:
        """What the client of this request has shown to hold, for `issue(…, binding=…)`: see `jwtrail.fastapi.JWTrail.proven`.

        Raises:
            TokenError: the proof does not count, or one is required and there is none; `reason` says why.
                `dpop_nonce_required`: the answer brings the nonce.
            StateError: whether the proof was used before cannot be told.
        """
        return binding_of(scope[SCOPE_KEY], required=required)
