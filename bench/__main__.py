"""`python -m bench [SECTION …] [--quick]`: sections are tokens, requests, trail, detection, reaction, query, ship; all by default."""

import argparse
import importlib

SECTIONS = ("tokens", "requests", "trail", "detection", "reaction", "query", "ship")
LONG = ("memory",)
"""Take minutes, and run only when they are named."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS + LONG))
    parser.add_argument("--quick", action="store_true", help="a tenth of the calls")
    parser.add_argument("--opensearch", action="store_true", help="query: beside a real OpenSearch")
    chosen = parser.parse_args()
    for unknown in set(chosen.sections) - {*SECTIONS, *LONG}:
        parser.error(f"no section {unknown}; there are {', '.join(SECTIONS + LONG)}")
    calls = 200 if chosen.quick else 2000
    for name in chosen.sections or SECTIONS:
        more = {"opensearch": chosen.opensearch} if name == "query" else {}
        importlib.import_module(f"bench.{name}").run(calls, **more)


if __name__ == "__main__":
    main()
