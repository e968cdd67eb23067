"""Answers to alerts: revoke, throttle, block, notify; on the narrowest verified key, and always with an end."""

from jwtrail.respond.action import Action
from jwtrail.respond.policy import plan
from jwtrail.respond.responder import Commit, Responder
from jwtrail.respond.settings import PACKAGED, Answer, RespondSettings

__all__ = ["PACKAGED", "Action", "Answer", "Commit", "RespondSettings", "Responder", "plan"]
