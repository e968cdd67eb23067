"""The client on the wire: errors in the engine's words, bounded answers, no request twice, trust only where it is said."""

import contextlib
import datetime as dt
import gzip
import hashlib
import socket
import ssl
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from elastic_standin import ELASTIC, OPENSEARCH, Seen, reply, standin

from jwtrail import clock
from jwtrail.elastic import wire
from jwtrail.elastic.address import MAX_NODES, address_of
from jwtrail.elastic.client import Engine, connect
from jwtrail.elastic.settings import EngineSettings
from jwtrail.errors import ConfigError, EngineAway, EngineError, QueryError
from jwtrail.query import remote
from waiting import LONG_S, until


def engine_at(port: int, settings: EngineSettings | None = None, *, others: str = "") -> Engine:
    return Engine(address_of(f"http://{others}127.0.0.1:{port}"), settings or EngineSettings())


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("elasticsearch://es.example", "elasticsearch+https://es.example:9200"),
        ("opensearch+http://[::1]:9201/logs/", "opensearch+http://[::1]:9201/logs"),
        ("https://es.example", "https://es.example:443"),
        ("opensearch://a,b:9300", "opensearch+https://a:9200,b:9300"),
    ],
)
def test_addresses(url: str, shown: str) -> None:
    assert str(address_of(url)) == shown


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "es.example:9200",
            "ftp://es.example",
            "opensearch://",
            "opensearch://a b",
            "opensearch://a:99999",
        ),
        *(
            "https://es.example/?pretty",
            "https://es.example/#x",
            "https://es.example/%2e%2e",
            "https://a:80,",
        ),
        "opensearch://" + ",".join(["a"] * (MAX_NODES + 1)),
    ],
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(ConfigError):
        address_of(url)


@pytest.mark.parametrize(
    ("body", "headers", "name"),
    [
        (ELASTIC, {"X_elastic_product": "Elasticsearch"}, "Elasticsearch 8.12.2"),
        ({"version": {"number": "7.10.2"}, "tagline": "You Know, for Search"}, {}, "Elasticsearch 7.10.2"),
        (OPENSEARCH, {}, "OpenSearch 2.19.0"),
    ],
)
def test_what_answers_is_recognised(body: dict, headers: dict[str, str], name: str) -> None:
    with (
        standin(lambda _: reply(body, **headers)) as server,
        connect(f"http://127.0.0.1:{server.port}") as engine,
    ):
        assert str(engine.product) == name


def test_what_is_neither_or_too_old_is_refused() -> None:
    with standin(lambda _: reply({"hello": "world"})) as server, pytest.raises(EngineError, match="neither"):
        connect(f"http://127.0.0.1:{server.port}")
    old = {"version": {"number": "6.8.0"}, "tagline": "You Know, for Search"}
    with standin(lambda _: reply(old)) as server, pytest.raises(EngineError, match="too old"):
        connect(f"http://127.0.0.1:{server.port}")


def test_a_collection_that_says_nothing_is_what_its_address_says() -> None:
    with (
        standin(lambda _: reply({"message": "Not Found"}, 404)) as server,
        connect(f"opensearch+http://127.0.0.1:{server.port}") as engine,
    ):
        assert str(engine.product) == "OpenSearch"


def test_a_refusal_speaks_in_the_engines_words() -> None:
    body = {
        "error": {
            "type": "illegal_argument_exception",
            "reason": "template is invalid",
            "caused_by": {"type": "x", "reason": "no handler for type [y]"},
        },
        "status": 400,
    }
    with standin(lambda _: reply(body, 429, Retry_After="7")) as server, engine_at(server.port) as engine:
        with pytest.raises(EngineError, match=r"template is invalid: no handler for type \[y\]") as told:
            engine.request("PUT", "/_index_template/x?secret=1", body={})
        assert (told.value.status, told.value.kind) == (429, "illegal_argument_exception")
        assert told.value.retry_after_s == 7
        assert told.value.where == "PUT /_index_template/x"
        assert engine.request("GET", "/", allow=(429,)).status == 429


