"""The report of a package that was made."""

from __future__ import annotations

from .contract import ARCHIVE_NAME, CODE, REPORT_SCHEMA_VERSION, VERSION
from .errors import show
from .job import Job, Result
from .judge import Plan
from .log import log
from .model_input import Archive
from .shipped import Folder


def packaged_files(result: Result, plan: Plan) -> int:
    return result.judge.files + sum(folder.files for folder in plan.folders)


def describe_scripts(scripts: Folder, digest: str, entry_point: str) -> dict[str, object]:
    return {
        "digest": digest,
        "bytes": scripts.bytes,
        "files": scripts.files,
        "entry_point": f"{CODE}/{entry_point}",
        "left_out": len(scripts.left_out),
        "left_out_files": scripts.left_out[:20],
    }


def some(names: list[str], count: int) -> str:
    """The names that are known of so many."""
    more = f" and {count - len(names)} more" if count > len(names) else ""
    return ", ".join(map(show, names)) + more


def describe(job: Job, result: Result, seconds: float) -> dict[str, object]:
    """The report; between runs on the same inputs only seconds and bytes_per_second differ."""
    plan, model, out, announcement = job.plan, job.model, job.out, job.announcement
    judge = result.judge
    warnings = []
    if judge.case_twins:
        names = ", ".join(map(show, judge.case_twins))
        warnings.append(f"names that differ from others only in case: {names}")
    if plan.existing_code == "auto" and judge.replaced:
        names = some(judge.replaced, judge.replaced_files)
        warnings.append(
            f"files of the model's own, replaced by what ships: {names}; existing_code overlay "
            "keeps those of other names, and replace says that this is meant"
        )
    if judge.symlinks:
        names = ", ".join(map(show, judge.symlinks))
        warnings.append(f"symbolic links inside the model, kept: {names}")
    for warning in warnings:
        log(f"mims_package: warning: {warning}")
    packed = list(zip(plan.folders, result.folder_digests))
    scripts = None if job.options.without_scripts else packed.pop(0)
    return {
        "schema_version": REPORT_SCHEMA_VERSION,
        "version": VERSION,
        "source": {
            "uri": announcement.uri,
            "etag": announcement.etag,
            "file": model.name if isinstance(model, Archive) else None,
            # What of the file was compared with what was announced of it.
            "name_checked": isinstance(model, Archive) and model.name == announcement.file,
            "bytes_checked": isinstance(model, Archive) and announcement.size is not None,
            "content_checked": result.content_unchecked is None,
            "content_unchecked_because": result.content_unchecked,
        },
        "archive": {
            "file": ARCHIVE_NAME,
            "bytes": out.size,
            "sha256": out.digest,
            "unpacked_bytes": result.written.size,
            "files": packaged_files(result, plan),
        },
        "model": {
            "kind": model.format if isinstance(model, Archive) else "files",
            # Of the archive file; of loose files, of the tar entries made of them.
            "sha256": result.model_digest,
            "bytes": model.bytes,
            "unpacked_bytes": judge.bytes,
            "files": judge.files,
            "links": judge.links,
            "replaced_entries": judge.dropped,
            "replaced_files": judge.replaced,
        },
        "scripts": scripts and describe_scripts(*scripts, job.options.inference_entry_point),
        "mode": result.mode,
        "mode_reason": result.why,
        "existing_code": plan.existing_code,
        "extra_inputs": [
            {"name": folder.name, "digest": digest, "bytes": folder.bytes, "files": folder.files}
            for folder, digest in packed
        ],
        "ignored_inputs": model.ignored if isinstance(model, Archive) else [],
        "warnings": warnings,
        "seconds": round(seconds, 3),
        "bytes_per_second": round(model.bytes / seconds),
    }
