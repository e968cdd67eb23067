"""An identity provider of the test's own: metadata, keys and tokens over HTTP on loopback, and every way to misbehave."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from jwtrail import clock


class Provider:
    """Serves what `pages` says: a path gives a JSON value, or a function of the handler."""

    def __init__(self, tls=None):
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                provider.asked.append(self.path)
                page = provider.pages.get(self.path)
                if callable(page):
                    page(self)
                elif page is None:
                    self.send_error(404)
                else:
                    answer(self, json.dumps(page).encode())

            def log_message(self, *_):
                pass

        self.asked = []
        self.pages = {}
        self.keys = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        scheme = "https" if tls else "http"
        self.issuer = f"{scheme}://127.0.0.1:{self._server.server_port}"
        self.pages["/.well-known/openid-configuration"] = {
            "issuer": self.issuer,
            "jwks_uri": f"{self.issuer}/keys",
        }
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self.new_key("k1")

    def new_key(self, kid):
        """A key more; from now on it signs."""
        self.keys[kid] = ec.generate_private_key(ec.SECP256R1())
        self.publish(*self.keys)

    def publish(self, *kids):
        made = jwt.algorithms.ECAlgorithm.to_jwk
        self.pages["/keys"] = {
            "keys": [
                made(self.keys[kid].public_key(), as_dict=True) | {"kid": kid, "alg": "ES256", "use": "sig"}
                for kid in kids
            ]
        }

    def token(self, kid=None, **changes):
        kid = kid or next(reversed(self.keys))
        now = clock.now_us() // 1_000_000
        claims = {"iss": self.issuer, "aud": "api", "sub": "r1", "jti": "j1", "iat": now, "exp": now + 300}
        return jwt.encode(claims | changes, self.keys[kid], "ES256", {"kid": kid, "typ": "at+jwt"})

    def close(self):
        self._server.shutdown()
        self._server.server_close()


def answer(handler, body, status=200, kind="application/json", **headers):
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    if "Content_Length" not in headers:
        handler.send_header("Content-Length", str(len(body)))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), str(value))
    handler.end_headers()
    handler.wfile.write(body)
