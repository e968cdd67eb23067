"""Attacks by what they are after: each a function that yields its deeds, in one table."""

from jwtrail.simulate.attacks.access import ACCESS
from jwtrail.simulate.attacks.credentials import CREDENTIALS
from jwtrail.simulate.attacks.forgery import FORGERY
from jwtrail.simulate.attacks.insiders import INSIDERS
from jwtrail.simulate.attacks.kit import Attack, Scene
from jwtrail.simulate.attacks.probing import PROBING
from jwtrail.simulate.attacks.theft import THEFT

__all__ = ["ATTACKS", "Attack", "Scene"]

ATTACKS: tuple[Attack, ...] = (*FORGERY, *THEFT, *CREDENTIALS, *ACCESS, *PROBING, *INSIDERS)
