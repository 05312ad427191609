"""Secrets of the owner: in the keychain of the system, and nowhere else."""

from thirdshift.errors import SecretMissing

SERVICE = "thirdshift"


def secret(name: str, remedy: str = "") -> str:
    """Return a secret; SecretMissing says how to set it, or that there is no keychain."""
    import keyring
    from keyring.errors import KeyringError

    try:
        password = keyring.get_password(SERVICE, name)
    except KeyringError as error:
        what = f"The keychain cannot be read: {error}."
        raise SecretMissing(what, "`thirdshift doctor` names what is missing.") from error
    if not password:
        remedy = remedy or f"Set it with `keyring set {SERVICE} {name}`."
        raise SecretMissing(f"The keychain has no {name} for {SERVICE}.", remedy)
    return password
