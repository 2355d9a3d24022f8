"""The fleet file: what people wish for, in YAML (`docs/fleet.md`).

`load` is the way in. A file passes `nodes` (shape), `text` (words), `model` (fields), `rules` (fields together) and
`files` (what it names); `check` runs them all and tells every problem at once.
"""

from chalicelib.fleet.load import fleet_schema, load_fleet, parse_fleet
from chalicelib.fleet.problems import FleetError, Problem

__all__ = ["FleetError", "Problem", "fleet_schema", "load_fleet", "parse_fleet"]
