"""Where kube-apiserver, etcd and kubectl come from: ready-made from `KUBEBUILDER_ASSETS`, or built from `go.mod`.

What is built is kept under `build/conformance`, by the content of `go.mod` and `go.sum`, so that a second run builds
nothing.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MODULE = Path(__file__).resolve().parent
KEPT = MODULE.parent / "build" / "conformance"
PACKAGES = {
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "etcd": "go.etcd.io/etcd/server/v3",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
}
ASSETS = "KUBEBUILDER_ASSETS"

HOW = f"""\
make conformance needs a real kube-apiserver, etcd and kubectl. Either
  - install Go (https://go.dev/dl, the version in conformance/go.mod or later): they are then built from the Go module
    proxy, which takes about five minutes and 3 GB the first time; or
  - set {ASSETS} to a directory that has the three programs, as `setup-envtest use -p path` prints one."""


class NoPrograms(Exception):
    """The programs are not there and cannot be built; the text says how to get them."""


@dataclass(frozen=True)
class Programs:
    """The three programs, and where they come from in words."""

    kube_apiserver: Path
    etcd: Path
    kubectl: Path
    origin: str


def find_programs(environment: Mapping[str, str], kept: Path = KEPT) -> Programs:
    """The programs named by the environment, else those built before, else those built now.

    Raises:
        NoPrograms: `KUBEBUILDER_ASSETS` names an incomplete directory, or it is unset and there is no Go, or the
            build failed.
    """
    if assets := environment.get(ASSETS):
        return _in(Path(assets), f"{ASSETS}={assets}")
    version = kubernetes_version()
    directory = kept / f"{version}-{_digest()}"
    if not all((directory / name).is_file() for name in PACKAGES):
        go = shutil.which("go", path=environment.get("PATH"))
        if go is None:
            raise NoPrograms(HOW)
        _build(go, version, directory)
    return _in(directory, f"built from conformance/go.mod: Kubernetes {version}")


def kubernetes_version() -> str:
    """The Kubernetes version that `go.mod` asks for (`v1.34.4`)."""
    found = re.search(r"^\s*k8s\.io/kubernetes (v\S+)", (MODULE / "go.mod").read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise NoPrograms("conformance/go.mod does not require k8s.io/kubernetes")
    return found[1]


def _in(directory: Path, origin: str) -> Programs:
    missing = [name for name in PACKAGES if not (directory / name).is_file()]
    if missing:
        raise NoPrograms(f"{directory} lacks {', '.join(missing)}.\n{HOW}")
    return Programs(directory / "kube-apiserver", directory / "etcd", directory / "kubectl", origin)


def _digest() -> str:
    content = b"".join((MODULE / name).read_bytes() for name in ("go.mod", "go.sum"))
    return hashlib.sha256(content).hexdigest()[:12]


def _build(go: str, version: str, directory: Path) -> None:
    """Build all three; what is half built is never taken for whole."""
    print(
        f"Building kube-apiserver, etcd and kubectl {version} with Go (about five minutes the first time)", flush=True
    )
    major, minor, _ = version.lstrip("v").split(".", 2)
    numbers = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    stamps = " ".join(f"-X k8s.io/component-base/version.{name}={value}" for name, value in numbers.items())
    half = directory.with_name(f"{directory.name}.half")
    half.mkdir(parents=True, exist_ok=True)
    for name, package in PACKAGES.items():
        command = [go, "build", "-trimpath", "-ldflags", f"-s -w {stamps}", "-o", str(half / name), package]
        built = subprocess.run(["env", "CGO_ENABLED=0", *command], cwd=MODULE, check=False)
        if built.returncode:
            raise NoPrograms(f"Go could not build {package} (see above).\n{HOW}")
    shutil.rmtree(directory, ignore_errors=True)
    half.rename(directory)
