"""A path to a server on loopback that can be cut and mended, as a pulled cable would be."""

import contextlib
import selectors
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.free_ports import free_ports


@dataclass
class Network:
    """Passes connections on until it is cut; new ones are refused until it is mended."""

    target: tuple[str, int]
    port: int
    _listener: socket.socket | None = None
    _pairs: set[socket.socket] = field(default_factory=set)

    @property
    def address(self) -> str:
        """HOST:PORT to connect to."""
        return f"127.0.0.1:{self.port}"

    def mend(self) -> None:
        """Listen, at first and again after a cut, on the same port."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen()
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def cut(self) -> None:
        """Drop every connection and refuse new ones."""
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        for end in list(self._pairs):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
                far = socket.create_connection(self.target)
            except OSError:
                return
            threading.Thread(target=self._pass_on, args=(near, far), daemon=True).start()

    def _pass_on(self, near: socket.socket, far: socket.socket) -> None:
        other = {near: far, far: near}
        self._pairs |= set(other)
        with near, far, selectors.DefaultSelector() as selector:
            for end in other:
                selector.register(end, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    end = key.fileobj
                    assert isinstance(end, socket.socket)
                    try:
                        data = end.recv(1 << 16)
                        if data:
                            other[end].sendall(data)
                            continue
                    except OSError:
                        pass
                    self._pairs -= set(other)
                    return


@contextlib.contextmanager
def network_to(address: str) -> Iterator[Network]:
    """A network to HOST:PORT that is up."""
    host, _, port = address.rpartition(":")
    (own,) = free_ports(1)
    network = Network((host, int(port)), own)
    network.mend()
    try:
        yield network
    finally:
        network.cut()
