"""What a request pays: a bare FastAPI endpoint, the way this product replaces (PyJWT and logging), and jwtrail.

CPU time of all threads, so what the writer's thread does is counted too.
"""

import asyncio
import logging
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import jwt
from fastapi import Depends, FastAPI, Request

from bench.measure import compare, show
from jwtrail.fastapi import Claims, JWTrail

OLD = "PyJWT + logging"
BARE = "nothing"


def run(calls: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        doors = {
            "jwtrail, the token came before": _watched(Path(folder) / "warm"),
            "jwtrail, every token is new": _watched(Path(folder) / "cold", **{"tokens.cache_size": 0}),
        }
        apps = {
            name: (app, door.issue("u1", scope="orders:read").access_token)
            for name, (app, door) in doors.items()
        }
        door = next(door for _, door in doors.values())
        key = door._worker.ring.signing_key().private.public_key()
        token = door.issue("u1", scope="orders:read").access_token
        apps |= {OLD: (_glued(Path(folder) / "access.log", key), token), BARE: (_bare(), token)}
        loop = asyncio.new_event_loop()
        medians = compare(
            {name: lambda pair=pair: loop.run_until_complete(_call(*pair)) for name, pair in apps.items()},
            calls,
            clock=time.process_time_ns,
        )
        show("a request through FastAPI, in process, CPU of all threads", medians, OLD)
        for name in doors:
            cost = (medians[name] - medians[BARE]) / (medians[OLD] - medians[BARE])
            print(f"  {name}: verify + audit cost {cost:.2f} of what PyJWT + logging cost")
        for _, made in doors.values():
            made.close()
        loop.close()


def _watched(folder: Path, **more: Any) -> tuple[FastAPI, JWTrail]:
    app = FastAPI()
    trail = JWTrail(app, data=str(folder), **more)

    @app.get("/orders/{order_id}")
    async def order(
        order_id: int, who: Annotated[Claims, Depends(trail.require("orders:read"))]
    ) -> dict[str, Any]:
        return {"id": order_id}

    return app, trail


def _glued(path: Path, key: Any) -> FastAPI:
    log = logging.getLogger("bench")
    log.addHandler(logging.FileHandler(path))
    log.setLevel(logging.INFO)
    log.propagate = False
    app = FastAPI()

    async def claims(request: Request) -> dict[str, Any]:
        return jwt.decode(
            request.headers["authorization"][7:], key, ["EdDSA"], audience="api", issuer="jwtrail"
        )

    @app.get("/orders/{order_id}")
    async def order(order_id: int, request: Request, who: Annotated[dict, Depends(claims)]) -> dict[str, Any]:
        log.info("%s %s user=%s status=200", request.method, request.url.path, who["sub"])
        return {"id": order_id}

    return app


def _bare() -> FastAPI:
    app = FastAPI()

    @app.get("/orders/{order_id}")
    async def order(order_id: int) -> dict[str, Any]:
        return {"id": order_id}

    return app


async def _call(app: Any, token: str) -> None:
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/orders/7",
        "raw_path": b"/orders/7",
        "query_string": b"",
        "root_path": "",
        "headers": [
            (b"host", b"shop"),
            (b"authorization", b"Bearer " + token.encode()),
            (b"user-agent", b"bench"),
        ],
        "client": ("192.0.2.1", 4711),
        "server": ("127.0.0.1", 80),
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        assert message.get("status", 200) == 200

    await app(scope, receive, send)