PARTLY = {
    "error": {
        "type": "search_phase_execution_exception",
        "reason": "Partial shards failure",
        "failed_shards": [
            {"shard": 0, "reason": {"type": "x", "caused_by": {"type": "y", "reason": "shard is recovering"}}}
        ],
    },
    "status": 400,
}


def test_a_search_of_which_some_shards_are_not_there_yet_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "PAUSES_S", (0.0, 0.0))
    answers = [reply(PARTLY, 400), reply(PARTLY, 400), reply({"count": 7})]
    with standin(lambda _: answers.pop(0)) as server, engine_at(server.port) as engine:
        store = remote.RemoteStore(engine, "default")
        assert store.size() == 7
        answers += [reply(PARTLY, 400)] * 3
        with pytest.raises(QueryError, match="Partial shards failure: shard is recovering"):
            store.size()
        answers += [reply({"error": {"type": "parsing_exception", "reason": "no such query"}}, 400)]
        with pytest.raises(QueryError, match="no such query"):
            store.size()
        assert answers == []


def test_no_request_that_may_have_been_carried_out_is_sent_twice() -> None:
    with standin(lambda _: None) as server, engine_at(server.port) as engine:
        with pytest.raises(EngineAway) as away:
            engine.request("POST", "/_bulk", ndjson=b"{}\n")
        assert away.value.maybe_done
        assert len(server.seen) == 1
        with pytest.raises(EngineAway):
            engine.request("POST", "/_search", body={}, safe=True)
        assert len(server.seen) == 3


def test_another_node_is_asked_when_one_cannot_be_reached() -> None:
    with standin(lambda _: reply({})) as server, engine_at(server.port, others="127.0.0.1:9,") as engine:
        for _ in range(4):
            assert engine.request("POST", "/_bulk", ndjson=b"{}\n").status == 200
        assert len(server.seen) == 4
    with pytest.raises(EngineAway) as away, engine_at(9) as engine:
        engine.request("POST", "/_bulk", ndjson=b"{}\n")
    assert not away.value.maybe_done


def test_answers_are_bounded_in_size_and_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MAX_ANSWER", 10_000)
    packed = gzip.compress(b"0" * 1_000_000)
    answers = {"/big": (200, {}, b"0" * 20_000), "/bomb": (200, {"content-encoding": "gzip"}, packed)}
    with standin(lambda seen: answers[seen.path]) as server, engine_at(server.port) as engine:
        for path in answers:
            with pytest.raises(EngineError, match="more than 10000 bytes"):
                engine.request("GET", path)

    enough = threading.Event()

    def late(_: Seen):
        enough.wait(LONG_S)
        return reply({})

    with standin(late) as server, engine_at(server.port) as engine:
        with pytest.raises(EngineAway) as away:
            engine.request("GET", "/", timeout_s=0.2)
        until(lambda: server.seen)
        enough.set()
    assert away.value.timed_out
    assert len(server.seen) == 1


def test_an_answer_that_comes_drop_by_drop_ends_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        stop = threading.Event()

        def drip() -> None:
            taken, _ = listening.accept()
            with taken, contextlib.suppress(OSError):
                taken.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
                while not stop.wait(0.02):
                    taken.sendall(b" ")

        thread = threading.Thread(target=drip)
        thread.start()
        with pytest.raises(EngineAway) as away, engine_at(listening.getsockname()[1]) as engine:
            engine.request("POST", "/_search", body={}, timeout_s=0.3)
        stop.set()
        thread.join()
    assert away.value.timed_out


def test_bodies_are_packed_for_other_machines() -> None:
    body = {"query": "x" * 5_000}
    with standin(lambda seen: reply({"length": len(seen.body)})) as server:
        for compress, packed in (("auto", False), ("yes", True)):
            with engine_at(server.port, EngineSettings(compress=compress)) as engine:
                assert engine.request("POST", "/_search", body=body).json["length"] > 5_000
            assert (len(server.seen[-1].raw) < 500) is packed


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (EngineSettings(user="ada", password="s3cret"), "Basic YWRhOnMzY3JldA=="),
        (EngineSettings(api_key="a2V5"), "ApiKey a2V5"),
        (EngineSettings(bearer="t0ken"), "Bearer t0ken"),
        (EngineSettings(), None),
    ],
)
def test_one_way_to_sign_in(settings: EngineSettings, said: str | None) -> None:
    with standin(lambda _: reply({})) as server, engine_at(server.port, settings) as engine:
        engine.request("GET", "/")
        assert server.seen[0].headers.get("authorization") == said


