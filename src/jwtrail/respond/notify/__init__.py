"""Telling people and machines about alerts: one module for each kind of channel.

Empty on purpose: `notify.settings` is read by every worker of the application, which must not load mail and HTTP clients.
"""
