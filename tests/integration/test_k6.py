"""The load stage with real k6 against real services."""

import asyncio
import gzip
import json
import re
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest
from temporalio.testing import ActivityEnvironment

from activities.artifact_store import get_bytes, put_bytes
from activities.k6 import SUMMARY_FILE, run_load_test
from activities.load_baseline import AcceptedLoad, accept_load
from regreen.pipeline_file import LoadSection, Pipeline, ServiceSection
from tests.integration.gate_repository import Files, Gate, stage_request, weighed

SERVICE = """\
import os, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

port, behaviour = int(sys.argv[1]), sys.argv[2]
print(f"behaviour {behaviour}")
if behaviour == "noisy":
    for _ in range(300):
        sys.stdout.write("x" * 999_999 + "\\n")
    print("the last word", flush=True)
if behaviour == "crash":
    sys.exit("no database at /data")


class Handler(BaseHTTPRequestHandler):
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self):
        if behaviour == "die" and self.path == "/":
            print("out of stock", flush=True)
            os._exit(7)
        self.send_response(503 if behaviour == "unready" else 200)
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""

SCRIPT = """\
import http from 'k6/http';
export const options = OPTIONS;
export default function () { http.get(__ENV.BASE_URL + '/'); }
"""


@pytest.fixture(scope="module", autouse=True)
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    # One state for all, since the environment of the services is made once in it.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REGREEN_STATE", str(tmp_path_factory.mktemp("state")))
        yield


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def script(options: dict[str, Any]) -> str:
    return SCRIPT.replace("OPTIONS", json.dumps(options))


async def load(
    folder: Path,
    source: str,
    *,
    behaviour: str | None = "serve",
    command: tuple[str, ...] = (),
    timeout: float = 60.0,
    more: Files | None = None,
    section: Mapping[str, Any] | None = None,
) -> Gate:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    service = None
    if behaviour is not None:
        started = command or ("python", "service.py", str(port), behaviour)
        patience = 1.0 if behaviour == "unready" else 20.0
        service = ServiceSection(command=started, ready=f"{url}/health", timeout=patience)
    known = {"script": "load/x.js", "environment": {"BASE_URL": url}, "timeout": timeout}
    load = LoadSection.model_validate({**known, **(section or {}), "service": service})
    files: Files = {"service.py": SERVICE, "load/x.js": source, **(more or {})}
    request = await stage_request(folder / "repository", "load", Pipeline(load=load), [files])
    return await weighed(request, await run_load_test(request))


async def stored(verdict: Gate, name: str) -> str:
    (reference,) = [item for item in verdict.artifacts if item.name == name]
    return (await get_bytes(reference)).decode()


async def test_a_service_that_keeps_its_thresholds_passes_with_figures(tmp_path: Path) -> None:
    options = {
        "iterations": 20,
        "thresholds": {"http_req_duration": ["p(95)<5000"], "http_req_failed": ["rate<0.01"]},
    }
    verdict = await load(tmp_path, script(options))
    assert verdict.state == "passed", verdict.summary
    expected = (
        r"k6: nothing found; examined 20 requests, p\(95\) [\d.]+ ms, 0\.00 % failed, "
        r"2 of 2 thresholds kept"
    )
    assert re.fullmatch(expected, verdict.summary), verdict.summary
    summary = json.loads(await stored(verdict, "k6-summary.json"))
    assert summary["metrics"]["http_reqs"]["values"]["count"] == 20
    assert "behaviour serve" in await stored(verdict, "service.log")
    assert [item.name for item in verdict.artifacts][1] == "k6-output.txt"


async def test_a_crossed_threshold_is_named_with_the_value_measured(tmp_path: Path) -> None:
    options = {
        "iterations": 5,
        "thresholds": {
            "http_req_duration": ["p(99.5)<0.0001"],
            "http_reqs": ["count>1000"],
            "http_req_failed": ["rate<0.01"],
        },
    }
    verdict = await load(tmp_path, script(options))
    assert verdict.state == "failed"
    assert "2 findings of high or above" in verdict.summary
    assert "1 of 3 thresholds kept" in verdict.summary
    duration, count = sorted(verdict.scan.findings, key=lambda finding: finding.subject)
    assert (duration.rule, duration.path) == ("crossed-threshold", "load/x.js")
    assert duration.subject == "http_req_duration:p(99.5)<0.0001"
    assert re.fullmatch(r"http_req_duration p\(99\.5\)<0\.0001 \(was [\d.]+ ms\)", duration.message)
    assert count.message == "http_reqs count>1000 (was 5)"


async def test_of_a_long_log_both_ends_are_kept(tmp_path: Path) -> None:
    gate = await load(tmp_path, script({"iterations": 3}), behaviour="noisy")
    assert gate.state == "passed", gate.summary
    log = await stored(gate, "service.log")
    assert len(log) < 9 << 20
    assert log.startswith("behaviour noisy\n")
    assert "bytes left out ...]" in log
    assert log.endswith("the last word\n")


async def test_thresholds_of_the_pipeline_file_hold_beside_the_scripts(tmp_path: Path) -> None:
    options = {"iterations": 4, "thresholds": {"http_reqs": ["count>1"]}}
    wanted = {"p95": "10s", "error_rate": 0.01, "checks": 0.5, "throughput": 100_000}
    source = script(options).replace("'/'); }", "'/'); check(1, { one: (x) => x === 2 }); }")
    source = source.replace("import http", "import { check } from 'k6';\nimport http")

    gate = await load(tmp_path, source, section={"thresholds": wanted})

    assert gate.state == "failed"
    assert {finding.subject for finding in gate.scan.findings} == {
        "checks:rate>=0.5",
        "http_reqs:rate>=100000",
    }
    assert "3 of 5 thresholds kept" in gate.summary


async def test_stages_of_the_pipeline_file_stand_for_the_scripts_iterations(tmp_path: Path) -> None:
    stages = [{"duration": "600ms", "target": 2}, {"duration": "400ms", "target": 0}]

    gate = await load(tmp_path, script({"iterations": 1}), section={"stages": stages})

    assert gate.state == "passed", gate.summary
    assert gate.scan.examined > 1


async def test_samples_and_a_page_that_needs_nothing_else_are_kept(tmp_path: Path) -> None:
    options = {"iterations": 3, "thresholds": {"http_req_duration": ["p(95)<5000"]}}
    gate = await load(tmp_path, script(options))

    page = await stored(gate, "load-report.html")
    assert "http_req_duration p(95)&lt;5000" in page
    assert "<td class='kept'>kept" in page
    assert not re.search(r"(src|href)=", page)
    (samples,) = [item for item in gate.artifacts if item.name == "k6-samples.json.gz"]
    lines = gzip.decompress(await get_bytes(samples)).splitlines()
    points = [json.loads(line) for line in lines]
    counted = [p for p in points if p["type"] == "Point" and p["metric"] == "http_reqs"]
    assert len(counted) == 3


@pytest.mark.parametrize(("policy", "state"), [("report", "passed"), ("fail", "failed")])
async def test_worse_than_the_accepted_runs_is_named_under_every_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, policy: str, state: str
) -> None:
    monkeypatch.setenv("REGREEN_STATE", str(tmp_path / "state"))
    options = {"iterations": 3, "thresholds": {"http_req_duration": ["p(95)<5000"]}}
    quick = {"p(95)": 0.01}
    for number in range(3):
        summary = {
            "metrics": {
                "http_req_duration": {"values": quick},
                "http_reqs": {"values": {"rate": 10_000_000.0 + number}},
            }
        }
        reference = await put_bytes(SUMMARY_FILE, json.dumps(summary).encode(), "application/json")
        accepted = AcceptedLoad(
            repository="local/gates", ref="refs/heads/main", commit=f"{number}", summary=reference
        )
        for _ in range(2):
            await ActivityEnvironment().run(accept_load, accepted)

    gate = await load(tmp_path, script(options), section={"regression": policy})

    assert gate.state == state, gate.summary
    assert "requests a second, accepted 10000001.0: 0%, more than the noise of 30%" in gate.summary
    assert "load-regression" in {finding.rule for finding in gate.scan.findings}
    assert "Regression: " in await stored(gate, "load-report.html")


async def test_the_accepted_runs_of_another_ref_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGREEN_STATE", str(tmp_path / "state"))
    summary = {
        "metrics": {
            "http_req_duration": {"values": {"p(95)": 0.01}},
            "http_reqs": {"values": {"rate": 1e7}},
        }
    }
    reference = await put_bytes(SUMMARY_FILE, json.dumps(summary).encode(), "application/json")
    accepted = AcceptedLoad(
        repository="local/gates", ref="refs/heads/other", commit="1", summary=reference
    )
    await ActivityEnvironment().run(accept_load, accepted)

    gate = await load(tmp_path, script({"iterations": 2}))

    assert gate.scan.findings == ()


async def test_a_script_keeps_its_own_summary_and_its_files(tmp_path: Path) -> None:
    source = """\
    import http from 'k6/http';
    const paths = JSON.parse(open('./paths.json'));
    export const options = { scenarios: { visit: {
      executor: 'shared-iterations', vus: 2, iterations: 4, exec: 'visit' } } };
    export function visit() { http.get(__ENV.BASE_URL + paths[0]); }
    export function handleSummary() { return { stdout: 'my own summary' }; }
    """
    verdict = await load(tmp_path, source, more={"load/paths.json": '["/a"]'})
    assert verdict.state == "passed", verdict.summary
    assert "examined 4 requests" in verdict.summary
    assert verdict.summary.endswith("0.00 % failed, no thresholds")
    assert "my own summary" in await stored(verdict, "k6-output.txt")


async def test_a_summary_function_that_raises_hides_nothing(tmp_path: Path) -> None:
    source = script({"iterations": 2, "thresholds": {"http_reqs": ["count>9"]}})
    source += "export function handleSummary() { throw new Error('hidden'); }\n"
    verdict = await load(tmp_path, source)
    assert verdict.state == "failed"
    assert "http_reqs count>9 (was 2)" in verdict.summary


async def test_a_syntax_error_is_named_with_its_line(tmp_path: Path) -> None:
    broken = "import http from 'k6/http';\nexport default function () {\n  http.get(;\n}\n"
    verdict = await load(tmp_path, broken, behaviour=None)
    assert verdict.state == "failed"
    assert "exit code 107" in verdict.summary
    assert "load/x.js: Line 3:12 Unexpected token" in verdict.summary


async def test_a_dead_target_fails_without_any_threshold(tmp_path: Path) -> None:
    verdict = await load(tmp_path, script({"iterations": 3}), behaviour=None)
    assert verdict.state == "failed"
    assert "all 3 requests failed" in verdict.summary
    assert "connection refused" in verdict.summary
    assert "no load.service is set" in verdict.summary


async def test_a_script_that_requests_nothing_fails(tmp_path: Path) -> None:
    verdict = await load(tmp_path, "export default function () {}\n", behaviour=None)
    assert (verdict.state, verdict.summary) == ("failed", "k6: 0 requests; examined 0 requests")


async def test_a_script_that_raises_in_every_iteration_fails(tmp_path: Path) -> None:
    source = script({"iterations": 2}).replace("'/'); }", "'/'); throw new Error('boom'); }")
    verdict = await load(tmp_path, source)
    assert verdict.state == "failed"
    assert "every iteration raised an error: Error: boom" in verdict.summary
    assert "load/x.js:3" in verdict.summary


async def test_a_service_that_ends_at_once_shows_its_last_words(tmp_path: Path) -> None:
    verdict = await load(tmp_path, script({"iterations": 1}), behaviour="crash")
    assert verdict.state == "failed"
    assert "service ended with code 1 before it was ready" in verdict.summary
    assert "no database at /data" in verdict.summary
    assert [item.name for item in verdict.artifacts] == ["k6-output.txt", "service.log"]


async def test_a_service_that_never_becomes_ready_fails(tmp_path: Path) -> None:
    verdict = await load(tmp_path, script({"iterations": 1}), behaviour="unready")
    assert verdict.state == "failed"
    assert "service did not become ready within 1 s: behaviour unready" in verdict.summary


async def test_a_service_command_that_does_not_exist_is_named(tmp_path: Path) -> None:
    verdict = await load(tmp_path, script({"iterations": 1}), command=("serve-shop", "now"))
    assert verdict.state == "failed"
    assert verdict.summary == (
        "k6: service not started: `serve-shop` not found; examined 0 requests"
    )


async def test_a_service_that_dies_under_load_fails_though_no_threshold_is_set(
    tmp_path: Path,
) -> None:
    source = """\
    import http from 'k6/http';
    export const options = { iterations: 1 };
    export default function () {
      for (let i = 0; i < 5; i++) http.get(__ENV.BASE_URL + '/health');
      http.get(__ENV.BASE_URL + '/');
    }
    """
    verdict = await load(tmp_path, source, behaviour="die")
    assert verdict.state == "failed"
    assert "service ended with code 7 during the test" in verdict.summary
    assert "out of stock" in verdict.summary
    assert "examined 6 requests" in verdict.summary
    assert "16.67 % failed" in verdict.summary


async def test_a_test_past_its_timeout_is_stopped_and_still_gives_figures(tmp_path: Path) -> None:
    source = script({"duration": "10m"}).replace(
        "import http", "import { sleep } from 'k6';\nimport http"
    )
    source = source.replace("'/'); }", "'/'); sleep(0.1); }")
    verdict = await load(tmp_path, source, timeout=2.0)
    assert verdict.state == "failed"
    assert "stopped, since it did not end within 2 s" in verdict.summary
    assert re.search(r"examined [1-9]\d* requests, .*0\.00 % failed", verdict.summary)


async def test_without_a_load_section_the_stage_is_skipped(tmp_path: Path) -> None:
    request = await stage_request(tmp_path / "repository", "load", Pipeline(), [{"a": "a"}])
    verdict = await weighed(request, await run_load_test(request))
    assert (verdict.state, verdict.summary) == ("skipped", "no load test configured")


@pytest.mark.parametrize("name", ["load/x.js", "../outside.js", "/etc/hosts", "load/link.js"])
async def test_a_script_that_is_not_in_the_commit_fails(tmp_path: Path, name: str) -> None:
    pipeline = Pipeline(load=LoadSection(script=name))
    outside = tmp_path / "outside.js"
    outside.write_text("export default function () {}")
    files: Files = {"load/y.js": "", "load/link.js": outside}
    request = await stage_request(tmp_path / "repository", "load", pipeline, [files])
    verdict = await weighed(request, await run_load_test(request))
    assert verdict.state == "failed"
    assert verdict.summary == f"k6: {name} not found at this commit; examined 0 requests"


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("echo garbage", "no readable summary"),
        ("echo garbage > $RESULTS/summary.json", "no readable summary"),
        ("echo '{}' > $RESULTS/summary.json", "no readable summary"),
        ("ln -s /etc/hostname $RESULTS/summary.json", "no readable summary"),
        ("echo panic: out of memory; exit 2", "exit code 2: panic: out of memory"),
        ("kill -SEGV $$", "exit code -11: no output"),
        ("exec sleep 60", "stopped, since it did not end within 1 s"),
    ],
)
async def test_a_program_that_misbehaves_in_the_place_of_k6_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behaviour: str, reason: str
) -> None:
    broken = tmp_path / "k6"
    results = 'for A in "$@"; do case "$A" in json=*) RESULTS=$(dirname "${A#json=}");; esac; done'
    broken.write_text(f"#!/bin/sh\n{results}\n{behaviour}\n")
    broken.chmod(0o755)
    monkeypatch.setattr("activities.k6.find", lambda _: broken)
    verdict = await load(tmp_path, script({}), behaviour=None, timeout=1.0)
    assert verdict.state == "failed"
    assert verdict.summary == f"k6: {reason}; examined 0 requests"


async def test_without_k6_the_stage_is_skipped_and_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.k6.find", lambda _: None)
    verdict = await load(tmp_path, script({"iterations": 1}))
    assert verdict.state == "skipped"
    assert verdict.scan.missing_tool == "k6"
    assert verdict.summary == "skipped: k6 not found, `regreen tools install`"


async def test_the_load_test_heartbeats(tmp_path: Path) -> None:
    beats: list[Any] = []
    environment = ActivityEnvironment()
    environment.on_heartbeat = lambda *details: beats.extend(details)
    section = LoadSection(script="load/x.js", environment={"BASE_URL": "http://127.0.0.1:9"})
    files: Files = {"load/x.js": script({"iterations": 1})}
    pipeline = Pipeline(load=section)
    request = await stage_request(tmp_path / "repository", "load", pipeline, [files])
    await environment.run(run_load_test, request)
    assert "k6 load" in {beat["subject"] for beat in beats}


async def test_cancelling_ends_k6_and_the_service(tmp_path: Path) -> None:
    def programs() -> set[str]:
        found = psutil.Process().children(recursive=True)
        words = {word for process in found for word in _arguments(process)}
        return words & {"--quiet", "service.py"}

    source = script({"duration": "10m"}).replace("'/'); }", "'/slow'); }")
    running = asyncio.create_task(load(tmp_path, source, timeout=600.0))
    # Nothing in this process knows when programs in the sandbox have started.
    while programs() != {"--quiet", "service.py"} and not running.done():
        await asyncio.sleep(0.05)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert programs() == set()


def _arguments(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
