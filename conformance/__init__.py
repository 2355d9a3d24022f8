"""A real kube-apiserver with etcd on loopback, and what `make conformance` checks on it.

The programs come from the Go module beside this file, or ready-made from `KUBEBUILDER_ASSETS`. Nothing here is deployed
or needed by the sandbox; the checks themselves are in `tests/sandbox/kube` (the contract) and `tests/conformance`.
"""
