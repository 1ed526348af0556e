"""What the gateway is deployed with: valid by the tools of its makers, and pinned by exact version."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from __tests__.deployment.compose import ROOT, services

BIN = Path(sys.executable).parent
EXACT = re.compile(r"^\d+\.\d+\.\d+(-[\w.-]+)?$")
# Since version 10 the second number of PostgreSQL's is the last (postgresql.org/support/versioning).
EXACT_POSTGRES = re.compile(r"^postgres:\d+\.\d+(-[\w.-]+)?$")


def succeeds(*command: str | Path) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_compose_file_follows_the_specification() -> None:
    """Guards against a key that compose would refuse, or silently ignore."""
    succeeds(BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml")


def test_workflows_follow_their_schema() -> None:
    """Guards against a workflow that is never run because it can't be read."""
    for workflow in sorted((ROOT / ".github" / "workflows").glob("*.yml")):
        succeeds(BIN / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", workflow)


def test_dockerfile_passes_its_linter() -> None:
    """Guards the habits that keep an image small, repeatable and unprivileged."""
    succeeds(BIN / "hadolint", "Dockerfile")


@pytest.mark.parametrize("service", sorted(services()))
def test_every_service_is_confined(service: str) -> None:
    """Guards the walls of each container: memory, health, a read-only root, no capabilities."""
    settings = services()[service]
    assert settings["read_only"] is True
    assert settings["cap_drop"] == ["ALL"]
    assert settings["security_opt"] == ["no-new-privileges:true"]
    assert settings["deploy"]["resources"]["limits"].keys() == {"memory", "pids"}
    assert "test" in str(settings["healthcheck"])


def test_images_and_actions_are_pinned() -> None:
    """Guards against a deployment that changes by itself."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    images = re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)
    images += [str(service["image"]) for service in services().values()]
    versions = [image.rpartition(":")[2] for image in images if not EXACT_POSTGRES.match(image)]
    for workflow in (ROOT / ".github" / "workflows").glob("*.yml"):
        versions += [
            used.rpartition("@")[2].removeprefix("v") for used in re.findall(r"uses: (\S+)", workflow.read_text())
        ]
    assert len(versions) >= 6
    assert [version for version in versions if not EXACT.match(version)] == []


def test_image_runs_without_privileges_and_watches_its_health() -> None:
    """Guards the image as such, for whoever starts it without compose."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    final = dockerfile.rpartition("\nFROM ")[2]
    assert re.search(r"^USER 10001:10001$", final, re.MULTILINE)
    assert re.search(r"^HEALTHCHECK .*?/health", final, re.MULTILINE | re.DOTALL)


def test_image_gets_only_what_it_is_made_of() -> None:
    """Guards secrets and data of the build machine: what is not named stays outside."""
    rules = [
        line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith(("#", "**"))
    ]
    assert rules[0] == "*"
    allowed = {rule.removeprefix("!") for rule in rules[1:]}
    copied = {
        word.split("/")[0]
        for line in re.findall(r"^COPY (?!--from)(.+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
        for word in line.split()[:-1]
    }
    assert copied == allowed
