"""How much a visitor may bring, and how long it stays."""

from __future__ import annotations

LIFETIME = 3600  # seconds from a visitor's last search or upload until what was brought is deleted
MAX_PASTED = 50_000  # characters in the box, which are sent with every search
MAX_DOCUMENTS, MAX_CHARACTERS = 2_000, 500_000  # of a private index: about a minute of work
MAX_FILES, MAX_FILE_BYTES, MAX_BYTES = 500, 20_000_000, 50_000_000  # of a visitor
MAX_UNPACKED = 50_000_000  # bytes of a packed file or an Office file, which may be small and unpack to very much
MAX_VISITORS = 20  # with files, and with indexes; beyond them those of the least recent visitor are deleted


def megabytes(size: int) -> str:
    """A number of bytes in words.

    Example:
        >>> megabytes(20_000_000)
        '20 MB'
    """
    return f"{size / 1_000_000:.0f} MB"
