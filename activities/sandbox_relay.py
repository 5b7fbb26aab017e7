"""Runs a command in a sandbox without network, beside a relay to the proxy outside of it.

Started in the sandbox as a file, by whatever interpreter is there: `PYTHON sandbox_relay.py PORT
SOCKET COMMAND…` listens on loopback, hands each connection to the socket, and ends with the
command, with its exit code, or 128 and the number of the signal that ended it.
"""

import contextlib
import os
import socket
import sys
import threading

_CHUNK = 1 << 16


def main() -> int:
    """Run the command to its end."""
    port, proxy, *command = sys.argv[1:]
    server = socket.create_server(("127.0.0.1", int(port)), backlog=128)
    child = os.fork()
    if child == 0:
        server.close()
        try:
            os.execvp(command[0], command)
        except OSError as error:
            print(f"{command[0]}: {error.strerror}", file=sys.stderr, flush=True)
            os._exit(127)
    threading.Thread(target=_accept, args=(server, proxy), daemon=True).start()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code if code >= 0 else 128 - code


def _accept(server: socket.socket, proxy: str) -> None:
    while True:
        inner, _ = server.accept()
        threading.Thread(target=_relay, args=(inner, proxy), daemon=True).start()


def _relay(inner: socket.socket, proxy: str) -> None:
    with inner, socket.socket(socket.AF_UNIX) as outer, contextlib.suppress(OSError):
        outer.connect(proxy)
        answers = threading.Thread(target=_pump, args=(outer, inner), daemon=True)
        answers.start()
        _pump(inner, outer)
        answers.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(_CHUNK):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    # Not `sys.exit`: threads may be in the middle of a connection that nobody needs any more.
    os._exit(main())
