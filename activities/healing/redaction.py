"""Taking secrets out of text before it leaves the machine or reaches a log."""

import re

REDACTED = "[redacted]"

_WHOLE = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}"
    r"|\bglpat-[A-Za-z0-9_-]{16,}"
    r"|\bxox[abeprs]-[A-Za-z0-9-]{10,}"
    r"|\b[sr]k[-_][A-Za-z0-9_-]{16,}"
    r"|\bAIza[0-9A-Za-z_-]{30,}"
    r"|\bpypi-[A-Za-z0-9_-]{16,}|\bnpm_[A-Za-z0-9]{30,}|\bhf_[A-Za-z0-9]{30,}"
    r"|\beyJ[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
    re.DOTALL,
)
_NAME = (
    r"(?:api[_-]?key|access[_-]?key|private[_-]?key|secret|token|credentials?"
    r"|passw(?:or)?d|passphrase)"
)
# Each keeps what stands before the secret. An unquoted value counts only in the way that
# environment files write it: elsewhere it is a name in a program. What stands before has limits, so
# that no text takes long.
_AFTER = (
    re.compile(r"(\b(?:Bearer|Basic|Token)\s+)[A-Za-z0-9+/_.=~-]{12,}", re.IGNORECASE),
    re.compile(r"(\b[a-z][a-z0-9+.-]{0,20}://[^\s/:@]{0,200}:)[^\s/@]+(?=@)", re.IGNORECASE),
    re.compile(
        rf"(\b\w{{0,60}}{_NAME}\w{{0,60}}[\"']?\s*[:=]\s*[\"'])[^\"'\s]{{8,}}(?=[\"'])",
        re.IGNORECASE,
    ),
    re.compile(
        rf"(^[+\- ]?(?:export\s+)?[A-Z0-9_]{{0,60}}{_NAME.upper()}[A-Z0-9_]{{0,60}}=)[^\s\"']+",
        re.MULTILINE,
    ),
)


def redact(text: str) -> str:
    """The text with everything that looks like a key, token, password or private key replaced."""
    text = _WHOLE.sub(REDACTED, text)
    for pattern in _AFTER:
        text = pattern.sub(rf"\g<1>{REDACTED}", text)
    return text
