"""Which files of which asset changed, and how; assets are told apart by where they are used.

An asset's hash stands in the template and in the definition. Two hashes at the same place are two
versions of one asset, so this works for a template alone, too, that says nothing of its assets.
"""

import difflib
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from operations.review.assemblies.assembly import Assembly
from operations.review.changes import Change
from operations.review.definition import Definitions, with_consequences
from operations.review.template.names import Names
from operations.review.template.wording import listed, sentence

_HASH = re.compile(r"\b[0-9a-f]{64}\b")
# More files are counted, not named.
_MOST_NAMED = 5

Place = tuple[str, ...]


@dataclass(frozen=True)
class Asset:
    """Two versions of one asset, or one that is on one side alone.

    Attributes:
        name: The construct path that it has, or else where it is used.
        old: Its hash before; None if there was none.
        new: Its hash after; None if there is none.
        steps: The steps that use it.
    """

    name: str
    old: str | None
    new: str | None
    steps: set[str] = field(default_factory=set, compare=False)


class Assets:
    """The assets of two assemblies.

    Args:
        old: The assembly before, in the names of the new one.
        new: The assembly after.

    Attributes:
        pairs: All of them, by name.
    """

    def __init__(self, old: Assembly, new: Assembly) -> None:
        self._old, self._new = old, new
        self.pairs = sorted(self._paired(), key=lambda asset: asset.name)

    def in_words(self, definition: Mapping[str, Any], *, old: bool) -> dict[str, Any]:
        """A definition with the assets' names in the places of their hashes.

        Args:
            definition: The definition.
            old: Whether it is the one before.
        """
        names = {
            digest: f"${{{asset.name}}}"
            for asset in self.pairs
            if (digest := asset.old if old else asset.new) is not None
        }
        said: dict[str, Any] = _replaced(definition, names)
        return said

    def _paired(self) -> Iterator[Asset]:
        before, after = (dict(_uses(one)) for one in (self._old, self._new))
        pairs: dict[tuple[str | None, str | None], list[Place]] = defaultdict(list)
        for place in dict.fromkeys((*after, *before)):
            pairs[before.get(place), after.get(place)].append(place)
        self._pair_by_name(pairs)
        told_old = {old for old, new in pairs if old and new}
        told_new = {new for old, new in pairs if old and new}
        names: set[str] = set()
        for (old, new), places in pairs.items():
            if not (old and new) and (old in told_old or new in told_new):
                continue  # used in one more place, or in one less
            name = self._new.asset_names.get(new or "") or self._old.asset_names.get(old or "")
            name = name or _said(places[0])
            while name in names:
                name += " (another)"
            names.add(name)
            yield Asset(name, old, new, {place[1] for place in places if place[0] == "Steps"})

    def _pair_by_name(self, pairs: dict[tuple[str | None, str | None], list[Place]]) -> None:
        """Pair what has the same construct path and stands at another place now."""
        came = {self._new.asset_names.get(new or ""): new for old, new in pairs if not old}
        for old, new in list(pairs):
            name = self._old.asset_names.get(old or "")
            if new is None and name and name in came:
                pairs[old, came[name]] += pairs[old, None] + pairs[None, came[name]]

    def changes(self) -> Iterator[tuple[Change, set[str]]]:
        """The changes of kind ``asset``, and the steps that use each."""
        for asset in self.pairs:
            if asset.old != asset.new:
                yield self._change(asset), asset.steps

    def _change(self, asset: Asset) -> Change:
        if asset.old is None or asset.new is None:
            return self._one_sided(asset)
        before, after = (
            side.assets.get(digest)
            for side, digest in ((self._old, asset.old), (self._new, asset.new))
        )
        if before is None or after is None:
            side = "before" if before is None else "now"
            said = (
                f"{asset.name} changed, but its files can't be compared: those {side} are not there"
            )
            return Change("warning", "asset", asset.name, None, None, sentence(said))
        return _compared(asset.name, _files(before), _files(after))

    def _one_sided(self, asset: Asset) -> Change:
        is_new = asset.old is None
        side, digest = (self._new, asset.new) if is_new else (self._old, asset.old)
        there = side.assets.get(digest or "")
        files = sorted(_files(there)) if there is not None else None
        said = f"{asset.name} {'is new' if is_new else 'is no longer used'}"
        if files is not None:
            said += f": {_counted(len(files), 'file')}"
        old, new = (None, files) if is_new else (files, None)
        return Change("notice", "asset", asset.name, old, new, sentence(said))


def compare(assets: Assets, definitions: Definitions) -> list[Change]:
    """How the files of each asset changed.

    Args:
        assets: The assets of both sides.
        definitions: The definitions, whose steps use them.
    """
    return [
        with_consequences(change, definitions.consequences.of_another_key(steps))
        for change, steps in assets.changes()
    ]


