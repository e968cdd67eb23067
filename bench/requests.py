"""What a request pays: the way this product replaces (PyJWT and logging) beside jwtrail, in one FastAPI endpoint.

CPU time of all threads, so what the writer's thread does is counted too. Taken off on both sides is the same endpoint with a
dependency that does nothing: what is left is what it costs to verify and to write down. Both sides verify tokens of the same
key, and write to a real file; `logging` with the format that its documentation shows, one line of who, what and when, where
jwtrail writes some 50 fields and syncs them. Tokens, paths and ports change from request to request, as they do.
"""

import asyncio
import itertools
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import jwt
from fastapi import Depends, FastAPI, Request

from bench.measure import compare, show
from jwtrail.ecs import encode_parts, entry_of, event_for
from jwtrail.fastapi import Claims, JWTrail
from jwtrail.trail.wal import build_line, next_chain

OLD = "PyJWT + logging"
BARE = "a dependency that does nothing"
DOORS = {"jwtrail, the token came before": {}, "jwtrail, every token is new": {"tokens.cache_size": 0}}
PEOPLE = 50
ORDERS = 3000
AGENT = b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def run(calls: int) -> None:
    for algorithm in ("EdDSA", "RS256"):
        _compare(algorithm, calls)
    _floor(calls)


def _compare(algorithm: str, calls: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        doors = {
            name: _watched(Path(folder) / str(at), **{"tokens.algorithm": algorithm, **more})
            for at, (name, more) in enumerate(DOORS.items())
        }
        calling = {name: _Caller(app, _tokens(door)) for name, (app, door) in doors.items()}
        last = doors[name := list(doors)[-1]][1]
        key = last._worker.ring.signing_key().private.public_key()
        glued = _glued(Path(folder) / "access.log", key, algorithm)
        calling |= {OLD: _Caller(glued, calling[name].tokens), BARE: _Caller(_bare(), calling[name].tokens)}
        medians = compare(calling, calls, clock=time.process_time_ns)
        show(f"a request through FastAPI, {algorithm}, CPU of all threads", medians, OLD)
        for name in doors:
            cost = (medians[name] - medians[BARE]) / (medians[OLD] - medians[BARE])
            print(f"  {name}: verify + audit cost {cost:.2f} of what PyJWT + logging cost")
        for _, door in doors.values():
            door.close()
        for caller in calling.values():
            caller.close()


def _floor(calls: int) -> None:
    """What no writer of such a line can do without, in CPU time: canonical JSON, the commitments, the chain, the line."""
    event = event_for("http-request", **_EVERYDAY)
    salt, chain = os.urandom(16), bytes(32)
    public, personal = encode_parts(event)
    entry = entry_of(event.event_id, public, personal, salt)
    stages: dict[str, Callable[[], object]] = {
        "canonical JSON, two parts": lambda: encode_parts(event),
        "both commitments": lambda: entry_of(event.event_id, public, personal, salt),
        "the chain": lambda: next_chain(chain, entry),
        "the line": lambda: build_line(public, personal, writer="0" * 16, number=1, salt=salt, chain=chain),
    }
    print(f"\nthe least a line of {len(public) + len(personal)} bytes costs")
    medians = compare(stages, calls, clock=time.process_time_ns)
    for name, us in medians.items():
        print(f"  {name:<34}{us:10.2f} µs")
    print(f"  {'together':<34}{sum(medians.values()):10.2f} µs")


_EVERYDAY: dict[str, Any] = {
    "http_request_method": "GET", "http_route": "/orders/{order_id}", "http_version": "1.1", "http_response_bytes": 8,
    "http_response_mime_type": "application/json", "http_response_status_code": 200, "jwt_age": 7, "jwt_alg": "EdDSA",
    "jwt_aud": ("api",), "jwt_exp": "2026-11-23T21:44:16.000000Z", "jwt_iat": "2026-11-23T21:29:16.000000Z",
    "jwt_iss": "jwtrail", "jwt_kid": "m7GJOmv0Wav1", "jwt_kind": "access", "jwt_scope": ("orders:read",), "jwt_ttl": 900,
    "jwt_typ": "at+jwt", "jwtrail_object_type": "orders", "jwtrail_policy": "required", "process_pid": 25267,
    "service_name": "api", "host_name": "vm", "http_request_id": "01a20a50-2d20-7a30-a496-12967be9785f",
    "event_duration": 165297, "jwt_client_id": "first-party", "client_ip": "192.0.2.1", "source_ip": "192.0.2.1",
    "related_ip": ("192.0.2.1",), "jwt_family": "01a20a50-2c6f-7488-abe8-0ecbc848535c", "source_port": 4711,
    "jwt_fingerprint": "SgPC_nNAzyatiQsCmBZECQ", "jwt_jti": "01a20a50-2c6f-7488-80c7-888c0f1c44d9", "user_id": "u1",
    "jwtrail_object_id": "7", "related_user": ("u1",), "url_domain": "shop.example", "url_original": "/orders/7",
    "url_path": "/orders/7", "url_scheme": "https", "user_agent_original": AGENT.decode(),
}  # fmt: skip


def _tokens(door: JWTrail) -> list[bytes]:
    return [door.issue(f"u{number}", scope="orders:read").access_token.encode() for number in range(PEOPLE)]


def _watched(folder: Path, **more: Any) -> tuple[FastAPI, JWTrail]:
    app = FastAPI()
    trail = JWTrail(app, data=str(folder), **more)

    @app.get("/orders/{order_id}")
    async def order(
        order_id: int, who: Annotated[Claims, Depends(trail.require("orders:read"))]
    ) -> dict[str, Any]:
        return {"id": order_id}

    return app, trail


def _glued(path: Path, key: Any, algorithm: str) -> FastAPI:
    log = logging.getLogger(f"bench.{algorithm}")
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    app = FastAPI()

    async def claims(request: Request) -> dict[str, Any]:
        return jwt.decode(
            request.headers["authorization"][7:], key, [algorithm], audience="api", issuer="jwtrail"
        )

    @app.get("/orders/{order_id}")
    async def order(order_id: int, request: Request, who: Annotated[dict, Depends(claims)]) -> dict[str, Any]:
        log.info("%s %s user=%s status=200", request.method, request.url.path, who["sub"])
        return {"id": order_id}

    return app


def _bare() -> FastAPI:
    app = FastAPI()

    async def nobody(request: Request) -> None:
        return None

    @app.get("/orders/{order_id}")
    async def order(order_id: int, who: Annotated[None, Depends(nobody)]) -> dict[str, Any]:
        return {"id": order_id}

    return app


class _Caller:
    """Calls an application in process, each time as another person, for another order."""

    def __init__(self, app: Any, tokens: list[bytes]) -> None:
        self.tokens = tokens
        self._app = app
        self._loop = asyncio.new_event_loop()
        self._scopes = self._made()

    def __call__(self) -> None:
        self._loop.run_until_complete(self._app(next(self._scopes), _receive, _send))

    def close(self) -> None:
        self._loop.close()

    def _made(self) -> Iterator[dict[str, Any]]:
        for number, token in zip(itertools.count(), itertools.cycle(self.tokens), strict=False):
            path = f"/orders/{number % ORDERS}"
            yield {
                "type": "http",
                "asgi": {"version": "3.0"},
                "http_version": "1.1",
                "method": "GET",
                "scheme": "https",
                "path": path,
                "raw_path": path.encode(),
                "query_string": b"",
                "root_path": "",
                "headers": [
                    (b"host", b"shop.example"),
                    (b"user-agent", AGENT),
                    (b"accept", b"application/json"),
                    (b"accept-encoding", b"gzip, br"),
                    (b"authorization", b"Bearer " + token),
                    (b"connection", b"keep-alive"),
                ],
                "client": ("192.0.2.1", 1024 + number % 50_000),
                "server": ("127.0.0.1", 80),
            }


async def _receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _send(message: Any) -> None:
    assert message.get("status", 200) == 200
