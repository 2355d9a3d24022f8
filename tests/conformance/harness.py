"""The real API server that `make conformance` started, as its cluster-admin uses it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sandbox.kube import RemoteCluster, kubeconfig
from tests.sandbox.kube.client import ADMIN, CLOUD_IPS, EGRESS_IPS, EVENTS, NODES, Api

PROJECT = Path(__file__).resolve().parents[2]
ACCOUNT = "system:serviceaccount:egress-keeper:egress-keeper"
RBAC = PROJECT / "deploy" / "rbac.yaml"
DEPLOYING = PROJECT / "docs" / "deploying.md"


@dataclass(frozen=True)
class Real:
    """The server, from the variables that `python -m conformance` sets."""

    url: str
    ca_pem: str
    ca_file: str
    admin_token: str
    control_plane_token: str
    audit_log: Path
    kubectl_path: str
    directory: Path

    @contextmanager
    def api(self, token: str | None = None) -> Iterator[Api]:
        """Plain HTTP as the administrator, or with *token*."""
        client = Api(self.url, {ADMIN: token or self.admin_token}, self.ca_file)
        yield client
        client.close()

    def remote(self) -> RemoteCluster:
        """The verbs of the platform's programs."""
        return RemoteCluster(self.url, self.control_plane_token, self.ca_pem)

    def kubectl(
        self, *arguments: str, stdin: object = None, token: str | None = None, env: Mapping[str, str] | None = None
    ) -> str:
        """The output of one command that must succeed, as the administrator or with *token*."""
        config = self.directory / "kubeconfig"
        config.write_text(kubeconfig(self.url, token or self.admin_token, self.ca_pem))
        done = subprocess.run(
            [self.kubectl_path, f"--kubeconfig={config}", f"--cache-dir={self.directory / 'cache'}", *arguments],
            input=None if stdin is None else yaml.safe_dump(stdin),
            env={**os.environ, **(env or {})},
            cwd=PROJECT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{shlex.join(arguments)}: {done.stderr}"
        return done.stdout

    def wipe(self) -> None:
        """Take away all nodes, EgressIPs, CloudPrivateIPConfigs and events."""
        with self.api() as api:
            for path in (EGRESS_IPS, CLOUD_IPS, NODES):
                for item in api.get(path).body["items"]:
                    name = item["metadata"]["name"]
                    if item["metadata"].get("finalizers"):
                        api.merge(f"{path}/{name}", {"metadata": {"finalizers": None}})
                    api.delete(f"{path}/{name}")
            api.delete(EVENTS)

    def install(self) -> str:
        """Do what docs/deploying.md tells a cluster-admin to do; returns the token that comes of it."""
        token = ""
        for command in installing_commands():
            words = shlex.split(command.partition(" > ")[0])
            output = self.kubectl(*words[1:])
            token = output.strip() if "token" in words else token
        assert token
        return token


def installing_commands() -> list[str]:
    """The `oc` commands of the first chapter of the page."""
    chapter = DEPLOYING.read_text(encoding="utf-8").partition("## 1. ")[2].partition("###")[0]
    found = re.findall(r"^oc .*$", chapter, re.MULTILINE)
    assert len(found) == 2, found
    return found


def from_environment(directory: Path, environment: Mapping[str, str] = os.environ) -> Real | None:
    """The server that the environment names, or None."""
    if "KUBE_CONTRACT_URL" not in environment:
        return None
    ca_file = environment["KUBE_CONTRACT_CA"]
    return Real(
        environment["KUBE_CONTRACT_URL"],
        Path(ca_file).read_text(encoding="utf-8"),
        ca_file,
        environment["KUBE_CONTRACT_TOKEN"],
        environment["KUBE_CONTRACT_CONTROL_PLANE_TOKEN"],
        Path(environment["KUBE_CONTRACT_AUDIT_LOG"]),
        environment["KUBECTL"],
        directory,
    )


def rules() -> list[dict[str, Any]]:
    """All rules of `deploy/rbac.yaml`, each with the `owner` object that it stands in."""
    documents = yaml.safe_load_all(RBAC.read_text(encoding="utf-8"))
    return [
        {**rule, "owner": document}
        for document in documents
        if document["kind"] in ("Role", "ClusterRole")
        for rule in document["rules"]
    ]
