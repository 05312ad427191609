"""SSRF protection: a link from outside may only lead to public addresses, plainly spelled.

A name is resolved once, every address it has is looked at, and the caller connects to one of
those: DNS that changes its mind afterwards changes nothing.
"""

import ipaddress
import re
import socket
from concurrent.futures import ThreadPoolExecutor

import httpx

from thirdshift.errors import AddressRefused, PageUnavailable
from thirdshift.settings import settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?\.?")
# What a browser would read as an IPv4 address: 127.1, 0x7f.0.0.1, 017700000001, 2130706433.
_ENDS_IN_NUMBER = re.compile(r"(^|\.)(\d+|0x[0-9a-f]*)\.?$")
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # carries an IPv4 address, on IPv6-only networks
_YOURS = "If it is yours, add it to allowed_hosts under [web] in settings.toml."

_resolving = ThreadPoolExecutor(8, thread_name_prefix="resolve")


def parsed(url: str, found_on: str = "") -> httpx.URL:
    """Return the URL in parts; raise AddressRefused where nothing from outside may lead.

    `found_on` is the page or redirect it was found on, to which it may be relative: only the
    owner, or a host that he listed, may send us to a host of his.
    """
    try:
        target = httpx.URL(found_on).join(url.strip()) if found_on else httpx.URL(url.strip())
    except (httpx.InvalidURL, ValueError) as error:
        raise AddressRefused(f"{url[:200]!r} is no web address: {error}.") from None
    reason = _refusal(target)
    if not reason and owned(target) and found_on and not owned(httpx.URL(found_on)):
        reason = f"{found_on[:200]} led there, and a page from outside may not"
    if reason:
        raise AddressRefused(f"{url[:200]!r} is not fetched: {reason}.")
    return target.copy_with(fragment=None)


def owned(target: httpx.URL) -> bool:
    """Tell whether the owner lists the host himself, so that it may be private."""
    listed = {host.replace("[", "").replace("]", "") for host in settings().web.allowed_hosts}
    return bool({target.host, f"{target.host}:{port(target)}"} & listed)


def port(target: httpx.URL) -> int:
    """Return the port, the scheme's own where none is named."""
    return target.port or (443 if target.scheme == "https" else 80)


def checked(host: str, port: int, seconds: float, *, private: bool) -> list[str]:
    """Return the host's addresses; raise AddressRefused if any is not public, unless `private`."""
    try:
        addresses = _resolving.submit(resolve, host, port).result(seconds)
    except TimeoutError:
        raise PageUnavailable(f"{host} was not found within {seconds:.0f} s (DNS).") from None
    except (OSError, UnicodeError) as error:
        raise PageUnavailable(f"{host} was not found: {error}.", "Check the spelling.") from None
    for address in addresses:
        if not (private or is_public(address)):
            raise AddressRefused(f"{host} is not fetched: {address} is not public.", _YOURS)
    return addresses


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host in the order in which they are to be tried."""
    entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in entries))


def is_public(address: str) -> bool:
    """Tell whether anyone on the internet has this address; what it embeds is looked at too."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv4Address):
        return ip.is_global and not ip.is_multicast
    if ip in _NAT64:
        return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
    inner = [ip.sixtofour, *(ip.teredo or ())]
    plain = ip in _GLOBAL_UNICAST and ip.is_global and not ip.scope_id
    return plain and all(is_public(str(part)) for part in inner if part)


def _refusal(target: httpx.URL) -> str:
    if target.scheme not in ("http", "https"):
        return "only http and https are"
    if target.userinfo:
        return "it carries a user name or a password"
    if not _is_plain(target.raw_host.decode("ascii")):
        return "its host is missing, or oddly spelled"
    return "" if 0 < port(target) < 65_536 else "there is no such port"


def _is_plain(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).compressed == host and "%" not in host
    except ValueError:
        return bool(_NAME.fullmatch(host)) and not _ENDS_IN_NUMBER.search(host)
