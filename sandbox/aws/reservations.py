"""Subnet CIDR reservations as EC2 keeps them: with description and tags, in pages, given back whole when deleted.

Overlap, range and not-found checks are moto's own and right. What a reservation does to addresses is in
`address_plane`. The text of the refusal of a small `prefix` range and the code for a malformed id are not documented:
both follow EC2's usual form.
"""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.subnets import SubnetBackend
from moto.ec2.responses.subnets import Subnets
from moto.ec2.utils import generic_filter

from sandbox.aws.correction import Correction
from sandbox.aws.paging import max_results, page

PAGE = 255
"""Reservations in one answer without MaxResults. AWS documents no
number; a small one keeps readers honest about NextToken.
"""

LARGEST_PREFIX_LENGTH = {4: 28, 6: 80}
"""A range for delegated prefixes holds at least one of them."""

_ID = re.compile(r"scr-([0-9a-f]{8}|[0-9a-f]{17})")


def _create(_original: Any) -> Any:
    def create_subnet_cidr_reservation(self: Any) -> Any:
        self.error_on_dryrun()
        tags = self._parse_tag_specification("subnet-cidr-reservation").get("subnet-cidr-reservation", {})
        kind, cidr = self._get_param("ReservationType"), self._get_param("Cidr")
        if kind == "prefix":
            _check_length(cidr)
        reservation = self.ec2_backend.create_subnet_cidr_reservation(self._get_param("SubnetId"), kind, cidr)
        reservation.description = self._get_param("Description")
        reservation.add_tags(tags)
        return ActionResult({"SubnetCidrReservation": reservation})

    return create_subnet_cidr_reservation


def _check_length(cidr: str) -> None:
    """Refuse a `prefix` range too small for any prefix; what is no range at all is refused by moto."""
    try:
        network = ip_network(cidr)
    except ValueError:
        return
    if network.prefixlen > LARGEST_PREFIX_LENGTH[network.version]:
        longest = LARGEST_PREFIX_LENGTH[network.version]
        raise EC2ClientError(
            "InvalidParameterValue", f"Reservation CIDR {cidr} of type prefix is smaller than /{longest}"
        )


def _get(_original: Any) -> Any:
    def get_subnet_cidr_reservations(self: Any) -> Any:
        self.error_on_dryrun()
        subnet = self.ec2_backend.get_subnet(self._get_param("SubnetId"))
        found = generic_filter(self._filters_from_querystring(), subnet._cidr_reservations)
        items, token = page(found, self._get_param("NextToken"), max_results(self) or PAGE)
        answer = {
            "SubnetIpv4CidrReservations": [r for r in items if r.cidr.version == 4],
            "SubnetIpv6CidrReservations": [r for r in items if r.cidr.version == 6],
            "NextToken": token,
        }
        return ActionResult(answer)

    return get_subnet_cidr_reservations


def _delete(original: Any) -> Any:
    def delete_subnet_cidr_reservation(self: Any, reservation_id: str) -> Any:
        if not _ID.fullmatch(reservation_id):
            raise EC2ClientError("InvalidSubnetCidrReservationID.Malformed", f'Invalid id: "{reservation_id}"')
        deleted = original(self, reservation_id)
        self.tags.pop(reservation_id, None)
        return deleted

    return delete_subnet_cidr_reservation


CORRECTIONS = (
    Correction(
        Subnets,
        "create_subnet_cidr_reservation",
        _create,
        "description and tags were lost, tiny prefix ranges accepted",
    ),
    Correction(Subnets, "get_subnet_cidr_reservations", _get, "paging was ignored"),
    Correction(
        SubnetBackend, "delete_subnet_cidr_reservation", _delete, "tags outlived it, malformed ids were unknown ones"
    ),
)
