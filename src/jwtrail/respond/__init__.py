"""Answers to alerts: revoke, throttle, block, notify; on the narrowest verified key, and always with an end.

Empty on purpose: `respond.settings` is read by every worker of the application, which must not load the detector.
"""
