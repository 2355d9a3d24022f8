"""The JSON Schema of the fleet file, for editors and for checks before a file is published.

It says everything that can be said of one place in the file. What takes two places (an address given to two policies)
only reading the file tells.

    python -m chalicelib.fleet.schema > docs/schemas/fleet-1.json
"""

from __future__ import annotations

import json
import sys
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import NullableSchema, WithDefaultSchema

from chalicelib.fleet.model import FleetFile

HEAD = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "urn:egress-keeper:schema:fleet:1"}


class _WithoutNull(GenerateJsonSchema):
    """A field that may be left out may not be null: an empty value in the file is more often forgotten than meant."""

    def nullable_schema(self, schema: NullableSchema) -> JsonSchemaValue:
        """The type itself, instead of "this or null"."""
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: WithDefaultSchema) -> JsonSchemaValue:
        """The type itself: what a field is by default stands in its own description."""
        return self.generate_inner(schema["schema"])

    def field_title_should_be_set(self, schema: Any) -> bool:
        """No titles that only repeat the field's name."""
        del schema
        return False


def fleet_schema() -> dict[str, Any]:
    """The schema, draft 2020-12."""
    return {**HEAD, **FleetFile.model_json_schema(by_alias=True, schema_generator=_WithoutNull)}


def schema_text() -> str:
    """The schema as it is published."""
    return json.dumps(fleet_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
