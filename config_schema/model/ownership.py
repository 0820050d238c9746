"""Who may change which part of a model: the parts in which two versions differ, and their owners. Pure.

Owners and teams' branches are those of the version before the change: otherwise a change could make itself the owner.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from config_schema.model import Datastore, Ecosystem, Platform, Team, Workspace
from config_schema.model.claims import Disputed, claimed, uses
from config_schema.model.mapping import Assignment, DsgMapping
from config_schema.problem import Finding

Part = Platform | Datastore | Workspace


@dataclass(frozen=True)
class Author:
    """Where a change comes from, and the teams that claim to make it."""

    repository: str | None = None
    branch: str | None = None
    teams: tuple[str, ...] = ()

    def __str__(self) -> str:
        where = " ".join(part for part in (self.repository, self.branch) if part)
        known = [f"team {name}" for name in self.teams] + ([where] if where else [])
        return " and ".join(known) or "nobody knows whom"


@dataclass(frozen=True)
class PartChange:
    """A part that differs, and the teams that may change it; if empty, everybody may."""

    path: str  # in the new version, or the list that it has left
    what: str
    owners: tuple[str, ...]
    or_else: str = ""  # what its owner can do in the place of making the change


def teams_of(author: Author, teams: Iterable[Team]) -> frozenset[str]:
    """Return the teams whose repository and branch a change comes from, and those that the author claims."""
    return frozenset(author.teams) | {team.name for team in teams if _comes_from(author, team)}


def _comes_from(author: Author, team: Team) -> bool:
    if team.repository is None or (author.repository or "").lower() != team.repository.lower():
        return False  # servers do not tell upper from lower case in repositories' names, but in branches'
    pattern = ".*".join(map(re.escape, (team.branch or "*").split("*")))
    return re.fullmatch(pattern, author.branch or "", re.DOTALL) is not None


def refusals(changes: Iterable[PartChange], author: Author, before: Ecosystem) -> Iterator[Finding]:
    """Yield a finding for each change that the author may not make."""
    teams = {team.name: team for team in before.teams}
    own = teams_of(author, before.teams)
    for change in changes:
        if change.owners and own.isdisjoint(change.owners):
            owner = change.owners[0]
            what = f"{change.what} belongs to {owner}, and this change comes from {author}"
            yield change.path, what, f"Let {owner} make it{_place(teams.get(owner))}{change.or_else}"


def _place(team: Team | None) -> str:
    if team is None or team.repository is None:
        return ""
    return f", from {team.repository}" + (f" {team.branch}" if team.branch else "")


def ecosystem_changes(before: Ecosystem, after: Ecosystem) -> Iterator[PartChange]:
    """Yield the parts of the ecosystem that were added, changed or removed, in any order."""
    if _rest(before) != _rest(after):
        what = "the list of teams" if before.teams != after.teams else "the ecosystem"
        yield PartChange("teams" if before.teams != after.teams else "name", what, _owners(before.owner))
    yield from _part_changes("platforms", before.platforms, after.platforms, before.owner)
    yield from _part_changes("datastores", before.datastores, after.datastores, before.owner)
    yield from _new_uses("platforms", before, after)
    yield from _new_uses("datastores", before, after)
    yield from _sight_changes(before, after)
    seen = {space.name: space.may_see for space in after.workspaces}
    was = [replace(space, may_see=seen.get(space.name, space.may_see)) for space in before.workspaces]
    yield from _part_changes("workspaces", was, after.workspaces, before.owner)


def _new_uses(of: Literal["platforms", "datastores"], before: Ecosystem, after: Ecosystem) -> Iterator[PartChange]:
    """Yield what parts newly use that belongs to others' parts in the version before.

    The part's owner before the change must be allowed to use it, not only the owner that the change names:
    otherwise a team could give its part, with its own server, to the owner of a secret, together with that secret.
    """
    claims = claimed(before)
    was = {part.name: part for part in getattr(before, of)}
    for index, part in enumerate(getattr(after, of)):
        old = was.get(part.name)
        reached = {use.key for use in uses(old)} if old else set()
        by = {one.owner or before.owner for one in (part, old) if one is not None}
        new = (use.of for use in uses(part) if use.key not in reached and use.free not in claims)
        for thing in dict.fromkeys(new):  # once, to however many servers a secret goes
            may = claims.get(thing.key, ())
            if isinstance(may, Disputed):
                may = tuple(team for team in dict.fromkeys(may) if team not in by)
            strangers = sorted(owner or "" for owner in by.difference(may))
            if may and strangers:
                or_else = f", or write {' and '.join(strangers)} into shared_with of its part" if all(strangers) else ""
                yield PartChange(f"{of}[{index}]", f"{thing.text}, which {part.name} names,", may, or_else)


def _sight_changes(before: Ecosystem, after: Ecosystem) -> Iterator[PartChange]:
    """Yield changes of what a workspace may see; its own owner may not decide that, because the data is others'."""
    was = {space.name: space.may_see for space in before.workspaces}
    for index, space in enumerate(after.workspaces):
        if set(space.may_see) != set(was.get(space.name, Workspace.may_see)):
            yield PartChange(f"workspaces[{index}].may_see", f"what {space.name} may see", _owners(before.owner))


