"""Which setting to look at when Temporal takes no connection, or refuses a call."""

from typing import Final

from temporalio.service import RPCError, RPCStatusCode

_NO_CONNECTION: Final = (
    ("Unauthenticated", "TEMPORAL_API_KEY: Temporal does not know the key, or it has expired"),
    ("PermissionDenied", "TEMPORAL_API_KEY: has no right to the namespace TEMPORAL_NAMESPACE"),
    (
        "UnknownIssuer",
        "TEMPORAL_TLS_SERVER_CA_CERT_PATH: is not the authority that signed the server's certificate",
    ),
    ("NotValidForName", "TEMPORAL_TLS_SERVER_NAME: the server's certificate is for another name"),
    ("InvalidContentType", "TEMPORAL_TLS: is on, and the server has no TLS"),
    (
        "transport error",
        "TEMPORAL_TLS_CLIENT_CERT_PATH: the server ends the connection; it may want TLS or another client certificate",
    ),
)
"""Words in the SDK's text of a failed connection, each with the setting that is wrong. The SDK gives no codes."""


def of_connection(text: str) -> str | None:
    """The setting to look at after a failed connection, given the SDK's text; None if it is not known which."""
    hint = next((hint for sign, hint in _NO_CONNECTION if sign in text), None)
    return None if hint is None else f"{hint} ({text})"


def of_call(error: RPCError, namespace: str = "") -> str | None:
    """The setting to look at after a refused call; None if the failure says nothing about settings."""
    match error.status:
        case RPCStatusCode.UNAUTHENTICATED:
            return f"TEMPORAL_API_KEY: Temporal does not know the key, or it has expired ({error})"
        case RPCStatusCode.PERMISSION_DENIED:
            which = f" {namespace!r}" if namespace else ""
            return (
                f"TEMPORAL_NAMESPACE: access to the namespace{which} is refused; TEMPORAL_API_KEY or the client"
                f" certificate may be for another one ({error})"
            )
        case _:
            return None
