"""The door for Flask: `trail = JWTrail(app)`, or `trail = JWTrail()` and `trail.init_app(app)` in a factory, then `trail.issue`, `@trail.require`, `trail.claims`, `trail.record`."""

import re
from collections.abc import Callable, Mapping
from functools import partial, wraps
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ParamSpec, TypeVar

from flask import Blueprint, Flask, Response, abort, current_app, json, request
from werkzeug.exceptions import HTTPException

from jwtrail.errors import ConfigError, StateError, TokenError
from jwtrail.middleware.answers import AWAY
from jwtrail.middleware.exchange import current
from jwtrail.middleware.frame import Scope
from jwtrail.middleware.wsgi import SCOPE, WsgiMiddleware, exchange_of
from jwtrail.runtime.door import Denial, Door, binding_of, denial_of, proof_denial
from jwtrail.runtime.endpoints import MAX_FORM_BYTES, PATHS, Endpoints, form_of, told
from jwtrail.tokens.sessions import Session
from jwtrail.tokens.settings import VerifyPolicy
from jwtrail.tokens.verdict import UNBOUND, Accepted, Binding, Claims
from jwtrail.tokens.verifier import KeySource

__all__ = ["Binding", "Claims", "JWTrail", "Session"]

_Args = ParamSpec("_Args")
_Answer = TypeVar("_Answer")

_PARAMETER = re.compile(r"<(?:[^<>:]*:)?([^<>:]+)>")
"""A variable part of a rule, `<int:order_id>`; routes are told as `/orders/{order_id}` whatever the framework."""


