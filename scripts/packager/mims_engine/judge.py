"""Verdicts: which of the model's entries stay, and whether they fit together."""

from __future__ import annotations

from typing import NamedTuple

from .archive_names import MAX_PATH, archive_path, parents
from .errors import BadInput, CannotSplice, show
from .name_table import FILE, FOLDER, LINK, NameTable
from .shipped import Folder
from .tar_walk import Entry


class Plan(NamedTuple):
    """What ships in front of the model, and what that means for the model's own entries."""

    folders: list[Folder]
    existing_code: str  # auto, replace, overlay or refuse

    @property
    def owned(self) -> frozenset[str]:
        return frozenset(folder.name for folder in self.folders)


class Policy:
    """Decides by name whether one of the model's own entries stays."""

    def __init__(self, plan: Plan) -> None:
        self._owned = plan.owned
        self._existing = plan.existing_code
        self._shipped = {e.path: e.open is None for f in plan.folders for e in f.entries}

    def keeps(self, path: str) -> bool:
        if path.partition("/")[0] not in self._owned:
            return True
        if self._existing == "refuse":
            raise BadInput(
                f"the model already has {show(path)}, and --existing-code is refuse; package the "
                "model without it, or choose replace or overlay"
            )
        if self._existing in ("auto", "replace"):
            return False
        # overlay: what ships wins over the same name, and over a folder in the place of its file
        return path not in self._shipped and all(
            self._shipped.get(folder, True) for folder in parents(path)
        )


class Judge:
    """Sees every entry of the model, once, in order."""

    NAMED = 20  # of the files that something is said about

    def __init__(
        self, plan: Plan, *, symlinks: str, max_members: int, may_drop: bool = True
    ) -> None:
        self._policy = Policy(plan)
        self._symlinks = symlinks
        self._max_members = max_members
        self._may_drop = may_drop
        self._names = NameTable()
        self._last_folder = ""
        self._members = 0
        self.files = self.folders = self.links = self.bytes = self.dropped = 0
        self.replaced_files = 0
        self.replaced: list[str] = []  # the first of them of each folder
        self.symlinks: list[str] = []  # the first of them
        self.case_twins: list[str] = []
        for folder in plan.folders:
            for entry in folder.entries:
                self._names.add(entry.path, FOLDER if entry.open is None else FILE)

    def __call__(self, entry: Entry) -> bool:
        self._members += 1
        if self._members > self._max_members:
            raise BadInput(
                f"the model has more than {self._max_members} entries; raise --max-members if meant"
            )
        path, kind = entry.path, entry.kind
        if not path:
            # The archive's root: the SageMaker SDK names it "/", which strict readers refuse, and
            # no reader needs it.
            return not self._may_drop
        if not self._policy.keeps(path):
            if not self._may_drop:
                raise CannotSplice(f"the model has its own {show(path)}")
            self._drop(path, kind)
            return False
        folder = path.rpartition("/")[0]
        if folder != self._last_folder:
            self._enter(folder, path)
            self._last_folder = folder
        known = self._names.kind(path)
        if kind == "folder":
            if known and known != FOLDER:
                raise self._twice(path)
            self.folders += 1
            if not known:
                self._add(path, FOLDER)
            return True
        if known:
            raise self._twice(path)
        if kind == "file":
            self._add(path, FILE)
            self.files += 1
            self.bytes += entry.size
        elif kind == "symlink":
            self._check_symlink(entry)
            self._add(path, LINK)
        else:
            self._check_hard_link(entry)
            self._add(path, FILE)
            self.links += 1
        return True

    def has_file(self, path: str) -> bool:
        return self._names.kind(path) == FILE

    def check_complete(self) -> None:
        if not self.files:
            also = " besides what is replaced" if self.dropped else ""
            raise BadInput(f"the model holds no file{also}; look at what the training job wrote")

    def _drop(self, path: str, kind: str) -> None:
        self.dropped += 1
        if kind == "folder":
            return
        self.replaced_files += 1
        folder = path.partition("/")[0]
        named = sum(known.partition("/")[0] == folder for known in self.replaced)
        if named < self.NAMED:
            self.replaced.append(path)

    def _add(self, path: str, kind: int) -> None:
        if self._names.add(path, kind) and len(self.case_twins) < self.NAMED:
            self.case_twins.append(path)

    def _enter(self, folder: str, path: str) -> None:
        """The folders above an entry must be folders, with an entry of their own or without."""
        while folder:
            known = self._names.kind(folder)
            if known == FOLDER:
                return
            if known:
                what = "a symbolic link" if known == LINK else "a file"
                raise BadInput(
                    f"entry {show(path)} lies below {show(folder)}, which is {what}; "
                    "archive the model's real folders"
                )
            self._add(folder, FOLDER)
            folder = folder.rpartition("/")[0]

    def _twice(self, path: str) -> BadInput:
        return BadInput(
            f"entry {show(path)} is in the archive twice, and readers disagree on which counts; "
            "make the archive again from one folder"
        )

    def _check_symlink(self, entry: Entry) -> None:
        if self._symlinks == "refuse":
            raise BadInput(
                f"entry {show(entry.path)} is a symbolic link, and --symlinks is refuse; "
                "archive with tar --dereference"
            )
        if len(entry.target.encode()) > MAX_PATH:
            raise BadInput(
                f"entry {show(entry.path)} is a symbolic link to a name too long to be one; "
                "archive with tar --dereference"
            )
        parts = [part for part in entry.target.split("/") if part not in ("", ".")]
        climbs = 0
        while climbs < len(parts) and parts[climbs] == "..":
            climbs += 1
        # ".." behind a name may climb out through another link, so it may stand at the front only.
        if entry.target.startswith("/") or climbs > entry.path.count("/") or ".." in parts[climbs:]:
            raise BadInput(
                f"entry {show(entry.path)} is a symbolic link to {show(entry.target)}, outside the "
                "model; archive with tar --dereference, or link by a relative path"
            )
        self.links += 1
        if len(self.symlinks) < self.NAMED:
            self.symlinks.append(entry.path)

    def _check_hard_link(self, entry: Entry) -> None:
        target = archive_path(entry.target, f"entry {show(entry.path)}: the link target")
        if not self._policy.keeps(target):
            raise BadInput(
                f"entry {show(entry.path)} is a hard link to {show(target)}, which is replaced; "
                "archive with tar --hard-dereference"
            )
        if self._names.kind(target) != FILE or entry.target.endswith(("/", "/.")):
            raise BadInput(
                f"entry {show(entry.path)} is a hard link to {show(entry.target)}, which is not a "
                "file before it in the archive; archive with tar --hard-dereference"
            )
