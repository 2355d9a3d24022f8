"""One real API server: etcd and kube-apiserver on loopback, RBAC and audit log on, with the platform's types.

There is no kube-controller-manager: nothing taints or deletes nodes by itself, namespaces stay Terminating unless they
are finalised, and token Secrets are not filled in (use TokenRequest).
"""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from conformance.platform import Platform
from conformance.programs import Programs
from sandbox.kube import make_certificates
from sandbox.kube.admission import CONTROL_PLANE_USER

READY_SECONDS = 60.0
ADMIN_TOKEN, CONTROL_PLANE_TOKEN, NOBODY_TOKEN = "conformance-admin", "conformance-control-plane", "conformance-nobody"
USERS = {
    ADMIN_TOKEN: ("kube:admin", "system:masters"),
    CONTROL_PLANE_TOKEN: (CONTROL_PLANE_USER, "system:masters"),
    NOBODY_TOKEN: ("nobody", "team"),
}
"""User and group by token. OpenShift gives OVN-Kubernetes' control plane fewer rights; its name is what counts here."""

_AUDIT = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}


class NotStarted(Exception):
    """A program ended or did not answer; the text has the end of its log."""


@dataclass(frozen=True)
class Server:
    """A running API server.

    Attributes:
        ca_file: PEM file of the authority behind its certificate.
        audit_log: One JSON object a line, written before the answer is.
        etcd_url: etcd's own HTTP address, for compacting history.
    """

    url: str
    ca_file: Path
    audit_log: Path
    etcd_url: str
    programs: Programs

    def environment(self) -> dict[str, str]:
        """What the tests find it by."""
        return {
            "KUBE_CONTRACT_URL": self.url,
            "KUBE_CONTRACT_TOKEN": ADMIN_TOKEN,
            "KUBE_CONTRACT_CONTROL_PLANE_TOKEN": CONTROL_PLANE_TOKEN,
            "KUBE_CONTRACT_NOBODY_TOKEN": NOBODY_TOKEN,
            "KUBE_CONTRACT_CA": str(self.ca_file),
            "KUBE_CONTRACT_AUDIT_LOG": str(self.audit_log),
            "KUBE_CONTRACT_ETCD": self.etcd_url,
            "KUBECTL": str(self.programs.kubectl),
        }


@contextmanager
def running(programs: Programs, platform: Platform) -> Iterator[Server]:
    """Start both programs and install the platform's types; stop them and remove their files at the end.

    Raises:
        NotStarted: One of them ended or did not answer within a minute.
    """
    with ExitStack() as stack:
        directory = Path(tempfile.mkdtemp(prefix="conformance-"))
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        client, peer, secure = _free_ports(3)
        etcd_url = f"http://127.0.0.1:{client}"
        etcd = stack.enter_context(_program("etcd", _etcd(programs, directory, etcd_url, peer), directory))
        _wait_for(etcd, f"{etcd_url}/health", directory / "etcd.log")
        files, authority = make_certificates(directory)
        (directory / "ca.pem").write_text(authority, encoding="utf-8")
        _write_inputs(directory)
        arguments = [
            *(str(programs.kube_apiserver), f"--etcd-servers={etcd_url}", "--bind-address=127.0.0.1"),
            *(f"--secure-port={secure}", f"--tls-cert-file={files.certificate}", f"--tls-private-key-file={files.key}"),
            *(f"--cert-dir={directory}", f"--token-auth-file={directory / 'tokens.csv'}"),
            *("--service-account-issuer=https://conformance.invalid", "--service-cluster-ip-range=172.30.0.0/16"),
            f"--service-account-key-file={directory / 'service-accounts.pem'}",
            f"--service-account-signing-key-file={directory / 'service-accounts.pem'}",
            *("--authorization-mode=RBAC", "--endpoint-reconciler-type=none", "--profiling=false"),
            "--disable-admission-plugins=ServiceAccount,TaintNodesByCondition,Priority",
            *(f"--audit-policy-file={directory / 'audit.yaml'}", f"--audit-log-path={directory / 'audit.log'}"),
        ]
        server = Server(
            f"https://127.0.0.1:{secure}", directory / "ca.pem", directory / "audit.log", etcd_url, programs
        )
        process = stack.enter_context(_program("kube-apiserver", arguments, directory))
        _wait_for(process, f"{server.url}/readyz", directory / "kube-apiserver.log", server.ca_file)
        _install(server, platform)
        yield server


def _etcd(programs: Programs, directory: Path, url: str, peer: int) -> list[str]:
    peer_url = f"http://127.0.0.1:{peer}"
    return [
        *(str(programs.etcd), f"--data-dir={directory / 'etcd'}", f"--listen-client-urls={url}"),
        *(f"--advertise-client-urls={url}", f"--listen-peer-urls={peer_url}"),
        *(f"--initial-advertise-peer-urls={peer_url}", f"--initial-cluster=default={peer_url}", "--unsafe-no-fsync"),
    ]


def _free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago, all different."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _write_inputs(directory: Path) -> None:
    lines = [f'{token},{user},{user},"{group}"' for token, (user, group) in USERS.items()]
    (directory / "tokens.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (directory / "audit.yaml").write_text(json.dumps(_AUDIT), encoding="utf-8")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    (directory / "service-accounts.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )


@contextmanager
def _program(name: str, arguments: list[str], directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (directory / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(arguments, stdout=log, stderr=log, cwd=directory)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for(process: subprocess.Popen[bytes], url: str, log: Path, ca_file: Path | None = None) -> None:
    context = ssl.create_default_context(cafile=str(ca_file)) if ca_file else None
    with urllib3.PoolManager(retries=False, timeout=5.0, ssl_context=context) as pool:
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end and process.poll() is None:
            try:
                if pool.request("GET", url).status == 200:
                    return
            except urllib3.exceptions.HTTPError:
                pass  # it does not listen yet
            time.sleep(0.1)
    tail = log.read_text(encoding="utf-8", errors="replace")[-2000:]
    raise NotStarted(f"{url} does not answer; the end of the log of {log.stem}:\n{tail}")


def _install(server: Server, platform: Platform) -> None:
    """Create the platform's objects and wait until its types are served and its policy is in force."""
    context = ssl.create_default_context(cafile=str(server.ca_file))
    with urllib3.PoolManager(retries=False, timeout=10.0, ssl_context=context) as pool:
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}", "Content-Type": "application/json"}

        def post(path: str, body: Mapping[str, Any]) -> int:
            return int(pool.request("POST", server.url + path, body=json.dumps(body), headers=headers).status)

        for found in platform.objects:
            group = found["apiVersion"]
            plural = {"ValidatingAdmissionPolicy": "validatingadmissionpolicies"}.get(
                found["kind"], f"{found['kind'].lower()}s"
            )
            status = post(f"/apis/{group}/{plural}", found)
            if status != 201:
                raise NotStarted(f"{found['kind']} {found['metadata']['name']} could not be created: {status}")
        marked = {
            "apiVersion": "k8s.ovn.org/v1",
            "kind": "EgressIP",
            "metadata": {"name": "probe", "annotations": {"k8s.ovn.org/egressip-mark": "1"}},
            "spec": {"egressIPs": [], "namespaceSelector": {}},
        }
        end = time.monotonic() + READY_SECONDS
        while post("/apis/k8s.ovn.org/v1/egressips?dryRun=All", marked) != 422:
            if time.monotonic() > end:
                raise NotStarted("the EgressIP type or its admission policy does not come into force")
            time.sleep(0.1)
