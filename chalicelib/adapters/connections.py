"""What goes wrong with a connection, in words that name neither host nor path. Shared by the adapters over urllib3."""

from __future__ import annotations

import ssl


def failure_words(error: Exception) -> str:
    """What a urllib3 error means: its own text would repeat host and path."""
    from urllib3 import exceptions as http

    words: tuple[tuple[type[Exception], str], ...] = (
        (http.NameResolutionError, "the host's name is not known"),  # a kind of the next, and that of the one after
        (http.NewConnectionError, "connection refused or no route"),
        (http.ConnectTimeoutError, "no connection in time"),
        (http.ReadTimeoutError, "no answer in time"),
        (http.ProxyError, "the proxy did not connect"),
    )
    return next((text for kind, text in words if isinstance(error, kind)), "the connection was cut")


def tls_words(cause: object) -> str:
    """What the `ssl` module's error *cause* means, if it is one."""
    return f"TLS: {getattr(cause, 'verify_message', '') or type(cause).__name__}"


def is_untrusted(cause: object) -> bool:
    """A certificate that does not verify will not verify in a second either; a cut handshake may succeed."""
    return isinstance(cause, ssl.SSLCertVerificationError)
