"""One thing somebody does, before it becomes an event; and the session that gives it a token."""

import random
from typing import Any

from msgspec import Struct

from jwtrail.simulate.world import Agent, Person, Place

__all__ = ["DAY_S", "Deed", "Session", "failed", "login_failed", "request", "uuid_of"]

DAY_S = 86_400


class Deed(Struct, frozen=True):
    """At `at` seconds after the beginning, this action with these attributes of `Event`."""

    at: float
    action: str
    fields: dict[str, Any]


def uuid_of(chance: random.Random) -> str:
    """An id that the seed decides."""
    text = f"{chance.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def failed(status: int, reason: str | None = None) -> dict[str, Any]:
    """What a refused or failed request has."""
    return {"event_outcome": "failure", "event_reason": reason, "http_response_status_code": status}


def request(
    chance: random.Random, route: str | None, path: str, *, query: str | None = None, **more: Any
) -> dict[str, Any]:
    """The fields of one request that was served."""
    return {
        "http_route": route,
        "url_path": path,
        "url_query": query,
        "url_original": f"{path}?{query}" if query else path,
        "http_request_method": "GET",
        "http_response_status_code": 200,
        "http_response_bytes": int(chance.lognormvariate(8, 1.2)),
        "event_duration": int(chance.lognormvariate(17, 0.8)),
        "jwtrail_policy": "required",
        **more,
    }


def login_failed(name: str, place: Place, agent: Agent, reason: str = "bad_credentials") -> dict[str, Any]:
    """A sign-in that failed; the name is only what was typed."""
    return {
        **place.fields(),
        **agent.fields(),
        "event_outcome": "failure",
        "event_reason": reason,
        "user_name": name,
    }


class Session:
    """One sign-in on one device: gives each deed the token that is current."""

    def __init__(self, person: Person, place: Place, agent: Agent, chance: random.Random) -> None:
        self.person, self.place, self.agent, self.chance = person, place, agent, chance
        self.family = uuid_of(chance)
        self.generation = 0
        self.jti = uuid_of(chance)
        self.issued = 0.0

    def who(self) -> dict[str, Any]:
        """The verified identity and where it is used from."""
        person = self.person
        return {
            **self.place.fields(),
            **self.agent.fields(),
            "user_id": person.id,
            "user_roles": (person.role,),
            "organization_id": person.tenant,
            "jwt_family": self.family,
            "jwt_client_id": "first-party",
            "jwt_iss": "https://shop.example",
        }

    def begin(self, at: float) -> list[Deed]:
        """Signs in."""
        self.issued = at
        who = self.who()
        return [
            Deed(at, "login", {**who, "user_name": self.person.name}),
            Deed(
                at + 0.002,
                "token-issued",
                {
                    **who,
                    "jwt_jti": self.jti,
                    "jwt_ttl": 900,
                    "jwt_kind": "access",
                    "jwt_scope": ("orders:read",),
                },
            ),
        ]

    def renew(self, at: float) -> Deed:
        """Exchanges the refresh token."""
        self.generation += 1
        self.jti, self.issued = uuid_of(self.chance), at
        return Deed(
            at, "token-refreshed", {**self.who(), "jwt_jti": self.jti, "jwt_generation": self.generation}
        )

    def call(self, at: float, fields: dict[str, Any]) -> Deed:
        """A request with the current token."""
        token = {"jwt_jti": self.jti, "jwt_known": True, "jwt_age": max(0, int(at - self.issued))}
        return Deed(at, "http-request", {**self.who(), **token, **fields})
