"""The account's key and the certificate, in the work directory's `security` folder, 0600."""

from __future__ import annotations

import hashlib
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from app.extension_api import Config
from mailsite_ext.settings.certificate import ordered_certificate_file
from mailsite_ext.storage.files import Disk, disk_faults, write_whole

ACCOUNT_BITS = 2048


def account_key(config: Config, directory: str) -> bytes:
    """The key of our account at an authority, in PEM; made when there is none.  Raises StorageFull, StorageDamaged."""
    name = hashlib.sha256(directory.encode()).hexdigest()[:16]
    path = ordered_certificate_file(config).with_name(f"account-{name}.pem")
    with disk_faults():
        if not path.exists():
            _write(path, _pem(rsa.generate_private_key(65_537, ACCOUNT_BITS)))
        return path.read_bytes()


def new_key() -> bytes:
    """Of a certificate, in PEM: each has its own."""
    return _pem(ec.generate_private_key(ec.SECP256R1()))


def store_certificate(config: Config, key: bytes, chain: bytes) -> None:
    """Both in one file, in one instant: no listener ever reads a key with another's certificate."""
    _write(ordered_certificate_file(config), key + chain)


def _write(path: Path, octets: bytes) -> None:
    disk = Disk()
    disk.make_directory(path.parent)
    write_whole(disk, path, octets)


def _pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
