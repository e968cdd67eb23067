"""A small HTTP server that answers an import as Kibana 7.10 to 8.x and OpenSearch Dashboards do."""

import email
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class Kibana(ThreadingHTTPServer):
    """Holds what was imported.

    Args:
        header: what a request must carry: `kbn-xsrf` or `osd-xsrf`.
        base: path in front of every request.
        known: types of objects it takes.
    """

    def __init__(
        self,
        header: str,
        base: str = "",
        known: tuple[str, ...] = ("index-pattern", "search", "visualization", "dashboard"),
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.header, self.base, self.known = header, base, known
        self.objects: dict[tuple[str, str], dict] = {}
        self.authorization: str | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{self.base}"


@contextmanager
def kibana(header: str, **more) -> Iterator[Kibana]:
    """It, while the test runs."""
    with Kibana(header, **more) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: Kibana
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        target = urlsplit(self.path)
        self.server.authorization = self.headers["authorization"]
        if target.path != f"{self.server.base}/api/saved_objects/_import":
            self._answer(404, {"statusCode": 404, "error": "Not Found", "message": "Not Found"})
        elif self.server.header not in self.headers:
            words = f"Request must contain a {self.server.header} header."
            self._answer(400, {"statusCode": 400, "error": "Bad Request", "message": words})
        elif not self.headers["content-type"].startswith("multipart/form-data"):
            self._answer(
                415, {"statusCode": 415, "error": "Unsupported Media Type", "message": "Unsupported"}
            )
        else:
            self._import(body, overwrite=parse_qs(target.query).get("overwrite") == ["true"])

    def _import(self, body: bytes, *, overwrite: bool) -> None:
        head = f"Content-Type: {self.headers['content-type']}\r\n\r\n".encode()
        (part,) = email.message_from_bytes(head + body).get_payload()
        if part.get_param("name", header="content-disposition") != "file" or not part.get_filename().endswith(
            ".ndjson"
        ):
            self._answer(
                400, {"statusCode": 400, "error": "Bad Request", "message": "Invalid file extension"}
            )
            return
        objects = [json.loads(line) for line in part.get_payload(decode=True).splitlines()]
        mine = {(one["type"], one["id"]): one for one in objects}
        errors = []
        for name, one in mine.items():
            if (cause := self._cause(name, one, mine, overwrite=overwrite)) is None:
                self.server.objects[name] = one
            else:
                errors.append({"type": name[0], "id": name[1], "error": {"type": cause}})
        made = len(mine) - len(errors)
        answer = {"success": not errors, "successCount": made}
        self._answer(200, {**answer, "errors": errors} if errors else answer)

    def _cause(self, name: tuple[str, str], one: dict, mine: dict, *, overwrite: bool) -> str | None:
        if name[0] not in self.server.known:
            return "unsupported_type"
        there = {*mine, *self.server.objects}
        if any(
            (r["type"], r["id"]) not in there or r["type"] not in self.server.known for r in one["references"]
        ):
            return "missing_references"
        return "conflict" if name in self.server.objects and not overwrite else None

    def _answer(self, status: int, body: dict) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json; charset=utf-8")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Quiet."""
