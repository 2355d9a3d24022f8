"""Settings from the environment, read inside a call and never at import, all problems in one error.

The variable names are an interface: changing one belongs into the changelog and the packaged template.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


class SettingsError(Exception):
    """The environment does not hold what is needed; the message lists every problem."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the deployed functions are told. The command line needs `fleet` only.

    Attributes:
        fleet: Path or `s3://bucket/key` of the fleet file (`KEEPER_FLEET`).
        events_queue_url: Standard queue between intake and route (`KEEPER_EVENTS_QUEUE_URL`).
        work_queue_url: FIFO queue between route and reconcile (`KEEPER_WORK_QUEUE_URL`).
        table: DynamoDB table of findings and runs (`KEEPER_TABLE`).
        topic_arn: SNS topic for alerts (`KEEPER_TOPIC_ARN`).
        runbooks: Where messages say that the runbooks are, a folder or URL (`KEEPER_RUNBOOKS`).
        stack: Dimension of the metrics that alarms watch: two stacks of one account must not mix (`KEEPER_STACK`).
        window_seconds: Events of one cluster within such a window become one visit (`KEEPER_WINDOW_SECONDS`). The
            work queue's delivery delay must be longer than this.
        settle_seconds: How far apart two visits must see the same before it counts (`KEEPER_SETTLE_SECONDS`).
        revisit_seconds: First pause before a cluster in motion is looked at again (`KEEPER_REVISIT_SECONDS`).
        reminder_seconds: How often an open finding is told again (`KEEPER_REMINDER_SECONDS`).
    """

    fleet: str = ""
    events_queue_url: str = ""
    work_queue_url: str = ""
    table: str = ""
    topic_arn: str = ""
    runbooks: str = "docs/runbooks"
    stack: str = "egress-keeper"
    window_seconds: int = 30
    settle_seconds: int = 60
    revisit_seconds: int = 20
    reminder_seconds: int = 86_400


TEXTS = {
    "fleet": "KEEPER_FLEET",
    "events_queue_url": "KEEPER_EVENTS_QUEUE_URL",
    "work_queue_url": "KEEPER_WORK_QUEUE_URL",
    "table": "KEEPER_TABLE",
    "topic_arn": "KEEPER_TOPIC_ARN",
}
NUMBERS = {
    "window_seconds": "KEEPER_WINDOW_SECONDS",
    "settle_seconds": "KEEPER_SETTLE_SECONDS",
    "revisit_seconds": "KEEPER_REVISIT_SECONDS",
    "reminder_seconds": "KEEPER_REMINDER_SECONDS",
}
OPTIONAL = {"runbooks": "KEEPER_RUNBOOKS", "stack": "KEEPER_STACK"}
VARIABLES = {**TEXTS, **OPTIONAL, **NUMBERS}
"""Environment variable by field: the packaged template is compared with this."""


def read_settings(environment: Mapping[str, str], *, need: tuple[str, ...] = tuple(TEXTS)) -> Settings:
    """Build the settings from *environment*.

    Args:
        need: Fields that must not be empty; by default all that have no default.

    Raises:
        SettingsError: A needed variable is missing, or a number is not a whole number of at least 1.
    """
    texts = {name: environment.get(variable, "") for name, variable in TEXTS.items()}
    texts |= {name: environment[variable] for name, variable in OPTIONAL.items() if environment.get(variable)}
    problems = [f"{TEXTS[name]} is not set" for name in need if not texts[name]]
    numbers: dict[str, int] = {}
    for name, variable in NUMBERS.items():
        text = environment.get(variable, "")
        if not text:
            continue
        if text.isdecimal() and int(text) >= 1:
            numbers[name] = int(text)
        else:
            problems.append(f"{variable} is {text!r}; allowed is a whole number of seconds, at least 1")
    if problems:
        raise SettingsError("; ".join(problems))
    return Settings(**texts, **numbers)  # type: ignore[arg-type]  # the two tables above give each field its type
