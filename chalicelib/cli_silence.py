"""The commands `silence` and `unsilence`: who knows of a finding, and wants to hear nothing of it for a while."""

from __future__ import annotations

import argparse
import json
from typing import Any

from chalicelib import text
from chalicelib.problems import BadInput
from chalicelib.usecases import documents, silencing
from chalicelib.wiring import Runtime

COMMANDS = {
    "silence": "tell nobody of a finding for a while, or --list what is silenced",
    "unsilence": "end a silence",
}


def add_commands(commands: Any) -> None:
    """Add both to the command line's sub-parsers."""
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        command.add_argument("fingerprints", metavar="FINGERPRINT", nargs="*", help="as alerts and `drift` show it")
        command.add_argument("--fleet", metavar="FILE", help="fleet file, a path or s3://… (default: KEEPER_FLEET)")
        command.add_argument("--cluster", metavar="NAME", help="look in one cluster of the fleet only")
        command.add_argument("--json", action="store_true", help="print JSON (docs/schemas) instead of a table")
        if name == "silence":
            command.add_argument("--for", dest="span", metavar="SPAN", help="how long: 30m, 2h, 1d; at most 14d")
            command.add_argument("--why", help="the reason, for whoever comes after you")
            command.add_argument("--list", dest="listing", action="store_true", help="show what is silenced")


def run(runtime: Runtime, arguments: argparse.Namespace) -> None:
    """Carry one of the commands out and print what is silenced by it, or at all.

    Raises:
        BadInput, NoSuchThing, AdapterError: It could not be done; nothing was stored.
    """
    if not runtime.settings.table:
        raise BadInput("KEEPER_TABLE: is not set; silences are kept in the functions' table")
    names = [runtime.cluster(arguments.cluster).name] if arguments.cluster else list(runtime.fleet.clusters)
    memory, now = runtime.adapters.memory, runtime.clock()
    listing = getattr(arguments, "listing", False)
    if listing and arguments.fingerprints:
        raise BadInput("FINGERPRINT: is not allowed with --list")
    if not listing and not arguments.fingerprints:
        raise BadInput("FINGERPRINT: is missing; alerts and `egress-keeper drift` show it")
    fingerprints = [silencing.parse_fingerprint(one, "FINGERPRINT") for one in arguments.fingerprints]
    if listing:
        found = silencing.silences_of(names, memory, now)
    elif arguments.command == "silence":
        span, why = silencing.parse_span(arguments.span, "--for"), silencing.parse_reason(arguments.why, "--why")
        who = runtime.adapters.caller()
        found = silencing.silence(fingerprints, names, memory, span=span, why=why, who=who, now=now)
    else:
        found = silencing.unsilence(fingerprints, names, memory, who=runtime.adapters.caller(), now=now)
    document = documents.silences_document(found)
    print(json.dumps(document, indent=2) if arguments.json else text.silences_text(document), end="\n")
