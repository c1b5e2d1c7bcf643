"""One run: inputs, mode, output, report."""

from __future__ import annotations

import contextlib
import json
import os
import time

from .announcement import read_announcement, require_size
from .atomic_file import AtomicFile
from .contract import ARCHIVE_NAME, DONE_EVENT, VERSION
from .errors import BadInput, CannotSplice, NoSpace, show
from .extra_inputs import collect_extras
from .job import Job, Result
from .job_request import origin
from .judge import Plan
from .log import Progress, log, log_event
from .model_input import Archive, LooseFiles, find_model
from .options import Options
from .report import describe, packaged_files
from .scripts_input import collect_scripts
from .sizes import KIB, MIB
from .splice import try_splice
from .stream import stream
from .verify import read_all_back, read_back


def package(options: Options) -> None:
    started = time.monotonic()
    with contextlib.ExitStack() as resources:
        # Opened first: what an earlier run left must be gone even if this one fails.
        out = resources.enter_context(AtomicFile(os.path.join(options.output_dir, ARCHIVE_NAME)))
        report = resources.enter_context(AtomicFile(options.report_file))
        folders = collect_extras(options.extra_dir, options.unzip_extra, resources)
        if not options.without_scripts:
            folders.insert(0, collect_scripts(options, resources))
        plan = Plan(folders, options.existing_code)
        announcement = read_announcement(options.job_config_file, options.model_dir)
        model = find_model(options.model_dir, announcement)
        if isinstance(model, Archive):
            require_size(announcement, model.name, model.bytes)
        announce(model, plan)
        check_space(model, plan, out)

        with Progress(model.bytes) as progress:
            job = Job(options, plan, model, out, progress, announcement)
            result = run_mode(job)
        out.sync()
        read_back(out, result.written)
        if options.paranoid:
            read_all_back(out, result.written, options)

        seconds = time.monotonic() - started
        facts = describe(job, result, seconds)
        report.write((json.dumps(facts, indent=2) + "\n").encode())
        out.publish()
        report.publish()
        AtomicFile.keep_all()
    log_event(
        DONE_EVENT,
        **origin(options.job_config_file),
        mode=result.mode,
        archive_bytes=out.size,
        archive_sha256=out.digest,
        model_bytes=model.bytes,
        model_sha256=result.model_digest,
        scripts_digest=None if options.without_scripts else result.folder_digests[0],
        files=packaged_files(result, plan),
        seconds=round(seconds, 3),
        bytes_per_second=round(model.bytes / seconds),
    )


def announce(model: Archive | LooseFiles, plan: Plan) -> None:
    if isinstance(model, Archive):
        log(
            f"mims_package {VERSION}: "
            f"model {show(model.name)}, {model.format}, {model.bytes} bytes"
            + (
                f"; ignored beside it: {', '.join(map(show, model.ignored))}"
                if model.ignored
                else ""
            )
        )
    else:
        log(
            f"mims_package {VERSION}: model of {model.entries} loose files and folders, "
            f"{model.bytes} bytes"
        )
    for folder in plan.folders:
        left_out = f", {len(folder.left_out)} left out" if folder.left_out else ""
        log(f"mims_package: {folder.name}/: {folder.files} files, {folder.bytes} bytes{left_out}")


def check_space(model: Archive | LooseFiles, plan: Plan, out: AtomicFile) -> None:
    """The output must fit, if nothing shrinks; more than that only a bzip2 or xz model can need."""
    front = sum(folder.bytes + 2 * KIB * len(folder.entries) for folder in plan.folders)
    needed = model.bytes + front + MIB
    if isinstance(model, LooseFiles):
        needed += 2 * KIB * model.entries
    free = out.free_bytes()
    if free < needed:
        raise NoSpace(
            f"{show(out.path)} may need {needed} bytes and {free} are free; "
            "give the processing step a larger volume (processing_volume_size)"
        )


def run_mode(job: Job) -> Result:
    model, mode = job.model, job.options.mode
    if mode == "stream":
        why = "asked for"
    elif isinstance(model, LooseFiles):
        why = "the model is loose files"
    elif model.format != "gzip":
        why = f"the archive is {model.format}, not gzip"
    else:
        try:
            return try_splice(job, model)
        except CannotSplice as reason:
            why = str(reason)
            job.out.restart()
            job.progress.done = 0
    if mode == "splice":
        raise BadInput(f"the model cannot be spliced: {why}; use --mode auto or stream")
    log(f"mims_package: streaming: {why}")
    return stream(job, why)
