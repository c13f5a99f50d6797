"""Network addresses of callers, as texts and as addresses."""

import ipaddress
from typing import TypeAlias

IpAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


def ip_of(address: str) -> IpAddress | None:
    """The address of a caller. An IPv4 address in IPv6 notation becomes the IPv4 one. None if it is not an address."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return getattr(ip, "ipv4_mapped", None) or ip


def network_of(ip: IpAddress, length: int) -> str:
    """The network of an address. `length`: the bits of its prefix."""
    return str(ipaddress.ip_network((ip, length), strict=False))


def shortened(address: str) -> str | None:
    """The address of a caller without the part that tells households apart: "203.0.113.x", "2001:db8:7::x".

    None if it is not an address.
    """
    ip = ip_of(address)
    if ip is None:
        return None
    if ip.version == 4:
        return str(ip).rpartition(".")[0] + ".x"
    return network_of(ip, 48).partition("/")[0] + "x"
