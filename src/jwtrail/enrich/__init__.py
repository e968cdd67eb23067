"""What is known of an address and of a client program, added to an event before it is written. Offline, and never in a request.

Empty on purpose: `enrich.settings` is read by every worker of the application.
"""
