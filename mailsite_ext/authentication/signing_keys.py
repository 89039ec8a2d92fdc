"""The signing keys of the hosted domains, in the work directory's `security` folder (A2).

security/dkim/<domain>/keys.json says what is what; <selector>.pem is a private key, 0600, and never leaves.
A change is one rename of keys.json: a key file that it does not name is one a crash left, and signs nothing.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from app.extension_api import Clock, Config
from mailsite_ext.authentication import key_states
from mailsite_ext.authentication.budget import DnsBudget
from mailsite_ext.authentication.dkim import NoAnswer, get_key_record
from mailsite_ext.authentication.dkim_key import BadKey
from mailsite_ext.authentication.dkim_sign import SigningKey
from mailsite_ext.authentication.key_states import KeyEntry, Keys
from mailsite_ext.authentication.tag_list import octets_of
from mailsite_ext.errors import NoSuchSigningKey, StorageDamaged
from mailsite_ext.protocol.smtp_address import canonical_domain
from mailsite_ext.storage.files import Disk, Files, disk_faults, write_whole

RSA_BITS = 2048
_INDEX = "keys.json"

MakeKey = Callable[[], RSAPrivateKey]


def make_rsa_key() -> RSAPrivateKey:
    return generate_private_key(65537, RSA_BITS)


class SigningKeys:
    """Of all domains.  Any number of processes read; those that change wait for each other.

    A domain is given as it is compared everywhere, or BadDomain is raised.  Every method raises StorageFull or
    StorageDamaged at a fault of the disk.
    """

    def __init__(self, config: Config, clock: Clock, make_key: MakeKey = make_rsa_key, files: Files | None = None):
        self._root = config.work_directory.absolute() / "security" / "dkim"
        self._clock = clock
        self._make_key = make_key
        self._files = files or Disk()
        self._loaded: dict[tuple[str, str], SigningKey] = {}

    def keys(self, domain: str) -> Keys:
        """Every key it ever had, oldest first."""
        try:
            with disk_faults():
                text = (self._folder(domain) / _INDEX).read_text("utf-8")
            return key_states.from_rows(json.loads(text))
        except FileNotFoundError:
            return []
        except (ValueError, KeyError, TypeError) as error:
            raise StorageDamaged(f"{self._folder(domain) / _INDEX}: {error}") from None

    def find_signing_key(self, domain: str) -> SigningKey | None:
        """What signs mail of `domain` now; asked for each message, so that a change counts at once everywhere."""
        entry = key_states.find_signing(self.keys(domain))
        if entry is None:
            return None
        place = (domain, entry.selector)
        if place not in self._loaded:  # reading one costs more than signing with it
            self._loaded[place] = SigningKey(domain, entry.selector, self._read(domain, entry.selector))
        return self._loaded[place]

    def find_missing(self, domain: str) -> KeyEntry | None:
        """The key that signs now, where its file is not here: mail of the domain cannot be sent."""
        entry = key_states.find_signing(self.keys(domain))
        return entry if entry is not None and not self._pem(domain, entry.selector).is_file() else None

    def generate(self, domain: str) -> KeyEntry:
        """A new key pair.  Raises KeyAlreadyComing: one at a time."""
        with self._changing(domain):
            keys, now = self.keys(domain), self._clock.now()
            selector = key_states.new_selector(keys, now)
            key_states.with_new(keys, selector, "", now)  # refuses before a key is made
            private = self._make_key()
            write_whole(self._files, self._pem(domain, selector), _pem(private))
            keys = key_states.with_new(keys, selector, public_of(private), now)
            self._save(domain, keys)
            return keys[-1]

    def switch(self, domain: str) -> None:
        """Let the coming key sign: its record is there.  Raises NoSuchSigningKey."""
        with self._changing(domain):
            self._save(domain, key_states.switched(self.keys(domain), self._clock.now()))

    def retire(self, domain: str, selector: str) -> None:
        """Raises NoSuchSigningKey, SigningKeyInUse."""
        with self._changing(domain):
            self._save(domain, key_states.retired(self.keys(domain), selector, self._clock.now()))
            self._remove(domain, selector)

    def retire_old(self, domain: str) -> Sequence[str]:
        """Retire what has aged; the selectors whose records may now go."""
        old = key_states.old_selectors(self.keys(domain), self._clock.now())
        for selector in old:
            with contextlib.suppress(NoSuchSigningKey):  # another process was first
                self.retire(domain, selector)
        return old

    def _save(self, domain: str, keys: Keys) -> None:
        text = json.dumps(key_states.to_rows(keys), indent=1)
        write_whole(self._files, self._folder(domain) / _INDEX, text.encode())

    def _remove(self, domain: str, selector: str) -> None:
        self._loaded.pop((domain, selector), None)
        self._files.unlink(self._pem(domain, selector))

    def _read(self, domain: str, selector: str) -> RSAPrivateKey:
        try:
            with disk_faults():
                octets = self._pem(domain, selector).read_bytes()
            key = serialization.load_pem_private_key(octets, None)
        except (FileNotFoundError, ValueError, TypeError) as error:
            raise StorageDamaged(f"{self._pem(domain, selector)}: {error}") from None
        if not isinstance(key, RSAPrivateKey):
            raise StorageDamaged(f"{self._pem(domain, selector)}: not a key of RSA")
        return key

    def _folder(self, domain: str) -> Path:
        return self._root / canonical_domain(domain)

    def _pem(self, domain: str, selector: str) -> Path:
        return self._folder(domain) / f"{selector}.pem"

    @contextlib.contextmanager
    def _changing(self, domain: str) -> Iterator[None]:
        folder = self._folder(domain)
        self._files.make_directory(folder)
        with disk_faults():
            descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def is_published(domain: str, key: KeyEntry, dns: DnsBudget) -> bool | None:
    """Does the world see this key?  None: no answer, nothing is known."""
    try:
        return get_key_record(domain, key.selector, dns).key == octets_of(key.public)
    except BadKey:
        return False
    except NoAnswer:
        return None


def _pem(key: RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def public_of(key: RSAPrivateKey) -> str:
    """p= of its record."""
    der = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()
