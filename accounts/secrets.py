"""Passwords at rest: encrypted by a model field, decrypted only where a connection logs in."""

from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models


class UndecryptableSecret(Exception):
    """The key that encrypted this secret is not in CREDENTIAL_KEYS."""

    def __init__(self) -> None:
        super().__init__(
            "The stored password can't be decrypted: CREDENTIAL_KEYS lacks the key that encrypted it. "
            "Put the old key back behind the new one, or enter the password again."
        )


def _cipher() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.CREDENTIAL_KEYS])


class Secret:
    """An encrypted text. It never shows itself: not in a log, a traceback or a template."""

    def __init__(self, ciphertext: str):
        self.ciphertext = ciphertext

    @classmethod
    def from_plain(cls, plain: str) -> "Secret":
        """The secret of this text; the empty text stays empty (no password)."""
        return cls(_cipher().encrypt(plain.encode()).decode() if plain else "")

    def reveal(self) -> str:
        """The text. Raises UndecryptableSecret when its key is gone."""
        if not self.ciphertext:
            return ""
        try:
            return _cipher().decrypt(self.ciphertext).decode()
        except InvalidToken:
            raise UndecryptableSecret from None

    def __bool__(self) -> bool:
        return bool(self.ciphertext)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.ciphertext == other.ciphertext

    def __hash__(self) -> int:
        return hash(self.ciphertext)

    def __str__(self) -> str:
        return "••••••••" if self else ""

    __repr__ = __str__


class _SecretAttribute:
    """Turns a plain text into a Secret the moment it is assigned."""

    def __init__(self, name: str):
        self.name = name

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        if self.name not in instance.__dict__:
            instance.refresh_from_db(fields=[self.name])
        return instance.__dict__[self.name]

    def __set__(self, instance: Any, value: Any) -> None:
        if isinstance(value, str):
            value = Secret.from_plain(value)
        instance.__dict__[self.name] = value


class SecretField(models.TextField):
    """A text that Postgres only sees encrypted (MultiFernet: AES-128-CBC with HMAC-SHA256)."""

    # What may be assigned and what is read, for the type checker (django-stubs).
    _pyi_private_set_type: str | Secret  # type: ignore[assignment]
    _pyi_private_get_type: Secret  # type: ignore[assignment]

    def contribute_to_class(self, cls: type[models.Model], name: str, *args: Any, **kw: Any) -> None:
        super().contribute_to_class(cls, name, *args, **kw)
        setattr(cls, name, _SecretAttribute(name))

    def from_db_value(self, value: str | None, *_: Any) -> Secret | None:
        return None if value is None else Secret(value)

    def to_python(self, value: Any) -> Any:
        return Secret.from_plain(value) if isinstance(value, str) else value

    def get_prep_value(self, value: Any) -> Any:
        value = self.to_python(value)
        return value.ciphertext if isinstance(value, Secret) else value

    def value_to_string(self, obj: models.Model) -> str:
        """Nothing: a dump of the database for another installation carries no password."""
        return ""
