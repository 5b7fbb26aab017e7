"""How cosign is told which services to ask when it signs: none but a certificate authority.

Log and time-stamp authority are not cosign's to ask: what they say is kept, and they are asked once
(`activities/signature_services.py`).
"""

import json
from pathlib import Path
from typing import Any

from activities.certificate_authority import CertificateAuthority
from activities.trusted_root import ALWAYS, trusted_root

_SIGNING_CONFIG = {
    "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
    "rekorTlogConfig": {},
    "tsaConfig": {},
}


def service_options(
    folder: Path, authority: CertificateAuthority | None, *, configured: bool
) -> list[str]:
    """Options for cosign's commands that sign.

    `configured` is whether cosign takes a signing configuration, as 3.x does; it is written to
    `folder`, which is private. 2.x is given options, and writes the bundles that 3.x writes.
    """
    if configured:
        config: dict[str, Any] = dict(_SIGNING_CONFIG)
        if authority is not None:
            config["caUrls"] = [
                {
                    "url": authority.url,
                    "majorApiVersion": 1,
                    # Of several operators one would be chosen; there is one.
                    "operator": authority.url,
                    "validFor": ALWAYS,
                }
            ]
        config_file, root_file = folder / "signing-config.json", folder / "signing-root.json"
        config_file.write_text(json.dumps(config))
        root_file.write_text(json.dumps(trusted_root(None, None, authority)))
        return ["--signing-config", str(config_file), "--trusted-root", str(root_file)]
    options = ["--tlog-upload=false", "--new-bundle-format"]
    if authority is not None:
        options += ["--fulcio-url", authority.url]
        if authority.log_key is None:
            options.append("--insecure-skip-verify=true")
    return options
