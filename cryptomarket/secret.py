"""Secrets are types: text that must not be shown, and text that may be because it is sealed."""


class Secret:
    """A text that no log, exception, `repr` or f-string shows. Only `reveal` gives it.

    It compares by identity alone, can't be pickled, and has no length to be told.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the one place that signs or seals with it."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __bool__(self) -> bool:
        return bool(self._text)

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")


class Sealed:
    """A secret's sealed form (a Fernet token). Opens for nobody without its keys, and still is not shown."""

    __slots__ = ("token",)

    def __init__(self, token: bytes) -> None:
        self.token = token

    def __repr__(self) -> str:
        return "Sealed(…)"
