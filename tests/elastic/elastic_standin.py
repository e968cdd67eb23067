"""A small HTTP server for what the engines on Maven Central lack (policies, roles), and for what goes wrong on the wire."""

import gzip
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Reply = tuple[int, dict[str, str], bytes]


class Seen:
    """One request as it arrived."""

    def __init__(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        parts = urlsplit(handler.path)
        self.method, self.path, self.query = handler.command, parts.path, parse_qs(parts.query)
        self.headers = {name.lower(): value for name, value in handler.headers.items()}
        self.raw = body
        self.body = gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body


class Standin(ThreadingHTTPServer):
    """Answers with `reply` and remembers what was asked."""

    daemon_threads = True

    def __init__(self, reply: Callable[[Seen], Reply | None]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.reply = reply
        self.seen: list[Seen] = []

    @property
    def port(self) -> int:
        return int(self.server_address[1])


@contextmanager
def standin(reply: Callable[[Seen], Reply | None], tls: ssl.SSLContext | None = None) -> Iterator[Standin]:
    """It, while the test runs; a reply of None closes the connection."""
    with Standin(reply) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: Standin
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet; two would wait for each other's acknowledgement

    def _any(self) -> None:
        seen = Seen(self, self.rfile.read(int(self.headers.get("content-length") or 0)))
        self.server.seen.append(seen)
        reply = self.server.reply(seen)
        if reply is None:
            self.close_connection = True
            return
        status, headers, body = reply
        self.send_response(status)
        for name, value in {"content-type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


for _method in ("GET", "POST", "PUT", "DELETE", "HEAD"):
    setattr(_Handler, f"do_{_method}", _Handler._any)


def reply(body: Any, status: int = 200, **headers: str) -> Reply:
    """A JSON answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, named, json.dumps(body).encode()


ELASTIC = {"version": {"number": "8.12.2", "build_flavor": "default"}, "tagline": "You Know, for Search"}
OPENSEARCH = {"version": {"number": "2.19.0", "distribution": "opensearch"}}


class Full:
    """A complete engine: keeps whatever is put under the paths of objects, and wraps it as that engine's API does."""

    def __init__(self, flavour: str, *, forbidden: tuple[str, ...] = ()) -> None:
        self.flavour, self.forbidden = flavour, forbidden
        self.objects: dict[str, Any] = {}
        self.term = 0

    def __call__(self, seen: Seen) -> Reply:
        if seen.path == "/":
            return (
                reply(ELASTIC, X_elastic_product="Elasticsearch")
                if self.flavour == "elasticsearch"
                else reply(OPENSEARCH)
            )
        kind, _, name = seen.path.strip("/").rpartition("/")
        if any(seen.path.startswith(path) for path in self.forbidden):
            return reply(
                {"error": {"type": "security_exception", "reason": "not allowed"}, "status": 403}, 403
            )
        if seen.path.endswith(("/_pit", "/point_in_time")):
            return reply({"error": {"type": "index_not_found_exception", "reason": "no such index"}}, 404)
        if seen.path == "/_index_template/_simulate" or kind in (
            "_ilm",
            "_plugins/_ism",
            "_plugins/_security/api",
            "",
        ):
            return reply({})
        if seen.path.endswith("/_mapping"):
            return reply({}, 404)
        if seen.method == "PUT":
            return self._put(seen)
        if seen.path not in self.objects:
            return reply(
                {"error": {"type": "resource_not_found_exception"}} if kind == "_data_stream" else {}, 404
            )
        return reply(self._wrapped(kind, name, self.objects[seen.path]))

    def _put(self, seen: Seen) -> Reply:
        if (
            "ism" in seen.path
            and seen.path in self.objects
            and seen.query.get("if_seq_no") != [str(self.term)]
        ):
            return reply({"error": {"type": "version_conflict_engine_exception", "reason": "stale"}}, 409)
        self.term += 1
        self.objects[seen.path] = json.loads(seen.body) if seen.body else {}
        return reply({"acknowledged": True})

    def _wrapped(self, kind: str, name: str, body: Any) -> Any:
        if kind == "_component_template":
            return {"component_templates": [{"name": name, "component_template": body}]}
        if kind == "_index_template":
            return {"index_templates": [{"name": name, "index_template": body}]}
        if kind == "_plugins/_ism/policies":
            return {"_id": name, "_seq_no": self.term, "_primary_term": 1, **body}
        return {"data_streams": [{"name": name}]} if kind == "_data_stream" else {name: body}
