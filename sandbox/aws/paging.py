"""MaxResults and NextToken for the EC2 reads where moto ignores them or counts wrongly."""

from __future__ import annotations

import base64
import binascii
import copy
from collections.abc import Sequence
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.responses.elastic_network_interfaces import ElasticNetworkInterfaces
from moto.ec2.responses.instances import InstanceResponse
from moto.ec2.responses.subnets import Subnets

from sandbox.aws.correction import Correction

INSTANCE_PAGE = 1000  # what DescribeInstances gives at most when MaxResults is absent
TYPE_PAGE = 100  # the same of DescribeInstanceTypes


def page(items: Sequence[Any], token: str | None, max_results: int | None) -> tuple[Sequence[Any], str | None]:
    """One page of *items* and the token of the next, None after the last. A token is opaque and names an offset.

    Raises InvalidNextToken (as a client error) for a token that this function did not give out.
    """
    start = _offset(token) if token else 0
    end = len(items) if max_results is None else start + max_results
    return items[start:end], (_token(end) if end < len(items) else None)


def _token(offset: int) -> str:
    return base64.urlsafe_b64encode(f"offset={offset}".encode()).decode()


def _offset(token: str) -> int:
    try:
        name, _, number = base64.urlsafe_b64decode(token).decode().partition("=")
        if name == "offset":
            return int(number)
    except (binascii.Error, ValueError):  # not base64, not text, not a number: all the same answer
        pass
    raise EC2ClientError("InvalidNextToken", f"The token '{token}' is invalid.")


def max_results(response: Any, *, with_ids: str | None = None) -> int | None:
    """The request's MaxResults, refused where it may not stand together with the id list parameter *with_ids*."""
    value = response._get_int_param("MaxResults")
    if value is not None and with_ids is not None and response._get_param(with_ids):
        message = f"The parameter {with_ids} cannot be used with the parameter maxResults"
        raise EC2ClientError("InvalidParameterCombination", message)
    return None if value is None else int(value)


def _describe_interfaces(_original: Any) -> Any:
    def describe_network_interfaces(self: Any) -> Any:
        self.error_on_dryrun()
        found = self.ec2_backend.get_all_network_interfaces(
            self._get_param("NetworkInterfaceIds", []), self._filters_from_querystring()
        )
        items, token = page(found, self._get_param("NextToken"), max_results(self, with_ids="NetworkInterfaceIds"))
        return ActionResult({"NetworkInterfaces": items, "NextToken": token})

    return describe_network_interfaces


def _describe_instances(_original: Any) -> Any:
    def describe_instances(self: Any) -> Any:
        self.error_on_dryrun()
        filters = self._filters_from_querystring()
        limit = max_results(self, with_ids="InstanceIds")
        if ids := self._get_param("InstanceIds", []):
            found = self.ec2_backend.get_reservations_by_instance_ids(ids, filters=filters)
        else:
            found = self.ec2_backend.describe_instances(filters=filters)
        flat = [(reservation, instance) for reservation in found for instance in reservation.instances]
        items, token = page(flat, self._get_param("NextToken"), limit or INSTANCE_PAGE)
        return ActionResult({"Reservations": _regroup(items), "NextToken": token})

    return describe_instances


def _describe_subnets(_original: Any) -> Any:
    def describe_subnets(self: Any) -> Any:
        self.error_on_dryrun()
        limit = max_results(self, with_ids="SubnetIds")
        found = self.ec2_backend.describe_subnets(self._get_param("SubnetIds"), self._filters_from_querystring())
        items, token = page(found, self._get_param("NextToken"), limit)
        return ActionResult({"Subnets": items, "NextToken": token})

    return describe_subnets


def _describe_types(_original: Any) -> Any:
    def describe_instance_types(self: Any) -> Any:
        self.error_on_dryrun()
        limit = max_results(self, with_ids="InstanceTypes")
        named, filters = self._get_param("InstanceTypes", []), self._filters_from_querystring()
        found = self.ec2_backend.describe_instance_types(named, filters)
        items, token = page(found, self._get_param("NextToken"), limit or TYPE_PAGE)
        return ActionResult({"InstanceTypes": items, "NextToken": token})

    return describe_instance_types


def _regroup(pairs: Sequence[tuple[Any, Any]]) -> list[Any]:
    """Put the instances of one page back under copies of their
    reservations: a page counts instances, not reservations.
    """
    groups: dict[str, Any] = {}
    for reservation, instance in pairs:
        group = groups.get(reservation.id)
        if group is None:
            group = groups[reservation.id] = copy.copy(reservation)
            group.instances = []
        group.instances.append(instance)
    return list(groups.values())


CORRECTIONS = (
    Correction(ElasticNetworkInterfaces, "describe_network_interfaces", _describe_interfaces, "paging was ignored"),
    Correction(
        InstanceResponse, "describe_instances", _describe_instances, "pages counted reservations, bad tokens crashed"
    ),
    Correction(Subnets, "describe_subnets", _describe_subnets, "paging was ignored"),
    Correction(InstanceResponse, "describe_instance_types", _describe_types, "paging was ignored"),
)
