"""Stands in for DNS: hosts that end in `.test` are this machine. Import it before anything that connects."""

import functools
import os
import socket

import pyqwest

LOOPBACK = "127.0.0.1"
# The transport of the SDK wants the names themselves.
HOSTS = os.environ.get("TASKGATE_TEST_HOSTS", "").split()


def _lookup(ask):
    @functools.wraps(ask)
    def lookup(host, *arguments, **options):
        text = host.decode() if isinstance(host, bytes) else host
        return ask(LOOPBACK if text and text.endswith(".test") else host, *arguments, **options)

    return lookup


socket.getaddrinfo = _lookup(socket.getaddrinfo)
for transport in ("HTTPTransport", "SyncHTTPTransport"):
    override = functools.partial(getattr(pyqwest, transport), dns_overrides={host: [LOOPBACK] for host in HOSTS})
    setattr(pyqwest, transport, override)
