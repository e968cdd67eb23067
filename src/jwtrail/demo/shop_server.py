"""Runs the sample shop: `python -m jwtrail.demo.shop_server PORT WORKERS`.

The same as `uvicorn jwtrail.demo.shop:app --workers N`, but for one thing: uvicorn makes the socket that its workers share
without naming TCP, and asyncio sets TCP_NODELAY only on sockets that do. Nagle's algorithm and the client's delayed
acknowledgement then add 40 ms to every answer on a connection that is kept (measured here: 48 ms against 2 ms).
"""

import socket
import sys

import uvicorn
from uvicorn.supervisors import Multiprocess

__all__ = ["main"]


def main(port: int, workers: int) -> None:
    """Serve on loopback until SIGTERM; a worker that dies is started again."""
    config = uvicorn.Config(
        "jwtrail.demo.shop:app",
        host="127.0.0.1",
        port=port,
        workers=workers,
        access_log=False,
        log_level="warning",
        proxy_headers=False,  # jwtrail reads them, and knows which proxies to believe
    )
    shared = config.bind_socket()
    shared.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # what is accepted from it inherits this
    Multiprocess(config, sockets=[shared]).run()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
