"""The variables of its environment that a process hands to what it starts; no secret is one."""

INDEX_VARIABLES = (
    "PIP_EXTRA_INDEX_URL",
    "PIP_INDEX_URL",
    "UV_DEFAULT_INDEX",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_INDEX",
    "UV_INDEX_URL",
)
"""Which package index to use."""

# Which index to use and how to reach it is not a secret of Regreen, and a build that may use the
# network cannot work without it.
NETWORK_VARIABLES = (
    *INDEX_VARIABLES,
    "ALL_PROXY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "UV_NATIVE_TLS",
    "UV_SYSTEM_CERTS",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
)
