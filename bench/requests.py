"""What a request pays: a bare FastAPI endpoint, the way this product replaces (PyJWT and logging), and jwtrail."""

import asyncio
import logging
import tempfile
from pathlib import Path
from typing import Annotated, Any

import jwt
from fastapi import Depends, FastAPI, Request

from bench.measure import compare, show
from jwtrail.fastapi import Claims, JWTrail


def run(calls: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        watched = FastAPI()
        trail = JWTrail(watched, data=folder)

        @watched.get("/orders/{order_id}")
        async def order(
            order_id: int, who: Annotated[Claims, Depends(trail.require("orders:read"))]
        ) -> dict[str, Any]:
            return {"id": order_id}

        token = trail.issue("u1", scope="orders:read").access_token
        key = trail._worker.ring.signing_key().private.public_key()
        log = logging.getLogger("bench")
        log.addHandler(logging.FileHandler(Path(folder) / "access.log"))
        log.setLevel(logging.INFO)
        log.propagate = False
        glued = FastAPI()

        async def claims(request: Request) -> dict[str, Any]:
            return jwt.decode(
                request.headers["authorization"][7:], key, ["EdDSA"], audience="api", issuer="jwtrail"
            )

        @glued.get("/orders/{order_id}")
        async def order_glued(
            order_id: int, request: Request, who: Annotated[dict, Depends(claims)]
        ) -> dict[str, Any]:
            log.info("%s %s user=%s status=200", request.method, request.url.path, who["sub"])
            return {"id": order_id}

        bare = FastAPI()

        @bare.get("/orders/{order_id}")
        async def order_bare(order_id: int) -> dict[str, Any]:
            return {"id": order_id}

        loop = asyncio.new_event_loop()
        medians = compare(
            {
                "PyJWT + logging": lambda: loop.run_until_complete(_call(glued, token)),
                "jwtrail": lambda: loop.run_until_complete(_call(watched, token)),
                "nothing": lambda: loop.run_until_complete(_call(bare, token)),
            },
            calls,
        )
        show("a request through FastAPI, in process", medians, "PyJWT + logging")
        cost = (medians["jwtrail"] - medians["nothing"]) / (medians["PyJWT + logging"] - medians["nothing"])
        print(f"  verify + audit, above the bare endpoint: {cost:.2f} of what PyJWT + logging cost")
        trail.close()
        loop.close()


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
