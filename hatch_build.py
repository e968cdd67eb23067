"""Build hook: compiles the console's front end into the wheel (see docs/design/packaging.md)."""
