"""The door for FastAPI: `trail = JWTrail(app)`, then `trail.issue`, `trail.require`, `trail.record`, `trail.login_failed`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from starlette.routing import Match

from jwtrail.errors import StateError, TokenError
from jwtrail.middleware.asgi import TrailMiddleware
from jwtrail.middleware.exchange import SCOPE_KEY, Exchange, current
from jwtrail.runtime.door import Door, binding_of, denial_of, proof_denial
from jwtrail.runtime.endpoints import MAX_FORM_BYTES, PATHS, Endpoints, form_of
from jwtrail.tokens.pairs import TokenPair as Issued
from jwtrail.tokens.sessions import Session
from jwtrail.tokens.settings import VerifyPolicy
from jwtrail.tokens.verdict import UNBOUND, Accepted, Binding, Claims
from jwtrail.tokens.verifier import KeySource

__all__ = ["Binding", "Claims", "JWTrail", "ProofRefused", "Session", "TokenPair"]


@dataclass(frozen=True, slots=True)
class TokenPair:
    """The answer of a token endpoint (RFC 6749 section 5.1); a dataclass, so FastAPI can document and send it.

    Attributes:
        expires_in: seconds the access token lives.
    """

    access_token: str
    refresh_token: str
    token_type: str
    expires_in: int
    scope: str


class ProofRefused(HTTPException):
    """No tokens for this client: its DPoP proof does not count, or it lacks one."""


class JWTrail(Door):
    """Signs people in, checks their tokens and records every request of a FastAPI application.

    Args:
        app: the application; the middleware is added to it.
        keys: in observe mode, what the application verifies its tokens with, such as `KeySet(load_secret(b"…"))`: refused tokens
            get their right reason, and one that was revoked here is stopped.
        policy: in observe mode, what the application asks of its tokens.
        config: a settings file instead of `jwtrail.toml`.
        daemon: start `jwtrail serve` as a child process of this one, for people who want one command.
        **settings: any setting by its dotted name with `_` for the dot's sake quoted, e.g. `**{"tokens.issuer": "https://shop"}`,
            or a top-level one such as `data="/var/lib/shop"`.

    Raises:
        ConfigError: a setting is unknown or out of bounds.
        KeyRefusedError: a signing key is too weak.
    """

    def __init__(
        self,
        app: FastAPI,
        *,
        keys: KeySource | None = None,
        policy: VerifyPolicy | None = None,
        config: Path | None = None,
        daemon: bool = False,
        **settings: Any,
    ) -> None:
        super().__init__(settings, config=config, daemon=daemon)
        self._app = app
        app.add_exception_handler(StateError, _away)
        app.add_exception_handler(ProofRefused, _refused)
        app.add_middleware(
            TrailMiddleware,
            frame=self._worker.frame(resolve=self._resolve, verifier=self._judge(policy, keys)),
            on_startup=self._worker.start,
            on_shutdown=self._worker.close,
        )

    def issue(
        self,
        subject: str,
        *,
        scope: str = "",
        name: str | None = None,
        claims: dict[str, Any] | None = None,
        roles: tuple[str, ...] = (),
        tenant: str = "",
        client_id: str = "",
        device: str = "",
        act: str = "",
        binding: Binding = UNBOUND,
    ) -> TokenPair:
        """Sign `subject` in: an access token (RFC 9068), a refresh token, and the `login` and `token-issued` events.

        Args:
            subject: who, a stable id; becomes `sub`.
            scope: scopes separated by blanks.
            name: what the person typed at sign-in, so that failures before it can be told to belong to it; `subject` when absent.
            claims: further claims; names of registered claims are refused.
            roles: become `roles`.
            tenant: becomes `tenant`.
            client_id: OAuth client.
            device: label of the device, for a person's list of sign-ins.
            binding: what the tokens are bound to, `trail.proven()`: without it they are worth nothing.
            act: who acts as `subject` (RFC 8693 section 4.1): support staff, never the person itself.

        Raises:
            TokenError: a claim cannot be issued.
        """
        about: dict[str, Any] = {
            "scope": scope,
            "claims": claims,
            "roles": roles,
            "tenant": tenant,
            "client_id": client_id,
        }
        about |= {"device": device, "act": act, "binding": binding}
        return _pair(self._worker.sign_in(subject, name=name or subject, **about))

    def proven(self, *, required: bool = False) -> Binding:
        """What the client of the running request has shown to hold: a DPoP key (RFC 9449), a certificate (RFC 8705), both, or
        nothing. For `trail.issue(…, binding=trail.proven())`; a proof counts once, so call it once.

        Args:
            required: refuse a client that has shown nothing, which gets bearer tokens otherwise.

        Raises:
            ProofRefused: 400 `{"error": "invalid_dpop_proof"}` or `use_dpop_nonce`, which tells the client to try again.
            StateError: whether the proof was used before cannot be told; the answer is 503.
        """
        exchange = current.get()
        if exchange is None:
            return UNBOUND
        try:
            return binding_of(exchange, required=required)
        except TokenError as error:
            denial = proof_denial(error.reason)
            raise ProofRefused(denial.status, denial.word, dict(denial.headers)) from error

    def require(self, *scopes: str, roles: tuple[str, ...] = ()) -> Callable[[Request], Awaitable[Claims]]:
        """A dependency: 401 without a good token, 403 without every scope (and one of `roles`), else the `Claims`.

        Use it as `who: Claims = Depends(trail.require("orders:read"))`.
        """

        async def dependency(
            request: Request,
        ) -> Claims:  # async, so that FastAPI does not send it to a thread
            exchange = _exchange(request)
            if (denial := denial_of(exchange, scopes, roles)) is not None:
                raise HTTPException(denial.status, denial.word, denial.headers)
            verdict = exchange.verdict
            assert isinstance(verdict, Accepted)
            return verdict.claims

        return dependency

    def denied(self, reason: str = "object_denied") -> HTTPException:
        """The 403 to raise when this person may not touch this object; the reason goes to the trail, not to the client."""
        if (exchange := current.get()) is not None:
            exchange.reason = reason
        return HTTPException(403, "forbidden")

    def login_failed(self, name: str, *, reason: str = "bad_credentials") -> HTTPException:
        """Record a failed sign-in; gives the 401 to raise: `raise trail.login_failed(form.username)`.

        Args:
            name: what was typed as the name.
            reason: `bad_credentials`, `user_unknown`, `user_disabled`, `mfa_required` or `mfa_failed`; the client never sees it.
        """
        denial = self._login_failed(name, reason)
        return HTTPException(denial.status, denial.word, denial.headers)

    def router(self) -> APIRouter:
        """Routes to mount: `POST /token/refresh`, `/token/revoke` (RFC 7009), `/token/introspect` (RFC 7662), `/logout`, and
        `GET /.well-known/jwks.json`.
        """
        router = APIRouter(tags=["tokens"])
        endpoints = Endpoints(self._worker)

        def route(path: str) -> Callable[[Request], Awaitable[Response]]:
            async def endpoint(request: Request) -> Response:
                form = form_of(await _body(request), request.headers.get("content-type", ""))
                reply = await run_in_threadpool(endpoints.answer, path, form, _exchange(request))
                return Response(reply.body, reply.status, dict(reply.headers), "application/json")

            return endpoint

        for path, (method, act) in PATHS.items():
            answers: dict[int | str, dict[str, Any]] = (
                {200: {"model": TokenPair}} if act is Endpoints.refresh else {}
            )
            router.add_api_route(
                path,
                route(path),
                methods=[method],
                name=act.__name__,
                description=act.__doc__,
                responses=answers,
            )

        @router.post("/logout", status_code=204)
        def logout(who: Annotated[Claims, Depends(self.require())]) -> None:
            self.logout(who)

        return router

    def set_cookies(self, pair: TokenPair) -> str:
        """Put a pair into cookies of the running request's answer instead of showing it: `http.cookies` must be on.

        Returns:
            The CSRF token that the page sends as `X-CSRF-Token` with every request that changes something; it is also in a
            cookie that the page may read.

        Raises:
            ConfigError: cookies are not turned on.
            TokenError: the pair is not one of ours.
        """
        return self._cookies_for(self._worker.pair_of(pair.access_token, pair.refresh_token))

    def _resolve(self, scope: Any) -> None:
        """Find the route of a request that is refused before routing."""
        for route in self._app.router.routes:
            match, child = route.matches(scope)
            if match is Match.FULL:
                scope.update(child)
                scope.setdefault("route", route)
                return


def _refused(_request: Request, error: Exception) -> JSONResponse:
    """In the form of a token endpoint (RFC 6749 section 5.2), as our own routes answer."""
    assert isinstance(error, ProofRefused)
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


def _away(_request: Request, _error: Exception) -> JSONResponse:
    """Nobody can be signed in, exchanged or signed out while the shared state is away."""
    return JSONResponse({"error": "temporarily_unavailable"}, 503, {"Retry-After": "1"})


def _pair(issued: Issued) -> TokenPair:
    return TokenPair(
        issued.access_token, issued.refresh_token, issued.token_type, issued.expires_in, issued.scope
    )


def _exchange(request: Request) -> Exchange:
    exchange: Exchange = request.scope[SCOPE_KEY]
    return exchange


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            raise HTTPException(413, "too large")
    return body
