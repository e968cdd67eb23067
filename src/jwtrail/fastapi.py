"""The door for FastAPI: `trail = JWTrail(app)`, then `trail.issue`, `trail.require`, `trail.record`, `trail.login_failed`."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from starlette.routing import Match

from jwtrail import clock
from jwtrail.ecs import CATALOGUE
from jwtrail.errors import ConfigError, StateError
from jwtrail.middleware.asgi import TrailMiddleware
from jwtrail.middleware.bindings import challenge_of, error_of
from jwtrail.middleware.exchange import SCOPE_KEY, Exchange, current, proven_by
from jwtrail.middleware.observed import seen
from jwtrail.runtime.endpoints import MAX_FORM_BYTES, PATHS, Endpoints, form_of
from jwtrail.runtime.worker import Worker
from jwtrail.tokens.pairs import TokenPair as Issued
from jwtrail.tokens.sessions import Session
from jwtrail.tokens.verdict import UNBOUND, Absent, Accepted, Binding, Claims, Rejected

__all__ = ["Binding", "Claims", "JWTrail", "Session", "TokenPair"]

_ATTRIBUTES = frozenset(field.attribute for field in CATALOGUE.values())


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


class JWTrail:
    """Signs people in, checks their tokens and records every request of a FastAPI application.

    Args:
        app: the application; the middleware is added to it.
        config: a settings file instead of `jwtrail.toml`.
        daemon: start `jwtrail serve` as a child process of this one, for people who want one command.
        **settings: any setting by its dotted name with `_` for the dot's sake quoted, e.g. `**{"tokens.issuer": "https://shop"}`,
            or a top-level one such as `data="/var/lib/shop"`.

    Raises:
        ConfigError: a setting is unknown or out of bounds.
        KeyRefusedError: a signing key is too weak.
    """

    def __init__(
        self, app: FastAPI, *, config: Path | None = None, daemon: bool = False, **settings: Any
    ) -> None:
        self._worker = Worker.from_settings(settings, file=config, daemon=daemon)
        self._app = app
        app.add_exception_handler(StateError, _away)
        app.add_middleware(
            TrailMiddleware,
            frame=self._worker.frame(resolve=self._resolve),
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

    def proven(self) -> Binding:
        """What the client of the running request has shown to hold: a DPoP key (RFC 9449), a certificate (RFC 8705), both, or
        nothing. For `trail.issue(…, binding=trail.proven())`; a proof counts once, so call it once.

        Raises:
            HTTPException: 400 `invalid_dpop_proof` or `use_dpop_nonce`, which tells the client to try again.
            StateError: whether the proof was used before cannot be told; the answer is 503.
        """
        exchange = current.get()
        if exchange is None:
            return UNBOUND
        proven = proven_by(exchange)
        if proven.reason:
            raise HTTPException(400, error_of(proven.reason))
        return proven.binding

    def require(self, *scopes: str, roles: tuple[str, ...] = ()) -> Callable[[Request], Awaitable[Claims]]:
        """A dependency: 401 without a good token, 403 without every scope (and one of `roles`), else the `Claims`.

        Use it as `who: Claims = Depends(trail.require("orders:read"))`.
        """

        async def dependency(
            request: Request,
        ) -> Claims:  # async, so that FastAPI does not send it to a thread
            exchange = _exchange(request)
            exchange.policy = "required"
            verdict = exchange.verdict
            if not isinstance(verdict, Accepted):
                exchange.reason = _why(exchange, verdict)
                if exchange.reason.startswith("csrf_"):
                    raise HTTPException(403, "csrf")
                raise HTTPException(
                    401, "unauthorized", challenge_of(verdict, exchange.credential.scheme, exchange.nonce)
                )
            if not verdict.claims.has_scope(*scopes):
                exchange.reason = "scope_insufficient"
                raise _forbidden(" ".join(scopes))
            if roles and not set(roles) & set(verdict.claims.roles):
                exchange.reason = "role_denied"
                raise _forbidden("")
            return verdict.claims

        return dependency

    def seen(self, claims: Mapping[str, Any]) -> None:
        """In observe mode (`http.bad_token = "observe"`): the application verified these claims in the running request, with
        a library of its own.
        """
        seen(claims)

    def record(self, action: str, **fields: Any) -> None:
        """Record a domain event: an export, a role change, whose data was touched.

        Args:
            action: one of `ecs.ACTIONS` or your own name.
            **fields: attributes of `Event` (`user_target_id="u7"`, `jwtrail_records=120`); identity and address are filled in.

        Raises:
            TypeError: a field that `Event` does not have.
            WriteError: outside a request, when the event cannot be made durable.
        """
        self._worker.record(action, **fields)

    def touch(self, object_id: str | None = None, **fields: Any) -> None:
        """Add to the event of the running request: what was touched, whose data, how many records.

        Args:
            object_id: id of the object when it is not the last path parameter.
            **fields: attributes of `Event`, e.g. `jwtrail_subject_ids=("u7",)`, `jwtrail_records=12`.

        Raises:
            TypeError: a field that `Event` does not have.
        """
        if unknown := fields.keys() - _ATTRIBUTES:
            msg = f"an event has no {', '.join(sorted(unknown))}"
            raise TypeError(msg)
        exchange = current.get()
        if exchange is None:
            return
        if object_id is not None:
            exchange.fields["jwtrail_object_id"] = object_id
        exchange.fields |= fields

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
        if (exchange := current.get()) is not None:
            exchange.reason = reason
        self._worker.record("login", user_name=name, event_outcome="failure", event_reason=reason)
        return HTTPException(401, "sign-in failed", {"WWW-Authenticate": "Bearer"})

    def logout(self, claims: Claims) -> None:
        """End the sign-in this token belongs to, on every worker."""
        self._worker.sign_out(claims)
        if self._worker.cookies is not None and (exchange := current.get()) is not None:
            exchange.answer_headers.extend(self._worker.cookies.clear())

    def logout_everywhere(self, subject: str) -> None:
        """End every sign-in of this person, on every device; what is issued from now on counts."""
        self._worker.sign_out_everywhere(subject)

    def sessions(self, subject: str) -> tuple[Session, ...]:
        """The sign-ins of a person that are not over, the last used first: device, address, times."""
        return self._worker.issuer.sessions(subject)

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
        cookies, exchange = self._worker.cookies, current.get()
        if cookies is None or exchange is None:
            raise ConfigError(
                "cookies are off", where="http.cookies", hint="set it, and call this inside a request"
            )
        issued = self._worker.pair_of(pair.access_token, pair.refresh_token)
        exchange.answer_headers.extend(cookies.set(issued, clock.now_us()))
        return cookies.csrf_of(issued.access)

    def close(self) -> None:
        """Write what is queued and stop; the server's shutdown does this by itself."""
        self._worker.close()

    def _resolve(self, scope: Any) -> None:
        """Find the route of a request that is refused before routing."""
        for route in self._app.router.routes:
            match, child = route.matches(scope)
            if match is Match.FULL:
                scope.update(child)
                scope.setdefault("route", route)
                return


def _away(_request: Request, _error: Exception) -> JSONResponse:
    """Nobody can be signed in, exchanged or signed out while the shared state is away."""
    return JSONResponse({"error": "temporarily_unavailable"}, 503, {"Retry-After": "1"})


def _why(exchange: Exchange, verdict: Absent | Rejected) -> str:
    if isinstance(verdict, Rejected):
        return verdict.reason
    return "token_in_query" if exchange.credential.in_query else "token_missing"


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


def _forbidden(scope: str) -> HTTPException:
    challenge = 'Bearer error="insufficient_scope"' + (f', scope="{scope}"' if scope else "")
    return HTTPException(403, "forbidden", {"WWW-Authenticate": challenge})
