"""Notifications: tell the owner that something waits, by whatever of Apprise the settings name."""

import logging
import sys

from thirdshift.keychain import secret
from thirdshift.settings import settings

_KEYCHAIN = "keychain:"

log = logging.getLogger(__name__)


def notify(title: str, body: str) -> bool:
    """Send a notice to every address of notify.urls, and on macOS to the desktop.

    Return whether all were reached; one that was not is logged, without its address: that may
    be a secret. Raises SecretMissing where the keychain lacks a name that the settings give.
    """
    import apprise

    logging.getLogger("apprise").disabled = True  # it logs the addresses that fail
    named = settings().notify.urls or (["macosx://"] if sys.platform == "darwin" else [])
    reached = True
    for number, name in enumerate(named, 1):
        url = secret(name.removeprefix(_KEYCHAIN)) if name.startswith(_KEYCHAIN) else name
        service = apprise.Apprise()
        if not service.add(url) or not service.notify(title=title, body=body):
            log.warning("Address %d of notify.urls was not reached.", number)
            reached = False
    return reached
