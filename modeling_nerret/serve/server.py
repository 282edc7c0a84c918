"""The server process: its socket, its threads, and how it ends."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import anyio.to_thread
import uvicorn

THREADS = 16  # requests that are answered at a time; the others wait
PATIENCE = 30  # seconds for requests in progress, when the server ends


class Server(uvicorn.Server):
    """A server that ends on SIGTERM, Ctrl-C and SIGHUP after the requests in progress, and as if nothing had happened.

    uvicorn's own raises the signal again.
    """

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End on these signals while the server runs."""
        names = [name for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)]
        is_main = threading.current_thread() is threading.main_thread()
        numbers = [getattr(signal, name) for name in names] if is_main else []
        handlers = {number: signal.signal(number, self.handle_exit) for number in numbers}
        try:
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
        await super().startup(sockets)


def open_socket(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        OSError: the port is taken, or the host is not this computer's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        raise OSError(
            f"cannot listen on {host}, port {port} ({error.strerror or error}); choose another --port or --host"
        ) from None


def run(app: Any, listener: socket.socket, tell: Callable[[str], None]) -> None:
    """Answer until a signal comes.

    Args:
        app: the ASGI application.
        listener: the socket.
        tell: is told the address.
    """
    host, port = listener.getsockname()[:2]
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=PATIENCE,
        ws="none",
    )
    tell(address)
    Server(config).run(sockets=[listener])
