"""Allowed hosts: the names in a Host header that this service answers to."""

import re
import socket
from ipaddress import ip_address

from service.api.security import is_loopback

HOST = re.compile(r"(?:\[(?P<v6>[0-9a-f:.]+)\]|(?P<name>[^\s:/@\[\]]+))(?::[0-9]{0,5})?")
LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
ANY_ADDRESS = ("", "0.0.0.0", "::")  # noqa: S104 (compared, not bound)


class AllowedHosts:
    """The names that this service answers to."""

    def __init__(self, bound: str, further: str) -> None:
        """Allow the names of this machine, the address that the server is bound to, and `further`, separated by commas."""
        names = [*LOCAL_NAMES, bound, socket.gethostname(), *further.split(",")]
        self._names = frozenset(name.strip().lower().strip("[]") for name in names if name.strip())
        self._suffixes = tuple(name[1:] for name in self._names if name.startswith("*."))
        self._is_any = "*" in self._names
        self._bound = bound

    def __contains__(self, host: str) -> bool:
        """Return whether a Host header without its port is one of the names.

        A literal address cannot be rebound, so a server that is bound to all addresses answers to any.
        """
        if self._is_any or host in self._names or host.endswith(self._suffixes):
            return True
        return is_loopback(host) if self._bound not in ANY_ADDRESS else _is_address(host)


def without_port(host: str) -> str:
    """Return the name in a Host header, in lower case: `localhost` of `LOCALHOST:8000`, `::1` of `[::1]:8000`; "" if it has none."""
    found = HOST.fullmatch(host.strip().lower())
    return (found["v6"] or found["name"]).removesuffix(".") if found else ""


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