def test_settings_that_cannot_be_right() -> None:
    with pytest.raises(ConfigError, match="two ways"):
        EngineSettings(user="ada", api_key="x")
    with pytest.raises(ConfigError, match="SHA-256"):
        EngineSettings(fingerprint="ab:cd")
    with pytest.raises(ConfigError, match="plain HTTP"):
        Engine(address_of("http://es.example"), EngineSettings(bearer="x"))
    Engine(address_of("http://es.example"), EngineSettings(bearer="x", plain_credentials=True)).close()


# TLS


def certificate(name: str, issuer=None, *, authority: bool = False):
    """A certificate and its key, signed by `issuer` or by itself; good for an hour."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer, by = (issuer[1], issuer[0].subject) if issuer else (key, subject)
    now = dt.datetime.fromtimestamp(clock.now_us() / 1e6, dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(signer, hashes.SHA256())
    )
    return made, key


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory):
    """A server's context; its certificate for localhost, the authority's, and the authority's file."""
    home = tmp_path_factory.mktemp("tls")
    authority = certificate("jwtrail test authority", authority=True)
    server = certificate("localhost", authority)
    pem = serialization.Encoding.PEM
    (home / "ca.pem").write_bytes(authority[0].public_bytes(pem))
    (home / "server.pem").write_bytes(server[0].public_bytes(pem) + authority[0].public_bytes(pem))
    (home / "server.key").write_bytes(
        server[1].private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(home / "server.pem", home / "server.key")
    return context, server[0], authority[0], home / "ca.pem"


def fingerprint(made: x509.Certificate) -> str:
    return hashlib.sha256(made.public_bytes(serialization.Encoding.DER)).hexdigest()


def test_trust_is_only_where_it_is_said(tls) -> None:
    context, leaf, authority, file = tls
    colons = ":".join(fingerprint(leaf).upper()[i : i + 2] for i in range(0, 64, 2))
    trusted = [
        EngineSettings(ca_file=str(file)),
        EngineSettings(fingerprint=colons),
        EngineSettings(fingerprint=fingerprint(authority)),
    ]
    with standin(lambda _: reply(OPENSEARCH), context) as server:
        for settings in trusted:
            with connect(f"opensearch://localhost:{server.port}", settings) as engine:
                assert engine.flavour == "opensearch"
        with pytest.raises(EngineAway, match="no trust in its certificate") as away:
            connect(f"opensearch://localhost:{server.port}")
        assert not away.value.maybe_done
        assert "engine.fingerprint" in away.value.hint
        with pytest.raises(EngineAway, match="fingerprint"):
            connect(f"opensearch://localhost:{server.port}", EngineSettings(fingerprint="0" * 64))
        with pytest.raises(EngineAway, match="no trust"):  # the right authority, another name
            connect(f"opensearch://127.0.0.1:{server.port}", EngineSettings(ca_file=str(file)))
    with pytest.raises(ConfigError, match="no certificates"):
        connect("opensearch://localhost", EngineSettings(ca_file="/nowhere.pem"))


def test_a_pin_is_checked_on_every_connection(tls, tmp_path) -> None:
    context, leaf, _, file = tls
    pinned = EngineSettings(fingerprint=fingerprint(leaf))
    with (
        standin(lambda _: reply(OPENSEARCH, Connection="close"), context) as server,
        connect(f"opensearch://localhost:{server.port}", pinned) as engine,
    ):
        other, key = certificate("localhost")
        pem = serialization.Encoding.PEM
        (tmp_path / "other.pem").write_bytes(
            other.public_bytes(pem)
            + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        engine.request("GET", "/")
        context.load_cert_chain(tmp_path / "other.pem")  # from now on somebody else answers
        try:
            with pytest.raises(EngineAway, match="no trust in its certificate"):
                engine.request("GET", "/")
        finally:
            context.load_cert_chain(file.parent / "server.pem", file.parent / "server.key")
