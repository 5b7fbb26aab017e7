"""The errors that people cause or meet, and the exit codes of the command line.

Exit codes are part of the interface; `docs/command-line.md` lists them.
"""

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_UNREACHABLE = 3
EXIT_NOT_APPROVED = 4
EXIT_INTERRUPTED = 130


class UsageError(Exception):
    """Wrong usage or configuration. The message is one clear line that names the way out."""

    exit_code = EXIT_USAGE


class UnreachableError(Exception):
    """Temporal or another service did not answer. The message is one line."""

    exit_code = EXIT_UNREACHABLE
