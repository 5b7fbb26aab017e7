import re
from pathlib import Path
from typing import Any

import yaml

from regreen.roles import ROLES

DOCKER = Path(__file__).parents[2] / "docker"
COMPOSE: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]

SECRETS = {
    "OPENAI_API_KEY": "healer",
    "GITHUB_TOKEN": "publisher",
    "SLACK_WEBHOOK": "publisher",
    "DISCORD_WEBHOOK": "publisher",
    "REGREEN_NOTIFY": "publisher",
    "WEBHOOK_SECRETS": "gateway",
}


def test_each_role_is_a_service_with_an_image_and_a_user_of_its_own() -> None:
    dockerfile = (DOCKER / "Dockerfile").read_text(encoding="utf-8")
    users = re.findall(r"^USER (\d+):\d+$", dockerfile, re.MULTILINE)
    assert len(set(users)) == len(ROLES) + len(["gateway"])
    assert "0" not in users
    for role in ROLES:
        assert SERVICES[role]["build"]["target"] == role
        assert f"FROM worker AS {role}\n" in dockerfile
        assert f'CMD ["{role}"]' in dockerfile


def test_each_secret_is_given_to_one_role() -> None:
    for secret, owner in SECRETS.items():
        holders = [name for name, service in SERVICES.items() if secret in str(service)]
        assert holders == [owner]


def test_no_two_services_share_a_volume_but_the_artifacts() -> None:
    mounts = [str(mount) for service in SERVICES.values() for mount in service.get("volumes", [])]
    volumes = [mount.split(":")[0] for mount in mounts if not mount.startswith(".")]
    assert {name for name in volumes if volumes.count(name) > 1} == {"artifacts"}
    signing = [name for name, service in SERVICES.items() if "publisher:" in str(service)]
    assert signing == ["publisher"]


def test_nothing_is_published_beyond_this_machine() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_only_temporal_reaches_the_database_and_no_role_shares_a_way_out() -> None:
    reach = {name: set(service["networks"]) for name, service in SERVICES.items()}
    assert {name for name, networks in reach.items() if "database" in networks} == {
        "postgres",
        "schema",
        "temporal",
    }
    outside = {name for name, network in COMPOSE["networks"].items() if not network.get("internal")}
    assert reach["orchestrator"] & outside == set()
    for network in outside:
        assert len([name for name, networks in reach.items() if network in networks]) == 1
