"""A witness that is not ours cosigns the log, and refuses one that went back or forked."""

import base64
import contextlib
import shutil
import socket
import sqlite3
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from jwtrail import clock, config
from jwtrail.cli.main import cli
from jwtrail.errors import ConfigError, IntegrityError, NoteError, TrailError
from jwtrail.runtime.witnessed import Witnessing
from jwtrail.tlog.merkle import EMPTY_ROOT
from jwtrail.tlog.note import open_note
from jwtrail.tlog.witness import WitnessKey, add_checkpoint, known_size
from jwtrail.trail.reader import TrailReader
from jwtrail.trail.settings import TrailSettings
from jwtrail.trail.witnessing import post_to, witness
from ports import free_port
from waiting import LONG_S, until

MODULE = "filippo.io/torchwood/cmd/litewitness@v0.9.0"
CACHE = Path.home() / ".cache/jwtrail-tests/bin"
NAME = "example.com/witness"


@pytest.fixture(scope="session")
def litewitness():
    tool = CACHE / "litewitness"
    if not tool.exists() and (go := shutil.which("go")):
        CACHE.mkdir(parents=True, exist_ok=True)
        subprocess.run(  # the first time it is fetched and built
            [go, "install", MODULE], env=config.child_env({"GOBIN": str(CACHE)}), check=False, timeout=600
        )
    if not tool.exists() or not shutil.which("ssh-agent"):
        if config.is_ci():
            pytest.fail(f"CI must have {MODULE} and ssh-agent")
        pytest.skip(f"needs {MODULE} and ssh-agent")
    return tool


@pytest.fixture
def world(litewitness, tmp_path, log_of):
    """A log of 300 events, and a running witness that knows its key: (layout, url, key of the witness)."""
    layout = log_of(300)
    with running(litewitness, tmp_path, TrailReader(layout)) as (url, key):
        yield layout, url, key


