"""A set of languages in canonical form: sorted, unique, hashable. Order of construction never matters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from selector.errors import InputError
from selector.languages.conversion import Languages, as_languages
from selector.languages.language import Language


@dataclass(frozen=True)
class Subset:
    """An immutable set of languages, ordered by code. `Subset()` is the empty set: no realignment."""

    languages: tuple[Language, ...] = ()

    def __post_init__(self) -> None:
        try:
            unique = {language.code: language for language in self.languages}
        except AttributeError:
            message = f"a Subset is made of languages, not of {', '.join(map(repr, self.languages))}"
            raise InputError(message, "Subset.of(…) takes codes and names") from None
        object.__setattr__(self, "languages", tuple(unique[code] for code in sorted(unique)))

    def __hash__(self) -> int:
        """Hash, computed once: a search looks up thousands of subsets at every step."""
        known: int | None = self.__dict__.get("_hash")
        if known is None:
            object.__setattr__(self, "_hash", known := hash(self.languages))
        return known

    def __reduce__(self) -> tuple[type[Subset], tuple[tuple[Language, ...]]]:
        """Pickle without the stored hash: another process hashes strings differently."""
        return Subset, (self.languages,)

    @classmethod
    def of(cls, languages: Languages) -> Subset:
        """Subset of `languages`, given as languages, codes or names. InputError: one of them is no language."""
        given = (languages,) if isinstance(languages, str) else tuple(languages)
        if str in map(type, given):  # a search makes thousands at every step: a generator would cost more
            return cls(as_languages(languages if isinstance(languages, str) else given))
        return cls(given)  # type: ignore[arg-type]  # no strings among them

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(language.code for language in self.languages)

    @property
    def key(self) -> str:
        """The codes joined by `+`: a readable, canonical identity ("" for the empty set)."""
        return "+".join(self.codes)

    def add(self, language: Language) -> Subset:
        return Subset((*self.languages, language))

    def drop(self, language: Language) -> Subset:
        return Subset(tuple(other for other in self.languages if other.code != language.code))

    def swap(self, out: Language, into: Language) -> Subset:
        return self.drop(out).add(into)

    def __len__(self) -> int:
        return len(self.languages)

    def __iter__(self) -> Iterator[Language]:
        return iter(self.languages)

    def __contains__(self, language: object) -> bool:
        return isinstance(language, Language) and language.code in self.codes
