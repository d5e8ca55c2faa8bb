"""What a language is, and how to read any usual name or code for one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Language:
    """One individual language of ISO 639-3 with its place in the world's languages."""

    code: str  # ISO 639-3, individual
    name: str
    family: str
    genus: str
    script: str  # ISO 15924, the main one


Pool = tuple[Language, ...]  # the sampling frame, sorted by code, unique
