"""Upload of a folder to the hub: the right to do so is checked before anything long begins, the upload comes last.

A repository is private unless the user asks for a public one: a card may name data whose terms the user has not read
yet, and what was public once stays known. The token is that of HF_TOKEN or of `hf auth login`.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realign.hub.problems import OFFLINE, kinds_of
from selector.errors import InputError, RunError, StopError

if TYPE_CHECKING:
    from huggingface_hub import HfApi

TOKENS = "https://huggingface.co/settings/tokens"
WITHOUT = "or leave --push out: the folder can be pushed later"


@dataclass(frozen=True)
class Destination:
    """A repository of the hub that the user may write to."""

    repository: str  # OWNER/NAME
    public: bool  # what it becomes where it is new
    api: HfApi


@dataclass(frozen=True)
class Pushed:
    """A folder on the hub."""

    repository: str  # OWNER/NAME
    url: str
    revision: str  # commit
    private: bool

    def __str__(self) -> str:
        visibility = "private" if self.private else "public"
        return f"{self.url} ({visibility}), revision {self.revision}"


def check_rights(repository: str, public: bool, api: HfApi | None = None) -> Destination:
    """Check that the user may write to `repository` (OWNER/NAME, or NAME for the user's own), which may not exist yet.

    InputError: the name is impossible, there is no token, the token is refused or may not write there, the hub cannot
    be reached, or the repository is public and a private one is asked for (not `public`).
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(repository)
    except HFValidationError as problem:
        reason = " ".join(str(problem).split()).rstrip(".")
        raise InputError(f"'{repository}' cannot be a repository: {reason}", "name it OWNER/NAME") from None
    api = api or HfApi()
    with _explain_errors(repository):
        about = api.whoami()
    owner, _, name = repository.rpartition("/")
    whole = f"{owner or about['name']}/{name}"
    _check_owner(whole, about)
    _check_token(whole, about)
    if not public and _is_public(whole, api):
        raise InputError(f"{whole} is public already", "add --public to push there, or name another repository")
    return Destination(whole, public, api)


def push(folder: Path, place: Destination, message: str) -> Pushed:
    """Commit the files of `folder` to the repository `place`, created if it is new, with the commit message `message`.

    RunError: it failed; StopError: it was interrupted. The folder stays, and the hint says how to push it again.
    """
    private = "" if place.public else " --private"
    again = f"push it again: hf upload {place.repository} {shlex.quote(str(folder))} .{private}"
    try:
        place.api.create_repo(place.repository, private=not place.public, exist_ok=True)
        commit = place.api.upload_folder(repo_id=place.repository, folder_path=folder, commit_message=message)
        about = place.api.model_info(place.repository)
    except KeyboardInterrupt:
        raise StopError(f"interrupted while {folder} was pushed; the folder is whole", again) from None
    except Exception as problem:  # the libraries below raise of every kind
        message = f"{folder} is whole, but was not pushed to {place.repository}: {_first_line(problem)}"
        raise RunError(message, again) from problem
    url = f"{place.api.endpoint}/{place.repository}"
    return Pushed(place.repository, url, str(commit.oid), bool(about.private))


def _check_owner(repository: str, about: Mapping[str, Any]) -> None:
    """InputError where the owner is neither the user nor one of the organizations."""
    owner, user = repository.split("/")[0], str(about["name"])
    others = [str(each["name"]) for each in about.get("orgs") or ()]
    if owner not in (user, *others):
        known = f"{user} and {', '.join(others)}" if others else user
        raise InputError(f"you may not push to {owner}: the token is that of {user}", f"owners to choose from: {known}")


def _check_token(repository: str, about: Mapping[str, Any]) -> None:
    """InputError if the token says that it may not write there. What it does not say, the upload will show."""
    token = (about.get("auth") or {}).get("accessToken") or {}
    role, scopes = token.get("role"), (token.get("fineGrained") or {}).get("scoped") or ()
    owner = repository.split("/")[0]
    writable = [
        each["entity"].get("name") for each in scopes if "repo.write" in each.get("permissions", ()) if "entity" in each
    ]
    if role == "read" or (role == "fineGrained" and not {owner, repository} & set(writable)):
        message = f"the token '{token.get('displayName', '')}' may not write to {repository}"
        raise InputError(message, f"make one that may at {TOKENS}, and set HF_TOKEN or: hf auth login")


def _is_public(repository: str, api: HfApi) -> bool:
    """True if there is such a repository that everyone can see."""
    from huggingface_hub.errors import RepositoryNotFoundError

    with _explain_errors(repository):
        try:
            return not api.model_info(repository).private
        except RepositoryNotFoundError:
            return False


@contextmanager
def _explain_errors(repository: str) -> Iterator[None]:
    """Context that turns errors of the hub into an InputError."""
    try:
        yield
    except Exception as problem:  # the libraries below raise of every kind
        kinds = kinds_of(problem)
        status = getattr(getattr(problem, "response", None), "status_code", None)
        if "LocalTokenNotFoundError" in kinds:
            message, hint = (
                f"pushing to {repository} needs a token, and there is none",
                "set HF_TOKEN or: hf auth login",
            )
        elif status == 401:
            message = f"the hub refuses the token, so nothing can be pushed to {repository}"
            hint = f"make a new one at {TOKENS}, and set HF_TOKEN (it goes first) or: hf auth login"
        elif kinds & set(OFFLINE):
            message = f"cannot reach the hub to push to {repository}: {_first_line(problem)}"
            hint = f"check the network, HF_HUB_OFFLINE and HF_ENDPOINT, {WITHOUT}"
        else:
            message, hint = f"the hub does not let {repository} be looked at: {_first_line(problem)}", WITHOUT[3:]
        raise InputError(message, hint) from problem


def _first_line(problem: Exception) -> str:
    return (str(problem).strip().splitlines() or [type(problem).__name__])[0]
