"""EC2's XML, as far as the tests need to say it themselves."""

from __future__ import annotations

from typing import Any

from tests.adapters.wire import Reply


def xml(name: str, body: Any) -> str:
    """*body* as the element *name*: mappings nest, lists become `item` elements, as EC2 writes them."""
    if isinstance(body, dict):
        inside = "".join(xml(key, value) for key, value in body.items())
    elif isinstance(body, list):
        inside = "".join(xml("item", value) for value in body)
    else:
        inside = str(body)
    return f"<{name}>{inside}</{name}>"


def ec2_answer(operation: str, **body: Any) -> Reply:
    return Reply(200, xml(f"{operation}Response", {"requestId": "r-1", **body}), {"Content-Type": "text/xml"})


def ec2_error(status: int, code: str, message: str = "") -> Reply:
    errors = xml("Errors", {"Error": {"Code": code, "Message": message}})
    return Reply(status, f"<Response>{errors}<RequestID>r-1</RequestID></Response>", {"Content-Type": "text/xml"})


def query_error(status: int, code: str, message: str = "") -> Reply:
    """An error of the services that speak the plain query protocol, such as SNS and STS."""
    body = xml("ErrorResponse", {"Error": {"Type": "Sender", "Code": code, "Message": message}, "RequestId": "r-1"})
    return Reply(status, body, {"Content-Type": "text/xml"})


def tag_set(**tags: str) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]
