"""A plain HTTP client, so that the simulator is not tested by the adapter that is tested by the simulator."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote_plus, urlencode, urlsplit

from sandbox.ocm import TOKEN_PATH

API = "/api/clusters_mgmt/v1"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)


class Client:
    """One kept-alive connection; logs in with the account that the sandbox has, or another, when first needed."""

    def __init__(self, url: str, account: tuple[str, str] = ("sandbox", "sandbox-secret")) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
        self.account = account
        self.token = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: Mapping[str, str] | None = None,
        *,
        chunked: bool = False,
    ) -> Answer:
        """Send a request under the API's path, or to a path from the root."""
        headers = {"Authorization": f"Bearer {self.token or self.log_in()}", "Accept": "application/json"}
        content = None if body is None else json.dumps(body, indent=2).encode()
        if content is not None:
            headers["Content-Type"] = "application/json"
        pieces: Any = _pieces(content) if chunked and content is not None else content
        path = path if path.startswith("/") else f"{API}/{path}"
        return self.send(
            method, path + (f"?{urlencode(query, quote_via=quote_plus)}" if query else ""), pieces, headers
        )

    def log_in(self) -> str:
        answer = self.ask_token({"grant_type": "client_credentials", "scope": "openid"}, self.account)
        assert answer.status == 200, answer
        self.token = answer.json["access_token"]
        return self.token

    def ask_token(self, form: Mapping[str, str], basic: tuple[str, str] | None = None) -> Answer:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if basic is not None:
            headers["Authorization"] = f"Basic {base64.b64encode(':'.join(basic).encode()).decode()}"
        return self.send("POST", TOKEN_PATH, urlencode(form).encode(), headers)

    def send(self, method: str, target: str, body: Any, headers: Mapping[str, str]) -> Answer:
        """Send anything. Raises ConnectionError where the server hangs up."""
        try:
            self._connection.request(method, target, body, dict(headers))
            response = self._connection.getresponse()
            return Answer(response.status, dict(response.headers), response.read())
        except http.client.HTTPException as error:
            self._connection.close()
            raise ConnectionError(str(error)) from error
        except ConnectionError:
            self._connection.close()
            raise


def _pieces(content: bytes) -> Iterable[bytes]:
    yield content[: len(content) // 2]
    yield content[len(content) // 2 :]
