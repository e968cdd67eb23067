"""How long records must be kept, and what stops anything from being removed."""

import re
from pathlib import Path

from msgspec import Struct

from jwtrail.errors import ConfigError, HoldError
from jwtrail.trail.durable import replace_file, storage_errors, sync_directory

__all__ = ["PROFILES", "Retention", "hold", "hold_reason", "refuse_on_hold", "release"]

PROFILES = {"kr-1y": 365, "kr-2y": 730, "pci-12m": 365, "hipaa-6y": 2192}
"""Days that a law or standard asks for: Korea's PIPA safety standard art. 8 (one year, two for 50,000 people or sensitive
data), PCI DSS 4.0.1 req. 10.5.1, HIPAA 164.316(b)(2) (six years, two of them with a leap day)."""

MAX_DAYS = 36_500
MAX_REASON = 500
"""Characters of the reason of a hold."""

_DAY_US = 86_400_000_000
_DAYS = re.compile(r"days-([1-9][0-9]{0,4})")


class Retention(Struct, frozen=True):
    """A period within which no record may be removed.

    Args:
        name: of the profile; empty when there is none.
        days: its length; 0 when there is none.
    """

    name: str = ""
    days: int = 0

    @classmethod
    def parse(cls, name: str, where: str = "trail.retention") -> "Retention":
        """A profile by its name, `days-N`, or nothing.

        Args:
            where: the setting that names it.

        Raises:
            ConfigError: there is no such profile.
        """
        if not name:
            return cls()
        found = _DAYS.fullmatch(name)
        days = int(found[1]) if found else PROFILES.get(name, 0)
        if not 0 < days <= MAX_DAYS:
            raise ConfigError(
                f"there is no retention profile {name!r}",
                where=where,
                hint=f"{', '.join(PROFILES)} or days-N with at most {MAX_DAYS} days",
            )
        return cls(name, days)

    def may_go_before(self, now_us: int) -> int:
        """Records older than this moment may be removed, µs since the epoch."""
        return now_us - self.days * _DAY_US

    def may_go_at(self, at_us: int) -> int:
        """From when on a record of this moment may be removed."""
        return at_us + self.days * _DAY_US


def hold(path: Path, reason: str) -> None:
    """Let nothing be erased or pruned until `release`.

    Raises:
        WriteError: it cannot be written down.
        HoldError: there is a hold already.
    """
    refuse_on_hold(path)
    replace_file(path, reason[:MAX_REASON].encode() + b"\n")


def release(path: Path) -> bool:
    """End a hold; False when there was none.

    Raises:
        WriteError: it stands.
    """
    with storage_errors("release the hold", path):
        if not path.exists():
            return False
        path.unlink()
        sync_directory(path.parent)
    return True


def hold_reason(path: Path) -> str | None:
    """Why nothing may be removed; None when there is no hold."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except FileNotFoundError:
        return None


def refuse_on_hold(path: Path) -> None:
    """Stop when there is a hold.

    Raises:
        HoldError: it says why.
    """
    reason = hold_reason(path)
    if reason is not None:
        raise HoldError(f"legal hold: {reason}", where=str(path), hint="jwtrail trail release ends it")
