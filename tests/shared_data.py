"""Public definitions and recordings too large to keep here; a test that needs an absent one is skipped, loudly.

They are looked for in `KEEPER_SHARED_DATA`, or in `../shared/data` beside the project.
"""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest

PLACE = Path(os.environ.get("KEEPER_SHARED_DATA") or Path(__file__).parents[2] / "shared" / "data")


def load(name: str) -> Any:
    """The JSON file *name*, parsed once; the test is skipped where it is absent."""
    if not (PLACE / name).is_file():
        pytest.skip(f"{name} is not in {PLACE}: set KEEPER_SHARED_DATA")
    return _parsed(PLACE / name)


@cache
def _parsed(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
