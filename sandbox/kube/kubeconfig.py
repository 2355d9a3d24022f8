"""The file kubectl and client libraries find a cluster by."""

from __future__ import annotations

import base64

import yaml


def kubeconfig(url: str, token: str, ca_pem: str | None = None) -> str:
    """A kubeconfig (YAML) for one cluster and one bearer token; *ca_pem* is the certificate authority to trust."""
    cluster = {"server": url}
    if ca_pem is not None:
        cluster["certificate-authority-data"] = base64.b64encode(ca_pem.encode()).decode()
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "sandbox", "cluster": cluster}],
            "users": [{"name": "sandbox", "user": {"token": token}}],
            "contexts": [{"name": "sandbox", "context": {"cluster": "sandbox", "user": "sandbox"}}],
            "current-context": "sandbox",
        },
        sort_keys=False,
    )
