"""Nothing of a token reaches any place where something is kept or printed, whatever becomes of it."""

import json
import logging
import sqlite3
from base64 import urlsafe_b64encode
from typing import Annotated

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from tokens_forge import forge, good, text

from jwtrail import clock
from jwtrail.ecs import document
from jwtrail.fastapi import Claims, JWTrail, TokenPair
from jwtrail.query.files import TrailFiles
from jwtrail.query.local import LocalStore
from jwtrail.query.page import SearchRequest
from jwtrail.tokens import base64url
from jwtrail.trail.keeper import Keeper
from jwtrail.trail.layout import Layout
from jwtrail.trail.settings import TrailSettings

PIECE = 20
"""Characters of a segment that would give it away; a fingerprint has 22, but none of a segment's."""


def pieces(token):
    """What must not be found: beginning, middle and end of payload and signature."""
    segments = token.split(".")
    for segment in segments[1:] or segments:
        # What is one segment begins with what every header of the kind begins with.
        for start in (0, len(segment) // 2, len(segment) - PIECE)[len(segments) == 1 :]:
            if len(segment[max(start, 0) :]) >= PIECE:
                yield segment[max(start, 0) :][:PIECE]


def shop(data):
    app = FastAPI()
    trail = JWTrail(app, data=str(data))
    app.include_router(trail.router())

    @app.post("/login")
    def login() -> TokenPair:
        return trail.issue("u42", scope="orders:read")

    @app.get("/orders")
    def orders(who: Annotated[Claims, Depends(trail.require("orders:read"))]) -> str:
        logging.getLogger("app").warning("%r", who)
        return who.sub

    @app.get("/files/{name:path}")
    def file(name: str) -> str:
        logging.getLogger("app").warning("somebody reads a file")
        trail.touch(name, jwtrail_subject_ids=(name,))
        trail.record("data-exported", message=f"exported {name}", labels={"name": name})
        raise trail.login_failed(name)

    @app.get("/broken")
    def broken(_: Annotated[Claims, Depends(trail.require())]) -> None:
        raise RuntimeError("broken on purpose")

    return trail, TestClient(app, raise_server_exceptions=False)


def variants(pair):
    """Tokens as they come: good, altered, forged, injected, cut, of the wrong kind, and no token at all."""
    access = pair["access_token"]
    head, payload, signature = access.split(".")
    yield access
    yield f"{head}.{payload}.{signature[:-4]}AAAA"
    yield f"{head}.{payload}."
    yield f"{head}.{payload}"
    yield access + "="
    yield f"{text({'alg': 'none'})}.{payload}.{signature}"
    yield f"{text({'alg': 'EdDSA', 'kid': '../../' + 'k' * 40, 'jku': 'https://evil.example'})}.{payload}.{signature}"
    yield forge(None, good(sub="x" * 300, jti="y" * 300, name="z" * 300))
    yield pair["refresh_token"]
    yield json.dumps({"payload": payload, "signatures": [{"protected": head, "signature": signature}]})
    yield f"{head}.{payload}.{signature}" + "q7" * 4500


def encoded(token):
    """A token as it comes after it went through URLs, HTML, JSON and base64, and one whose JSON begins with white space."""
    yield token
    for dot in ("%2e", "%2E", "%252e", "&#46;", "&#x2E;", "\\u002e"):
        yield token.replace(".", dot)
    yield token.replace("e", "%65")
    yield token.replace("e", "&#101;")
    for glued in ("", "Bearer ", "x:"):
        yield urlsafe_b64encode((glued + token).encode()).decode()
    for space in (" ", "\t", "\n ", "\r\n\t"):
        spaced = [space.encode() + base64url.decode(part.encode()) for part in token.split(".")[:2]]
        yield ".".join([*map(base64url.encode, spaced), token.split(".")[2]])


def hidden_in(token):
    """Requests that carry it where no token belongs."""
    for header in (
        "X-Request-ID",
        "User-Agent",
        "Referer",
        "Cookie",
        "Content-Type",
        "traceparent",
        "X-Forwarded-For",
        "DPoP",
    ):
        for led in ("", " ", "\t", "x="):
            yield "/orders", {"headers": {header: led + token}}
    yield "/orders", {"headers": {"Referer": f"https://shop.example/{token}/x?{token}={token}"}}
    yield "/orders", {"headers": {"Authorization": f"Basic {token}"}}
    yield "/orders", {"headers": {"Authorization": f"Bearer\t {token}"}}
    yield f"/files/{token}", {}
    yield f"/{token}/none", {}
    yield f"/orders?page={token}&{token}", {}


@pytest.fixture
def used(tmp_path, caplog, capfd):
    """The data directory of a shop that has seen every variant, the tokens, and what was printed and logged."""
    caplog.set_level(logging.DEBUG)
    trail, client = shop(tmp_path / "data")
    tokens = []
    with client:
        pair = client.post("/login").json()
        for token in variants(pair):
            tokens.append(token)
            for path in ("/orders", "/broken"):
                client.get(path, headers={"Authorization": f"Bearer {token}"})
            client.get("/orders", params={"access_token": token, "token": token})
            client.post("/token/refresh", json={"refresh_token": token})
        for token in encoded(client.post("/login").json()["access_token"]):
            tokens.append(token)
            for path, more in hidden_in(token):
                client.get(path, **more)
        second = client.post("/login").json()
        tokens += [second["access_token"], second["refresh_token"]]
        client.post("/logout", headers={"Authorization": f"Bearer {second['access_token']}"})
    trail.close()
    printed = capfd.readouterr()
    # The client's own log is not ours: it belongs to whoever holds the token anyway.
    logged = [record.getMessage() for record in caplog.records if not record.name.startswith("http")]
    return tmp_path / "data", tokens, "\n".join([*logged, printed.out, printed.err])


def every_event(store):
    page = store.search(SearchRequest(limit=500))
    while True:
        yield from page.events
        if page.next is None:
            return
        page = store.search(SearchRequest(limit=500, cursor=page.next))


def test_no_sink_holds_any_of_a_token_but_a_short_key_id(used):
    data, tokens, said = used
    wanted = {piece for token in tokens for piece in pieces(token)}
    assert len(wanted) > 20
    layout = Layout(data)
    with Keeper(layout, TrailSettings()) as keeper:
        while keeper.step(clock.now_us()):
            pass
        events = list(every_event(LocalStore(TrailFiles(layout))))
    assert len(events) > 40
    assert {"alg_none", "signature_invalid", "token_too_large", "typ_mismatch"} <= {
        event.event_reason for event in events
    }
    assert any(event.event_reason == "header_url_injection" and event.jwt_unverified_kid for event in events)
    for event in events:  # of a key id that was not ours, 64 harmless characters
        assert len(event.jwt_kid or event.jwt_unverified_kid or "") <= 64
    with sqlite3.connect(layout.state) as state:
        rows = "\n".join(state.iterdump())
    kept = {"segments": json.dumps([document(event) for event in events]), "state": rows, "said": said}
    for path in data.rglob("*"):
        if path.is_file():
            kept[str(path.relative_to(data))] = path.read_bytes().decode("latin-1")
    assert any(name.startswith("wal") for name in kept)
    found = {(name, piece) for name, text_ in kept.items() for piece in wanted if piece in text_}
    assert not found
