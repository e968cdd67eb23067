"""jwtrail: JWTs issued and verified, a trail nobody can alter unseen, and detection that answers by itself."""

__all__ = ["__version__"]

__version__ = "0.1.0"
