"""Alerts through one SNS topic. What an alert says is `usecases.tell`; here it is only made to fit and sent."""

from __future__ import annotations

from chalicelib.adapters.aws import Aws
from chalicelib.adapters.errors import Rejected
from chalicelib.domain.telling.messages import SUBJECT_LIMIT, Alert

IAM_ACTIONS = frozenset({"sns:Publish"})

MESSAGE_BYTES = 256 * 1024
"""SNS counts the body and the attributes together, in UTF-8 (Amazon SNS API Reference, Publish)."""

CUT_NOTE = "\n\n[cut: the message was longer than SNS takes; the run's report has all of it]\n"


class SnsAlerts:
    """The `Alerts` port over SNS."""

    def __init__(self, topic_arn: str, aws: Aws) -> None:
        self._topic_arn = topic_arn
        self._aws = aws

    def publish(self, alert: Alert) -> None:
        """Send it, the attributes as strings for filter policies; a body that is too long is cut and says so.

        Raises:
            Rejected: The subject is empty, longer than 100 characters or not printable ASCII.
        """
        subject = alert.subject
        if not (0 < len(subject) <= SUBJECT_LIMIT and subject.isascii() and subject.isprintable()):
            detail = f"the subject must be 1 to {SUBJECT_LIMIT} printable ASCII characters, not {subject!r}"
            raise Rejected("SNS", "Publish", detail)
        # SNS refuses an attribute with an empty value, and with it the whole message.
        attributes = {name: value for name, value in sorted(alert.attributes.items()) if value}
        spent = sum(len(f"{name}String{value}".encode()) for name, value in attributes.items())
        self._aws.call(
            "sns",
            "Publish",
            TopicArn=self._topic_arn,
            Subject=subject,
            Message=cut(alert.body, MESSAGE_BYTES - spent),
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
            },
        )


def cut(body: str, byte_limit: int) -> str:
    """Return *body*, or as much of its beginning as leaves room for a note within *byte_limit* bytes of UTF-8."""
    whole = body.encode()
    if len(whole) <= byte_limit:
        return body
    kept = whole[: max(0, byte_limit - len(CUT_NOTE.encode()))]
    return kept.decode(errors="ignore") + CUT_NOTE