def _uses(assembly: Assembly) -> Iterator[tuple[Place, str]]:
    """Where which hash stands."""
    for step in assembly.definition.get("Steps", []):
        for place, text in _texts(step):
            for number, digest in enumerate(_HASH.findall(text)):
                yield ("Steps", str(step.get("Name")), *place, str(number)), digest
    names = Names(assembly.template)
    for logical_id, resource in assembly.template.get("Resources", {}).items():
        if resource["Type"] == "AWS::SageMaker::Pipeline":
            continue
        for place, text in _texts(names.plain(resource.get("Properties", {}))):
            for number, digest in enumerate(_HASH.findall(text)):
                yield (names.of(logical_id), *place, str(number)), digest


def _texts(value: Any, place: Place = ()) -> Iterator[tuple[Place, str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(inner, (*place, str(key)))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            name = inner.get("InputName") if isinstance(inner, Mapping) else None
            yield from _texts(inner, (*place, str(name or number)))


def _said(place: Place) -> str:
    """A place as the name of what stands there: "the input code of PackagingStep"."""
    if place[0] != "Steps":
        return f"the asset of {place[0]}"
    if "ProcessingInputs" in place[:-1]:
        return f"the input {place[place.index('ProcessingInputs') + 1]} of {place[1]}"
    return f"the asset of {place[1]}"


def _replaced(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _HASH.sub(lambda found: names.get(found[0], found[0]), value)
    if isinstance(value, Mapping):
        return {key: _replaced(inner, names) for key, inner in value.items()}
    if isinstance(value, list):
        return [_replaced(inner, names) for inner in value]
    return value


def _files(asset: Path) -> dict[str, bytes]:
    """The files of an asset, which is a folder, a zip file, or a file."""
    if asset.is_dir():
        return {
            file.relative_to(asset).as_posix(): file.read_bytes()
            for file in sorted(asset.rglob("*"))
            if file.is_file()
        }
    if zipfile.is_zipfile(asset):
        with zipfile.ZipFile(asset) as archive:
            return {
                entry.filename: archive.read(entry)
                for entry in archive.infolist()
                if not entry.is_dir()
            }
    return {asset.name: asset.read_bytes()} if asset.exists() else {}


def _compared(name: str, old: Mapping[str, bytes], new: Mapping[str, bytes]) -> Change:
    files = [
        _File(file, old.get(file), new.get(file))
        for file in sorted({*old, *new})
        if old.get(file) != new.get(file)
    ]
    if not files:
        said = f"{name} is packed in another way; its files are the same"
        return Change("info", "asset", name, None, None, sentence(said))
    if len(files) == 1:
        said = f"{name}: {files[0].said}"
    else:
        named = [one.said for one in files[:_MOST_NAMED]]
        if len(files) > _MOST_NAMED:
            named.append(f"{len(files) - _MOST_NAMED} more")
        said = f"{name}: {len(files)} files differ: {listed(named)}"
    return Change(
        *("notice", "asset", name),
        {one.name: one.size(one.old) for one in files},
        {one.name: one.size(one.new) for one in files},
        f"{said}.",  # as the construct spells its name
        detail="\n".join(one.difference for one in files if one.difference),
    )


@dataclass(frozen=True)
class _File:
    """A file that differs; on one side it may not be there."""

    name: str
    old: bytes | None
    new: bytes | None

    @property
    def said(self) -> str:
        """What happened to it, in a few words."""
        if self.old is None:
            return f"{self.name} is new ({self.size(self.new)})"
        if self.new is None:
            return f"{self.name} is gone ({self.size(self.old)})"
        before, after = _lines(self.old), _lines(self.new)
        if before is None or after is None:
            return f"{self.name} changed, from {self.size(self.old)} to {self.size(self.new)}"
        signs = [line[:1] for line in _unified(self.name, before, after)[2:]]
        added, removed = (_counted(signs.count(sign), "line") for sign in ("+", "-"))
        return f"{self.name} changed, {added} added and {removed} removed"

    @property
    def difference(self) -> str:
        """Its lines that differ, as ``diff`` shows them; empty if it is no text."""
        before, after = (_lines(one or b"") for one in (self.old, self.new))
        if before is None or after is None:
            return ""
        return "\n".join(_unified(self.name, before, after))

    def size(self, content: bytes | None) -> str | None:
        """How long it is, in lines if it is text."""
        if content is None:
            return None
        lines = _lines(content)
        return _counted(len(content), "byte") if lines is None else _counted(len(lines), "line")


def _lines(content: bytes) -> list[str] | None:
    """The lines of a text, their ends as they are; None if it is none."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text.splitlines(keepends=True)


def _unified(name: str, old: list[str], new: list[str]) -> list[str]:
    """The difference of two texts; what differs in the ends of lines alone is shown by them."""
    before, after = ([line.removesuffix("\n") for line in one] for one in (old, new))
    if before == after or any("\r" in line for line in (*before, *after)):
        before, after = ([repr(line)[1:-1] for line in one] for one in (old, new))
    found = difflib.unified_diff(before, after, f"before/{name}", f"after/{name}", lineterm="")
    return list(found)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
