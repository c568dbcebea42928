"""Listening: the sockets that a server or its workers accept connections from."""

import socket
import sys

import click

from service.processes.link import BACKLOG

SPREADS = sys.platform == "linux"
"""Whether the kernel spreads new connections over the sockets that share a port; otherwise the workers share one socket."""


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; raises ClickException."""
    try:
        return socket.create_server((host, port), family=_family(host), backlog=BACKLOG)
    except OSError as error:
        raise _refused(host, port, error) from error


def reserve(host: str, port: int) -> socket.socket:
    """Return a socket that keeps a port for the workers' own sockets, and receives no connection; raises ClickException."""
    with listen(host, port) as probe:  # a socket that shares its port does not fail if the port is taken
        if not SPREADS:
            return probe.dup()
        port = probe.getsockname()[1]
    try:
        return _bind(host, port)
    except OSError as error:
        raise _refused(host, port, error) from error


def bind_worker(reserved: socket.socket, host: str) -> socket.socket:
    """Return the socket of a worker; it receives no connection before the worker listens, nor after it has ended."""
    return _bind(host, reserved.getsockname()[1]) if SPREADS else reserved.dup()


def announce(host: str, bound: socket.socket) -> None:
    """Print the URL of a socket."""
    address = f"http://{f'[{host}]' if ':' in host else host}:{bound.getsockname()[1]}"
    click.echo(f"Almanac listens on {address} (open it in a browser; API: {address}/docs)", err=True)


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _bind(host: str, port: int) -> socket.socket:
    made = socket.socket(_family(host), socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if made.family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    try:
        made.bind((host, port))
    except OSError:
        made.close()
        raise
    return made


def _refused(host: str, port: int, error: OSError) -> click.ClickException:
    return click.ClickException(f"Cannot listen on {host}:{port}: {error.strerror}. Choose another --port.")