def _rest(ecosystem: Ecosystem) -> Ecosystem:
    return replace(ecosystem, platforms=(), datastores=(), workspaces=())


def _part_changes(of: str, before: Iterable[Part], after: Iterable[Part], top: str | None) -> Iterator[PartChange]:
    was = {part.name: part for part in before}
    kind = of.removesuffix("s")
    for index, part in enumerate(after):
        old = was.pop(part.name, None)
        if old is None:
            # Whoever has the ecosystem may bring in a part for the team that is to have it.
            yield PartChange(f"{of}[{index}]", f"the new {kind} {part.name}", _owners(part.owner, top))
        elif old != part:
            yield PartChange(f"{of}[{index}]", f"the {kind} {part.name}", _owners(old.owner or top))
    for part in was.values():
        yield PartChange(of, f"the {kind} {part.name}, which is removed,", _owners(part.owner or top))


def code_changes(files: Iterable[str], before: Ecosystem) -> Iterator[PartChange]:
    """Yield code files that differ: their model may be one thing to a check and another elsewhere."""
    for file in files:
        yield PartChange(file, f"code of the model, {file},", _owners(before.owner))


def mapping_changes(
    before: tuple[Ecosystem, Iterable[DsgMapping]], after: tuple[Ecosystem, Iterable[DsgMapping]]
) -> Iterator[PartChange]:
    """Yield assignments that differ (they belong to their platform's owner), and groups without a platform."""
    top = before[0].owner
    platforms = _owner_by_name(before[0].platforms, after[0].platforms)
    spaces = _owner_by_name(before[0].workspaces, after[0].workspaces)
    was, now = ({(one.workspace, one.dsg_name): one for one in mappings} for _, mappings in (before, after))
    at = {entry: f"[{index}]" for index, entry in enumerate(now)}
    for space, group in dict.fromkeys([*now, *was]):
        old, new = was.get((space, group)), now.get((space, group))
        path = at.get((space, group), "")
        for platform in _differing(old, new):
            what = f"the assignment of {group} of {space} to {platform}"
            yield PartChange(path, what, _owners(platforms.get(platform) or top))
        if (old is None or new is None) and not _assignments(old or new):
            yield PartChange(path, f"that no platform serves {group} of {space}", _owners(spaces.get(space) or top))


def _owner_by_name(before: Iterable[Part], after: Iterable[Part]) -> Mapping[str, str | None]:
    return {part.name: part.owner for part in (*after, *before)}


def _differing(old: DsgMapping | None, new: DsgMapping | None) -> list[str]:
    was, now = _assignments(old), _assignments(new)
    return [name for name in dict.fromkeys([*now, *was]) if was.get(name) != now.get(name)]


def _assignments(mapping: DsgMapping | None) -> dict[str, Assignment]:
    return {} if mapping is None else {one.data_platform: one for one in mapping.assignments}


def _owners(*names: str | None) -> tuple[str, ...]:
    return tuple(name for name in names if name is not None)