@contextlib.contextmanager
def running(tool, folder, reader):
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key"], check=True, timeout=60
    )
    public = base64.b64decode((folder / "key.pub").read_text().split()[1])
    key = WitnessKey(NAME, public[-32:])
    port = free_port()
    sock = folder / "s"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", sock], stdout=subprocess.DEVNULL)
    server = None
    try:
        until(sock.exists)
        subprocess.run(
            ["ssh-add", "-q", folder / "key"],
            env=config.child_env({"SSH_AUTH_SOCK": str(sock)}),
            check=True,
            timeout=60,
        )
        fingerprint = "SHA256:" + base64.b64encode(sha256(public).digest()).decode().rstrip("=")
        server = subprocess.Popen(
            [tool, "-db", folder / "witness.db", "-name", NAME, "-key", fingerprint, "-ssh-agent", sock, "-listen", f"127.0.0.1:{port}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        until(lambda: listens(port))
        with contextlib.closing(sqlite3.connect(folder / "witness.db")) as known, known:
            known.execute(
                "INSERT INTO log VALUES (?, 0, ?)",
                (reader.vkey().name, base64.b64encode(EMPTY_ROOT).decode()),
            )
            known.execute("INSERT INTO key VALUES (?, ?)", (reader.vkey().name, str(reader.vkey())))
        yield f"http://127.0.0.1:{port}", key
    finally:
        for process in filter(None, (server, agent)):
            process.terminate()
            process.wait(LONG_S)


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.engine
def test_litewitness_cosigns_and_refuses_a_rollback_and_a_fork(world, log_of, tmp_path):
    layout, url, key = world
    reader = TrailReader(layout)
    shutil.copytree(layout.root, tmp_path / "old")
    first = witness(layout, reader, key, post_to(url))
    assert (first.size, first.witness) == (300, NAME)
    assert abs(first.at - clock.now_us() // 10**6) < 60
    assert witness(layout, reader, key, post_to(url)).size == 300
    text = open_note(layout.witnessed.read_bytes(), [reader.vkey()])
    assert key.cosigned(text, layout.witnessed.read_text().partition("\n\n")[2])[1] >= first.at
    log_of(500, more=True)
    assert witness(layout, reader, key, post_to(url)).size == 800
    layout.witnessed.unlink()  # what we remember does not matter
    run = CliRunner().invoke(
        cli, ["trail", "witness", "--url", url, "--key", str(key), "--data", str(layout.root)]
    )
    assert (run.exit_code, run.stdout) == (0, f"{NAME} has seen 800 events\n")

    old = type(layout)(tmp_path / "old")
    with pytest.raises(IntegrityError, match="has seen 800 events, only 300"):
        witness(old, TrailReader(old), key, post_to(url))
    fork = log_of(900, keys=layout.keys)
    with pytest.raises(IntegrityError, match="not the first of this log"):
        witness(fork, TrailReader(fork), key, post_to(url))
    other = log_of(5)
    with pytest.raises(ConfigError, match="does not know"):
        witness(other, TrailReader(other), key, post_to(url))


def cosignature(private, text, seconds, name="w"):
    key = WitnessKey(name, private.public_key().public_bytes_raw())
    signature = private.sign(f"cosignature/v1\ntime {seconds}\n{text}".encode())
    blob = key.key_id + seconds.to_bytes(8, "big") + signature
    return key, f"\u2014 {name} {base64.b64encode(blob).decode()}\n"


def test_a_cosignature_is_checked_by_the_key_that_was_given(log_of):
    layout = log_of(3)
    reader = TrailReader(layout)
    text = reader.checkpoint().text
    private = Ed25519PrivateKey.generate()
    key, line = cosignature(private, text, 1_700_000_000)
    assert WitnessKey.parse(str(key)) == key
    assert key.cosigned(text, "\u2014 other AAAAAAAA\n" + line) == (line, 1_700_000_000)
    assert witness(layout, reader, key, lambda _body: (200, line)).size == 3
    with pytest.raises(NoteError, match="wrong"):
        key.cosigned(text + "x\n", line)
    with pytest.raises(NoteError, match="did not sign"):
        cosignature(Ed25519PrivateKey.generate(), text, 5)[0].cosigned(text, line)
    with pytest.raises(NoteError, match="did not sign"):
        key.cosigned(text, "")
    for bad in (
        "",
        "w+00000000+AAAA",
        str(reader.vkey()),
        str(key).replace("+", "+0", 1)[:-1],
        str(key).replace(key.key_id.hex(), "0" * 8),
    ):
        with pytest.raises(NoteError):
            WitnessKey.parse(bad)


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        ([(409, "7\n")], IntegrityError),
        ([(409, "2\n"), (409, "2\n")], IntegrityError),
        ([(409, "two")], NoteError),
        ([(422, "bad")], IntegrityError),
        ([(404, "")], ConfigError),
        ([(403, "")], ConfigError),
        ([(500, "\x1b[2J")], TrailError),
        ([(200, "")], NoteError),
    ],
)
def test_what_a_witness_may_answer(log_of, answers, kind):
    layout = log_of(5)
    said = iter(answers)
    with pytest.raises(kind):
        witness(layout, TrailReader(layout), WitnessKey("w", bytes(32)), lambda _body: next(said))
    assert not layout.witnessed.exists()


def test_the_request_and_its_bounds():
    assert (
        add_checkpoint(3, [b"\x01" * 32], b"note\n")
        == b"old 3\n" + base64.b64encode(b"\x01" * 32) + b"\n\nnote\n"
    )
    with pytest.raises(NoteError, match="64"):
        add_checkpoint(3, [bytes(32)] * 64, b"")
    assert known_size("12\n") == 12
    for url in ("http://example.com", "ftp://localhost", "nonsense", "https://"):
        with pytest.raises(ConfigError):
            post_to(url)
    with pytest.raises(TrailError, match="cannot be reached"):
        post_to("http://127.0.0.1:1")(b"")


@pytest.mark.engine
def test_the_daemon_tells_when_the_witness_refuses(world, log_of, tmp_path):
    layout, url, key = world
    shutil.copytree(layout.root, tmp_path / "old")
    log_of(100, more=True)
    told = []
    settings = TrailSettings(witness_url=url, witness_key=str(key))
    watch = Witnessing(layout, settings, told.append)
    watch.look()
    watch.look()
    Witnessing(type(layout)(tmp_path / "old"), settings, told.append).look()
    assert [event.event_action for event in told] == ["trail-witnessed", "trail-broken"]
    assert "the witness has seen 400 events" in told[1].message
