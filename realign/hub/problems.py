"""Problems between this machine and the hub, in a line each, with a way out."""

from __future__ import annotations

from dataclasses import dataclass

from selector.errors import InputError, NoDataError, RealingoError

CONVERTED = "refs/convert/parquet"  # what the hub itself makes of a data set
OFFLINE = ("ConnectionError", "ConnectError", "OfflineModeIsEnabled", "LocalEntryNotFoundError", "ConnectTimeout")


class UnreachableError(InputError):
    """The hub does not answer, and the data was not loaded before."""


@dataclass(frozen=True)
class HubRequest:
    """A request to the hub: a configuration or a file of a repository, for a language."""

    repository: str
    config: str  # or the name of a file
    revision: str | None
    language: str
    home: str = ""  # where the text can be had by hand
    folders: bool = False  # a configuration is a folder

    @property
    def where(self) -> str:
        return f"{self.repository} on the hub"

    def nothing(self) -> NoDataError:
        """NoDataError for a configuration or file that does not exist."""
        other = f"; other text is at {self.home}" if self.home else ""
        hint = f"leave {self.language} out, or set data.names{other}"
        return NoDataError(f"{self.where} has nothing for {self.language} ('{self.config}')", hint)

    def _by_hand(self) -> str:
        """Hint on how to get the text without the hub; empty where none is known."""
        if not self.home:
            return ""
        return f"get its text from {self.home}" + ("" if "kind =" in self.home else " and give that folder as path")

    def explain(self, problem: Exception) -> RealingoError:
        """Error to raise for a `problem` in loading: NoDataError if the data does not exist, UnreachableError without
        an answer.
        """
        if isinstance(problem, RealingoError):
            return problem
        text, kinds = str(problem), kinds_of(problem)
        first = (text.strip().splitlines() or [type(problem).__name__])[0]
        by_hand = self._by_hand()
        if "GatedRepoError" in kinds or "gated dataset" in text.lower():
            message = f"{self.where} is gated: its owners give access on request"
            return InputError(message, "ask for access on its page, then: hf auth login")
        if "scripts are no longer supported" in text:
            hint = by_hand or 'try revision = "refs/convert/parquet", folders = true'
            return InputError(f"{self.where} comes as a program, which is never run", hint)
        if "RevisionNotFoundError" in kinds or ("evision" in text and "doesn't exist" in text):
            if self.revision == CONVERTED:
                message = f"the hub has no conversion of {self.repository} to parquet, and programs are never run"
                return InputError(message, by_hand or "set data.revision to a branch that has its text")
            hint = by_hand or "correct data.revision: a branch, a tag or a commit of its page"
            return InputError(f"{self.where} has no such revision: '{self.revision or 'main'}'", hint)
        if kinds & set(OFFLINE):
            message = f"cannot reach {self.where}, and {self.language} ({self.config}) is not in the cache"
            return UnreachableError(message, "go online once; check the network, HF_HUB_OFFLINE and HF_ENDPOINT")
        if kinds & {"RepositoryNotFoundError"} or _no_repository(text, kinds):
            message = f"there is no {self.where}, or you have no access to it"
            return InputError(message, "check data.id; a private one: hf auth login")
        absent = kinds & {"DataFilesNotFoundError", "EmptyDatasetError", "EntryNotFoundError"}
        # raised by the cache when the hub does not have it
        if absent or "BuilderConfig" in text or "find cache for" in text:
            return self.nothing()
        message = f"cannot read {self.where} for {self.language} ({self.config}): {first}"
        return InputError(message, "the download may be broken: try again")


def kinds_of(problem: BaseException) -> set[str]:
    """Names of the classes of `problem` and of what caused it, with those they inherit from."""
    names: set[str] = set()
    seen: BaseException | None = problem
    while seen is not None:
        names |= {kind.__name__ for kind in type(seen).__mro__}
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return names


def _no_repository(text: str, kinds: set[str]) -> bool:
    return "DatasetNotFoundError" in kinds and "doesn't exist on the Hub" in text
