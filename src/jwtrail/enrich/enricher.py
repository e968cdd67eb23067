"""An event with what is known about its address and its client. Runs where events are written, in the writer's own thread."""

from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from jwtrail.ecs import Event
from jwtrail.ecs.clean import clean
from jwtrail.enrich.hosting import HOSTING
from jwtrail.enrich.settings import EnrichSettings

if TYPE_CHECKING:
    from jwtrail.enrich.addresses import Addresses
    from jwtrail.enrich.agents import Agents

__all__ = ["MAX_REMEMBERED", "Enricher"]

MAX_REMEMBERED = 4096
"""Addresses, and as many client programs, whose fields are remembered: a few hundred bytes each."""

Fields = dict[str, str | int]


class _Memory:
    """The last answers of a slow question."""

    def __init__(self, ask: Callable[[str], Fields]) -> None:
        self._ask = ask
        self._known: OrderedDict[str, Fields] = OrderedDict()

    def __call__(self, text: str) -> Fields:
        known = self._known.get(text)
        if known is None:
            known = {name: _cleaned(value) for name, value in self._ask(text).items()}
            self._known[text] = known
            if len(self._known) > MAX_REMEMBERED:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(text)
        return known

    def clear(self) -> None:
        self._known.clear()


class Enricher:
    """Adds fields to events; for one thread. Nothing is loaded before the first event needs it.

    Args:
        settings: what is added.

    Raises:
        ConfigError: a database cannot be used. Said at once, so that a worker does not start without what it was given.
    """

    def __init__(self, settings: EnrichSettings) -> None:
        self._addresses = _addresses(settings)
        self._agents: Agents | None = None
        self._hosting = HOSTING | frozenset(settings.hosting_asns)
        self._where = _Memory(self._addresses.fields) if self._addresses is not None else None
        self._who = _Memory(self._agent) if settings.user_agents else None

    @property
    def active(self) -> bool:
        """Whether there is anything to add."""
        return self._where is not None or self._who is not None

    def __call__(self, event: Event) -> Event:
        """The event with what can be added; what it brings itself stays."""
        found: Fields = {}
        if self._where is not None and event.source_ip is not None:
            if self._addresses is not None and self._addresses.renewed():
                self._where.clear()
            found.update(self._where(event.source_ip))
        if self._who is not None and event.user_agent_original is not None:
            found.update(self._who(event.user_agent_original))
        if event.source_as_number in self._hosting:
            found.setdefault("jwtrail_network", "hosting")
        added = {name: value for name, value in found.items() if getattr(event, name) is None}
        return replace(event, **added) if added else event

    def _agent(self, text: str) -> Fields:
        if self._agents is None:
            from jwtrail.enrich.agents import Agents  # noqa: PLC0415  # a tenth of a second that nobody should wait for

            self._agents = Agents()
        return self._agents.fields(text)


def _addresses(settings: EnrichSettings) -> "Addresses | None":
    if not settings.databases:
        return None
    from jwtrail.enrich.addresses import Addresses  # noqa: PLC0415  # only those who use it load it

    return Addresses(settings.databases, settings.hosting_asns)


def _cleaned(value: str | int) -> str | int:
    return clean(value, set()) if isinstance(value, str) else value
