"""A line between client and server that breaks, or falls silent as that of a machine whose lid was closed."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from types import TracebackType


class BadLine:
    """Passes bytes both ways between whoever connects and `port`.

    `cut()` breaks all connections; between `freeze()` and `thaw()` nothing passes, and nobody is told.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._peers: dict[socket.socket, socket.socket] = {}
        self._open = threading.Event()
        self._open.set()
        self._lock = threading.Lock()
        self._over = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> BadLine:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over = True
        self._open.set()
        self._thread.join(5)
        self.cut()
        self._selector.close()
        self._listener.close()

    def cut(self) -> None:
        with self._lock:
            for end in list(self._peers):
                self._drop(end)

    def freeze(self) -> None:
        self._open.clear()

    def thaw(self) -> None:
        self._open.set()

    def _run(self) -> None:
        while not self._over:
            ready = self._selector.select(0.05)
            self._open.wait()
            with self._lock:
                for key, _ in ready:
                    assert isinstance(key.fileobj, socket.socket)
                    self._serve(key.fileobj)

    def _serve(self, end: socket.socket) -> None:
        if end is self._listener:
            self._accept()
        elif end in self._peers:  # not cut since it was found ready
            try:
                data = end.recv(65536)
                self._peers[end].sendall(data)
            except OSError:
                data = b""
            if not data:
                self._drop(end)

    def _accept(self) -> None:
        near, _ = self._listener.accept()
        far = socket.create_connection(("127.0.0.1", self._port))
        self._peers.update({near: far, far: near})
        self._selector.register(near, selectors.EVENT_READ)
        self._selector.register(far, selectors.EVENT_READ)

    def _drop(self, end: socket.socket) -> None:
        for side in (end, self._peers.pop(end, None)):
            if side is not None:
                self._peers.pop(side, None)
                with contextlib.suppress(KeyError, ValueError):
                    self._selector.unregister(side)
                side.close()