class JWTrail(Door):
    """Signs people in, checks their tokens and records every request of a Flask application.

    Args:
        app: the application; its `wsgi_app` is wrapped. Without it call `init_app` later, once.
        keys: in observe mode, what the application verifies its tokens with, such as `KeySet(load_secret(b"…"))`: refused tokens
            get their right reason, and one that was revoked here is stopped.
        policy: in observe mode, what the application asks of its tokens.
        config: a settings file instead of `jwtrail.toml`.
        daemon: start `jwtrail serve` as a child process of this one, for people who want one command.
        **settings: any setting by its dotted name, e.g. `**{"tokens.issuer": "https://shop"}`.

    Raises:
        ConfigError: a setting is unknown or out of bounds.
        KeyRefusedError: a signing key is too weak.
    """

    def __init__(
        self,
        app: Flask | None = None,
        *,
        keys: KeySource | None = None,
        policy: VerifyPolicy | None = None,
        config: Path | None = None,
        daemon: bool = False,
        **settings: Any,
    ) -> None:
        super().__init__(settings, config=config, daemon=daemon)
        self._verifier = self._judge(policy, keys)
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Wrap an application that was made later, in a factory.

        Raises:
            ConfigError: it has a trail already: each request would have two events.
        """
        if "jwtrail" in app.extensions:
            raise ConfigError(
                f"the application {app.name!r} has a trail already",
                hint="make one JWTrail for each application",
            )
        app.extensions["jwtrail"] = self
        # Runs before what the application registered itself, which may answer in the place of the view.
        app.url_value_preprocessor(_note_route)
        app.register_error_handler(StateError, _away)
        frame = self._worker.frame(resolve=partial(_resolve, app), verifier=self._verifier)
        app.wsgi_app = WsgiMiddleware(  # type: ignore[method-assign]  # the way Flask documents for middleware
            app.wsgi_app, frame, on_startup=self._worker.start
        )

    @property
    def claims(self) -> Claims | None:
        """Whose request this is; None without a token that counts, and outside of a request."""
        exchange = current.get()
        verdict = exchange.verdict if exchange is not None else None
        return verdict.claims if isinstance(verdict, Accepted) else None

    def issue(self, subject: str, *, name: str | None = None, **about: Any) -> dict[str, Any]:
        """Sign `subject` in: an access token (RFC 9068), a refresh token, and the `login` and `token-issued` events.

        Args:
            **about: as of `jwtrail.fastapi.JWTrail.issue`.

        Returns:
            The answer of a token endpoint (RFC 6749 section 5.1), which a view may return as it is.

        Raises:
            TokenError: a claim cannot be issued.
        """
        return told(self._worker.sign_in(subject, name=name or subject, **about))

    def proven(self, *, required: bool = False) -> Binding:
        """What the client of the running request has shown to hold: see `jwtrail.fastapi.JWTrail.proven`.

        Args:
            required: refuse a client that has shown nothing, which gets bearer tokens otherwise.

        Raises:
            HTTPException: 400 `{"error": "invalid_dpop_proof"}` or `use_dpop_nonce`, which tells the client to try again.
            StateError: whether the proof was used before cannot be told; the answer is 503.
        """
        exchange = current.get()
        if exchange is None:
            return UNBOUND
        try:
            return binding_of(exchange, required=required)
        except TokenError as error:
            denial = proof_denial(error.reason)
            answer = _json({"error": denial.word}, denial.status, denial.headers)
            raise HTTPException(denial.word, answer) from error

    def require(
        self, *scopes: str, roles: tuple[str, ...] = ()
    ) -> Callable[[Callable[_Args, _Answer]], Callable[_Args, _Answer]]:
        """A decorator: 401 without a good token, 403 without every scope (and one of `roles`), else the view runs.

        It stands below the route: `@app.get("/orders/<int:order_id>")`, then `@trail.require("orders:read")`.
        """

        def decorate(view: Callable[_Args, _Answer]) -> Callable[_Args, _Answer]:
            @wraps(view)
            def guarded(*args: _Args.args, **kwargs: _Args.kwargs) -> _Answer:
                denial = denial_of(exchange_of(request.environ), scopes, roles)
                if denial is not None:
                    raise _exception(denial)
                return current_app.ensure_sync(view)(*args, **kwargs)  # type: ignore[no-any-return]  # of a view of any kind

            return guarded

        return decorate

    def denied(self, reason: str = "object_denied") -> HTTPException:
        """The 403 to raise when this person may not touch this object; the reason goes to the trail, not to the client."""
        if (exchange := current.get()) is not None:
            exchange.reason = reason
        return _exception(Denial(403, "forbidden"))

    def login_failed(self, name: str, *, reason: str = "bad_credentials") -> HTTPException:
        """Record a failed sign-in; gives the 401 to raise: `raise trail.login_failed(name)`.

        Args:
            name: what was typed as the name.
            reason: `bad_credentials`, `user_unknown`, `user_disabled`, `mfa_required` or `mfa_failed`; the client never sees it.
        """
        return _exception(self._login_failed(name, reason))

    def blueprint(self) -> Blueprint:
        """Routes to register: `POST /token/refresh`, `/token/revoke` (RFC 7009), `/token/introspect` (RFC 7662), `/logout`,
        and `GET /.well-known/jwks.json`.
        """
        routes = Blueprint("jwtrail", __name__)
        endpoints = Endpoints(self._worker)

        def route(path: str) -> Callable[[], Response]:
            def view() -> Response:
                if (request.content_length or 0) > MAX_FORM_BYTES:
                    abort(413)
                request.max_content_length = MAX_FORM_BYTES
                form = form_of(request.get_data(), request.content_type or "")
                answer = endpoints.answer(path, form, exchange_of(request.environ))
                return Response(answer.body, answer.status, dict(answer.headers), "application/json")

            return view

        for path, (method, act) in PATHS.items():
            routes.add_url_rule(path, act.__name__, route(path), methods=[method])

        @routes.post("/logout")
        @self.require()
        def logout() -> tuple[str, int]:
            assert self.claims is not None
            self.logout(self.claims)
            return "", 204

        return routes

    def set_cookies(self, pair: Mapping[str, Any]) -> str:
        """Put a pair into cookies of the running request's answer instead of showing it: `http.cookies` must be on.

        Returns:
            The CSRF token that the page sends as `X-CSRF-Token` with every request that changes something.

        Raises:
            ConfigError: cookies are not turned on.
            TokenError: the pair is not one of ours.
        """
        return self._cookies_for(self._worker.pair_of(pair["access_token"], pair["refresh_token"]))


def _resolve(app: Flask, scope: Scope) -> None:
    """Find the route of a request that is refused before routing."""
    path, root = str(scope["path"]), str(scope["root_path"])
    host = (
        next((value for name, value in scope["headers"] if name == b"host"), b"")
        if app.url_map.host_matching
        else b""
    )
    try:
        urls = app.url_map.bind(host.decode("latin-1"), script_name=root or None, path_info=path[len(root) :])
        rule, params = urls.match(method=str(scope["method"]), return_rule=True)
    except HTTPException:
        return
    _note(scope, rule.rule, params)


def _note_route(_endpoint: str | None, values: dict[str, Any] | None) -> None:
    """The rule is known here and gone when the WSGI application has answered."""
    if request.url_rule is not None and SCOPE in request.environ:
        _note(request.environ[SCOPE], request.url_rule.rule, dict(values or {}))


def _note(scope: Scope, rule: str, params: Mapping[str, Any]) -> None:
    scope["route"] = SimpleNamespace(path=_PARAMETER.sub(r"{\1}", rule))
    scope["path_params"] = params


def _exception(denial: Denial) -> HTTPException:
    answer = {"detail": denial.word}
    return HTTPException(denial.word, _json(answer, denial.status, denial.headers))


def _json(body: Mapping[str, str], status: int, headers: Mapping[str, str]) -> Response:
    return Response(json.dumps(body), status, dict(headers), "application/json")


def _away(_error: Exception) -> Response:
    """Nobody can be signed in, exchanged or signed out while the shared state is away."""
    return Response(AWAY, 503, {"Retry-After": "1"}, "application/json")
