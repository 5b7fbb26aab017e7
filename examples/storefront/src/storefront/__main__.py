"""`python -m storefront`: open the shop."""

import argparse
import signal
import sqlite3
import sys
from pathlib import Path
from types import FrameType

from storefront.database import Database
from storefront.server import StoreServer


def main() -> None:
    """Serve until SIGINT or SIGTERM. Exit codes: 0 stopped, 2 wrong usage."""
    parser = argparse.ArgumentParser(prog="storefront", description=__doc__)
    parser.add_argument("--port", type=int, default=8123, help="0 takes any free port")
    parser.add_argument("--database", type=Path, default=Path("storefront.sqlite3"))
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, _stop)
    try:
        database = Database(arguments.database)
    except sqlite3.Error as error:
        parser.error(f"cannot open the database {arguments.database}: {error}")
    try:
        server = StoreServer(arguments.port, database)
    except (OSError, OverflowError) as error:
        parser.error(f"cannot listen on port {arguments.port}: {error}")
    with server:
        print(f"storefront listens on {server.url}", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            sys.exit(0)
        finally:
            database.close()


def _stop(signal_number: int, frame: FrameType | None) -> None:
    sys.exit(0)


if __name__ == "__main__":
    main()
