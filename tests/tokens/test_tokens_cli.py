"""Keys and tokens from the command line: made, rotated, revoked, traced, and recorded."""

import json

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from tokens_forge import NOW_S, SECRET, forge, text

from jwtrail.cli.exits import FOUND, USAGE
from jwtrail.cli.main import cli
from jwtrail.cli.token import _rows
from jwtrail.query.files import TrailFiles
from jwtrail.query.local import LocalStore
from jwtrail.query.page import SearchRequest
from jwtrail.tokens import KeyRing
from jwtrail.trail.layout import Layout
from provider import Provider


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a command on one data directory; gives what it printed as JSON."""
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments, stdin=None, code=0):
        done = CliRunner().invoke(cli, [*arguments, "--data", "d"], input=stdin, prog_name="jwtrail")
        assert done.exit_code == code, done.stderr
        rows = [json.loads(row) for row in done.stdout.splitlines()]
        return rows[0] if len(rows) == 1 else rows

    return invoke


@pytest.fixture
def recorded(tmp_path):
    def look():
        found = LocalStore(TrailFiles(Layout(tmp_path / "d"))).search(SearchRequest(limit=50)).events
        return [
            (event.event_action, event.jwt_kid, event.message) for event in reversed(found) if event.jwt_kid
        ]

    return look


def states(run):
    rows = run("keys", "list")
    return [row["state"] for row in (rows if isinstance(rows, list) else [rows])]


def test_the_life_of_a_key_is_recorded_and_logs_nobody_out(run, recorded):
    first = run("keys", "new")
    pair = run("token", "issue", "alice", "--scope", "a b")
    run("keys", "rotate", code=1)  # there is no next key that anybody could have fetched
    second = run("keys", "new")
    run("keys", "rotate", code=1)  # it was published just now
    assert run("keys", "rotate", "--now")["kid"] == second["kid"]
    assert states(run) == ["retiring", "active", "next"]
    assert run("token", "inspect", stdin=pair["access_token"])["verdict"] == "accepted"
    run("keys", "retire", first["kid"], "--yes")
    judged = run("token", "inspect", stdin=pair["access_token"], code=FOUND)
    assert judged["reason"] == "kid_unknown"
    run("keys", "retire", second["kid"], "--yes", code=1)  # it signs
    told = recorded()
    assert told[3][2] == f"key {second['kid']} is active at once, whether others know it or not"
    assert [row[:2] for row in told] == [
        ("key-created", first["kid"]),
        ("token-issued", first["kid"]),
        ("key-created", second["kid"]),
        ("key-rotated", second["kid"]),
        ("key-retired", first["kid"]),
    ]


@pytest.mark.parametrize(
    ("make", "alg"),
    [
        (ed25519.Ed25519PrivateKey.generate, "EdDSA"),
        (lambda: ec.generate_private_key(ec.SECP256R1()), "ES256"),
        (lambda: rsa.generate_private_key(65537, 2048), "RS256"),
    ],
)
def test_a_key_made_elsewhere_is_taken_over(run, tmp_path, make, alg):
    private = make()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    taken = run("keys", "import", stdin=pem.decode())
    assert (taken["alg"], taken["state"]) == (alg, "active")
    signing = KeyRing(tmp_path / "d" / "keys" / "tokens").signing_key()
    assert signing.private.public_key() == private.public_key()
    assert run("keys", "import", stdin=pem.decode()) == taken  # twice is once
    assert states(run) == ["active"]
    run("keys", "import", "--kid", "other", stdin=pem.decode(), code=1)


@pytest.mark.parametrize(
    ("pem", "code"),
    [
        ("", USAGE),
        ("x" * 20_000, USAGE),
        ("garbage", 1),
        (b"\xff\xfe\x00" * 100, 1),
        ("-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----", 1),
        (
            ec.generate_private_key(ec.SECP384R1())
            .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            .decode(),
            1,
        ),
    ],
    ids=["empty", "long", "garbage", "bytes", "damaged", "P-384"],
)
def test_what_is_no_signing_key_is_not_taken_over(run, tmp_path, pem, code):
    done = CliRunner().invoke(cli, ["keys", "import", "--data", "d"], input=pem)
    assert done.exit_code == code
    lines = done.stderr.splitlines()
    assert code == USAGE or (
        len(lines) == 2 and lines[0].startswith("jwtrail: error: ") and "hint: " in lines[1]
    )
    assert not [*(tmp_path / "d" / "keys" / "tokens").glob("*.pem")]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("jti", "revoked_token"),
        ("family", "revoked_session"),
        ("subject", "revoked_subject"),
        ("client", "revoked_client"),
        ("key", "key_revoked"),
    ],
)
def test_a_token_is_revoked_and_traced(run, kind, reason):
    pair = run("token", "issue", "alice", "--act", "boss", "--client", "web")
    claims = run("token", "inspect", stdin=pair["access_token"])
    payload = claims["payload"]
    assert payload["act"] == {"sub": "boss"}
    value = {"jti": payload["jti"], "family": payload["fam"], "subject": "alice", "client": "web", "key": claims["header"]["kid"]}  # fmt: skip
    assert run("token", "trace", payload["jti"])["revoked"] == []
    done = run("token", "revoke", kind, value[kind], "--reason", "INC-7", "--yes")
    assert done["live_tokens"] == (1 if kind == "jti" else 2)
    assert run("token", "inspect", stdin=pair["access_token"], code=FOUND)["reason"] == reason
    traced = run("token", "trace", payload["jti"])
    assert [row["kind"] for row in traced["revoked"]] == [kind]
    assert traced["live"]["subject"] == "alice"
    assert traced["events"][0]["event.action"] == "impersonation-started"
    assert run("token", "unrevoke", kind, value[kind], "--reason", "it was somebody else") == []
    assert run("token", "inspect", stdin=pair["access_token"])["verdict"] == "accepted"
    run("token", "unrevoke", kind, value[kind])  # again changes nothing, and is not recorded
    undone = run("search", "event.action: revocation-undone")
    assert undone["jwtrail.ticket"] == "it was somebody else"


def test_nothing_is_revoked_without_a_yes(run):
    run("token", "issue", "alice")
    run("token", "revoke", "subject", "alice", stdin="n\n", code=1)
    assert run("token", "revoke", "subject", "alice", "--yes")["live_tokens"] == 2


def test_vectors_are_judged_line_by_line():
    vector = {
        "layer": "jwt",
        "key": {"kty": "oct", "k": text(SECRET)},
        "alg_allowed": ["HS256"],
        "now": NOW_S,
    }
    lines = [
        json.dumps({**vector, "id": 1, "token": forge()}),
        "",
        json.dumps({**vector, "id": "b", "token": "\ud800.a.b"}),
        "[]",
        json.dumps({**vector, "id": None, "layer": "?"}),
    ]
    done = CliRunner().invoke(cli, ["token", "check", "--batch"], input="\n".join(lines))
    assert done.exit_code == USAGE
    answers = [json.loads(row) for row in done.stdout.splitlines()]
    assert [(row["id"], row["verdict"], row["reason"]) for row in answers] == [
        (1, "accept", None),
        ("b", "reject", "malformed_base64"),
        (None, "reject", None),
        (None, "reject", None),
    ]
    assert ["error" in row for row in answers] == [False, False, True, True]
    assert all(0 <= row["ms"] < 1000 for row in answers)
    assert "line 4" in done.stderr
    assert "line 5" in done.stderr


def test_the_sign_ins_of_a_user(run):
    run("token", "issue", "alice", "--device", "phone")
    run("token", "issue", "alice", "--device", "laptop")
    rows = run("token", "sessions", "alice")
    assert [row["device"] for row in rows] == ["laptop", "phone"]
    run("token", "revoke", "family", rows[0]["id"], "--yes")
    assert run("token", "sessions", "alice")["device"] == "phone"


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_an_encrypted_key_is_imported_with_its_passphrase(run, tmp_path, monkeypatch, form):
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, form, BestAvailableEncryption(b"open sesame")).decode()
    run("keys", "import", stdin=pem, code=USAGE)  # nobody to ask
    (tmp_path / "wrong").write_text("guess")
    run("keys", "import", "--passphrase-file", "wrong", stdin=pem, code=1)
    (tmp_path / "right").write_text("open sesame\n")
    made = run("keys", "import", "--passphrase-file", "right", stdin=pem)
    assert (made["alg"], made["state"]) == ("ES256", "active")
    assert run("token", "inspect", stdin=run("token", "issue", "u1")["access_token"])["verdict"] == "accepted"

    other = ec.generate_private_key(ec.SECP256R1())
    monkeypatch.setenv("JWTRAIL_KEYS_PASSPHRASE", "open sesame")
    pem = other.private_bytes(Encoding.PEM, form, BestAvailableEncryption(b"open sesame")).decode()
    assert run("keys", "import", stdin=pem)["state"] == "next"


@pytest.fixture
def provider():
    made = Provider()
    yield made
    made.close()


def test_a_token_of_another_issuer_is_inspected_with_its_keys(run, tmp_path, provider):
    (tmp_path / "jwtrail.toml").write_text(f'[tokens.issuers."{provider.issuer}"]\nallow_private = true\n')
    judged = run("token", "inspect", stdin=provider.token())
    assert (judged["verdict"], judged["reason"]) == ("accepted", None)
    assert run("token", "inspect", stdin=provider.token(aud="x"), code=FOUND)["reason"] == "audience_mismatch"
    stranger = forge({"alg": "HS256", "typ": "at+jwt"}, {"iss": "https://nobody.example"})
    assert run("token", "inspect", stdin=stranger, code=FOUND)["verdict"] == "rejected"
    provider.close()
    away = run("token", "inspect", stdin=provider.token(), code=FOUND)
    assert away["reason"] == "jwks_unavailable"
    assert [check["check"] for check in away["checks"] if check["result"] == "failed"] == ["key is known"]


@pytest.mark.parametrize(
    ("token", "failed"),
    [
        (forge(b'{"alg":"HS256","alg":"HS256"}', {}), "header"),
        (forge({"alg": "HS256", "typ": "at+jwt"}, b'{"sub":"a","sub":"b"}'), "payload"),
    ],
)
def test_inspect_names_the_part_that_is_at_fault(token, failed):
    assert dict(_rows("duplicate_json_key", token))[failed] == "failed"


def test_nobody_is_asked_about_a_key_that_cannot_be_retired(run, tmp_path):
    active = run("keys", "new")["kid"]
    for kid, why in (("nokid", "no key nokid"), (active, "signs at the moment")):
        done = CliRunner().invoke(cli, ["keys", "retire", kid, "--data", str(tmp_path / "d")])
        assert (done.exit_code, done.stdout) == (1, "")
        assert why in done.stderr
        assert "[y/N]" not in done.stderr


def test_sign_ins_are_a_table_for_people(run, monkeypatch, tmp_path):
    hostile = "phone\x1b[2J"
    run("token", "issue", "alice", "--device", hostile, "--client", "web")
    run("token", "issue", "alice", "--device", "a laptop with a long name")
    assert [row["client_id"] for row in run("token", "sessions", "alice", "--json")] == ["first-party", "web"]
    monkeypatch.setattr("jwtrail.cli.issuing.is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "100")
    shown = CliRunner().invoke(cli, ["token", "sessions", "alice", "--data", "d"]).stdout
    assert "\x1b" not in shown
    head, _, *rows = [line for line in shown.splitlines() if line.strip()]
    assert head.split() == ["id", "device", "client", "from", "began", "used", "ends"]
    column = head.index("client")
    assert [row[column:][:5].strip() for row in rows] == ["first", "web"]
    nobody = CliRunner().invoke(cli, ["token", "sessions", "bob", "--data", "d"])
    assert (nobody.exit_code, nobody.stdout) == (0, "")
    assert nobody.stderr == "bob is not signed in.\n"


def test_a_token_in_place_of_an_id_is_refused_unshown(run, tmp_path):
    token = run("token", "issue", "alice")["access_token"]
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.ndjson")}
    for shown in (token, f"Bearer {token}", token.replace(".", "%2e")):
        for command in (("revoke", "jti"), ("revoke", "subject"), ("trace",), ("sessions",), ("issue",)):
            done = CliRunner().invoke(cli, ["token", *command, shown, "--data", "d"], input="y\n")
            assert done.exit_code == USAGE
            assert "that is a token" in done.stderr
            assert token[-20:] not in done.output
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.ndjson")} == before
