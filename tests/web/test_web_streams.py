"""Live streams over a real socket: what was published arrives, filtered; a stream ends with its session."""

import asyncio
import json
import threading

import httpx2
import pytest
import uvicorn

from jwtrail.ecs import event_for
from jwtrail.web import live as live_module
from jwtrail.web import streams
from jwtrail.web.alerts import made
from jwtrail.web.live import MAX_WAITING, Full, Listener, Live, Topic
from jwtrail.web.serve import listen
from waiting import LONG_S, until


@pytest.fixture
def server(world):
    listening = listen("127.0.0.1", 0)
    config = uvicorn.Config(world.app, log_level="error", lifespan="off", timeout_graceful_shutdown=1)
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    world.live.close()
    running.should_exit = True
    thread.join(60)
    listening.close()


@pytest.fixture
def client(server, world):
    session = world.sign_ins.redeem(world.sign_ins.new_key(), "127.0.0.1")
    cookies = {world.settings.cookie: session.id}
    with httpx2.Client(
        base_url=server + "/api/v1", cookies=cookies, timeout=LONG_S, trust_env=False
    ) as made_client:
        made_client.session = session
        yield made_client


def _messages(answer):
    kind = ""
    for line in answer.iter_lines():
        if line.startswith("event: "):
            kind = line[7:]
        elif line.startswith("data: "):
            yield kind, json.loads(line[6:])


def _when_listening(topic, act):
    def wait():
        until(lambda: topic._listeners)
        act()

    threading.Thread(target=wait, daemon=True).start()


def _event(user):
    return event_for("http-request", user_id=user)


def test_new_events_that_match_arrive(client, world):
    _when_listening(world.live.events, lambda: world.live.publish([_event("bob"), _event("alice")]))
    with client.stream("GET", "/events/stream", params={"q": "user.id: alice"}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        kind, document = next(_messages(answer))
    assert kind == "event"
    assert document["user.id"] == "alice"


def test_what_is_too_much_is_counted(client, world, monkeypatch):
    monkeypatch.setattr(streams, "MAX_MESSAGES", 2)
    _when_listening(world.live.events, lambda: world.live.publish([_event(str(n)) for n in range(5)]))
    with client.stream("GET", "/events/stream") as answer:
        messages = _messages(answer)
        got = [next(messages) for _ in range(3)]
    assert [data["user.id"] for kind, data in got if kind == "event"] == ["3", "4"]
    assert got[2] == ("lost", 3)


def test_alerts_arrive(client, world):
    alert = made(world.add_alert(50), lag_ms=7)
    _when_listening(world.live.alerts, lambda: world.live.publish(alerts=[alert]))
    with client.stream("GET", "/alerts/stream") as answer:
        kind, data = next(_messages(answer))
    assert (kind, data["id"], data["lag_ms"]) == ("alert", alert.id, 7)


def test_a_bad_query_is_refused_before_the_stream_begins(client):
    assert client.get("/events/stream", params={"q": "("}).status_code == 400


def test_a_stream_ends_when_its_session_does(client, world, monkeypatch):
    monkeypatch.setattr(streams, "SILENCE_S", 0.05)
    _when_listening(world.live.events, lambda: world.sign_ins.end(client.session))
    with client.stream("GET", "/events/stream") as answer:
        assert list(_messages(answer)) == []
    until(lambda: not world.live.events._listeners, "the listener stayed")


def test_the_end_of_the_daemon_ends_streams(client, world):
    _when_listening(world.live.events, world.live.close)
    with client.stream("GET", "/events/stream") as answer:
        assert list(_messages(answer)) == []


def test_streams_are_bounded(client, monkeypatch):
    monkeypatch.setattr(live_module, "MAX_LISTENERS", 0)
    answer = client.get("/events/stream")
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "streams_full"


def test_a_slow_listener_keeps_the_newest_and_knows_what_it_lost():
    async def play():
        listener = Listener()
        listener.put(range(MAX_WAITING + 3))
        items, lost = await listener.take(1)
        assert (len(items), items[-1], lost) == (MAX_WAITING, MAX_WAITING + 2, 3)
        assert await listener.take(0.01) == ([], 0)

    asyncio.run(play())


def test_publishing_to_nobody_costs_nothing_and_a_dead_loop_is_forgiven():
    async def join(topic):
        return topic.join()

    Live().publish([_event("a")])
    topic = Topic()
    listener = asyncio.run(join(topic))
    topic.publish([1])
    topic.leave(listener)
    topic.leave(listener)


def test_topics_refuse_too_many():
    async def play():
        topic = Topic()
        for _ in range(live_module.MAX_LISTENERS):
            topic.join()
        with pytest.raises(Full):
            topic.join()

    asyncio.run(play())
