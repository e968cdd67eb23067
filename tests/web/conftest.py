"""A browser without a window: asks the application directly, keeps cookies, follows nothing by itself."""

import asyncio

import httpx
import pytest

BASE = "http://127.0.0.1:7070"


class Browser:
    def __init__(self, app, base=BASE):
        self._transport = httpx.ASGITransport(app)
        self._base = base
        self.cookies = httpx.Cookies()

    def request(self, method, url, **more):
        return asyncio.run(self._request(method, url, more))

    def get(self, url, **more):
        return self.request("GET", url, **more)

    def post(self, url, **more):
        return self.request("POST", url, **more)

    async def _request(self, method, url, more):
        async with httpx.AsyncClient(
            transport=self._transport, base_url=self._base, cookies=self.cookies
        ) as client:
            answer = await client.request(method, url, **more)
            self.cookies = client.cookies
            return answer


@pytest.fixture
def browser():
    return Browser
