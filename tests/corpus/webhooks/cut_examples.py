"""Cut GitHub's official payloads: `python tests/corpus/webhooks/cut_examples.py PACKAGE`.

PACKAGE is the folder of the npm package @octokit/webhooks-examples (MIT), such as `npm pack` and
`tar` give it. Of every event and action one example is kept, without addresses that nothing reads.
"""

import json
import sys
from pathlib import Path
from typing import Any

_DROPPED = ("node_id", "gravatar_id", "site_admin", "url", "_links", "permissions", "events")


def _cut(value: Any) -> Any:
    if isinstance(value, list):
        return [_cut(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _cut(each)
        for key, each in value.items()
        if key not in _DROPPED and (not key.endswith("_url") or key == "clone_url")
    }


def main() -> None:
    """Write `github.jsonl` beside this file: event and payload, one a line."""
    package = Path(sys.argv[1])
    known = json.loads((package / "api.github.com" / "index.json").read_text("utf-8"))
    kept: dict[tuple[str, str, str], Any] = {}
    for event in known:
        for example in event["examples"]:
            pull = example.get("pull_request") or example.get("issue", {}).get("pull_request")
            ref = str(example.get("ref", "")).rpartition("/")[0]
            state = f"{example.get('deleted', '')} {ref} {bool(pull)}"
            kept.setdefault((event["name"], example.get("action", ""), state), example)
    lines = [
        json.dumps({"event": name, "payload": _cut(payload)}, separators=(",", ":"))
        for (name, _, _), payload in kept.items()
    ]
    Path(__file__).with_name("github.jsonl").write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main()
