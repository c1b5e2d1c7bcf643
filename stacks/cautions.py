"""What works in a stage, but probably not as it was meant: warnings of the synth."""

from collections.abc import Iterator

from model_packaging.step import PackageStepConfig
from stacks.stage import StageSettings


def cautions(stage: str, settings: StageSettings) -> Iterator[tuple[str, str]]:
    """Warnings about a stage's settings.

    Args:
        stage: Name of the stage.
        settings: Its settings.

    Yields:
        The id of each, by which it can be acknowledged, and its text: the setting, and what to
        write.
    """
    trigger, alarms = settings.trigger, settings.alarms
    prefixes = {"prefix": trigger.prefix, "training_prefix": trigger.training_prefix}
    unused = {"upload": "training_prefix", "training-job": "prefix"}.get(trigger.kind)
    for name, prefix in prefixes.items():
        if name != unused and not prefix.endswith("/"):
            yield (
                "model-packaging:prefixOfOtherFolders",
                f"stages.{stage}.trigger.{name}: {prefix!r} is the beginning of other folders' "
                f"names too, such as {prefix + '-old/'!r}, whose objects count as models then; "
                f"write {prefix + '/'!r} for this folder alone",
            )
    packaging, fields = settings.packaging, PackageStepConfig.model_fields
    fixed, caching = "output_per_execution", "enable_caching_package_step"
    if packaging.get(fixed) is False and packaging.get(caching, fields[caching].default) is True:
        yield (
            "model-packaging:cachedPackageWrittenOver",
            f"stages.{stage}.packaging.{fixed}: False is given, and caching is on: a hit of "
            "SageMaker's cache gives a place where another model's package may lie by then; leave "
            f"it out, or write a packaging.{caching} of false",
        )
    kept = settings.bucket.delete_packages_after_days
    if settings.registration is not None and kept is not None:
        yield (
            "model-packaging:registeredPackagesExpire",
            f"stages.{stage}.bucket.delete_packages_after_days: {kept} is given, and packages are "
            "registered: a version that is approved by then has no package any more; leave it "
            "out, or delete versions that old",
        )
    if alarms is not None and not alarms.emails and alarms.topic_arn is None:
        yield (
            "model-packaging:alarmsReachNobody",
            f"stages.{stage}.alarms: alarms are made, but nobody is told; write the addresses of "
            'those who are, "emails": ["ml-operations@example.com"], or the topic_arn of a topic '
            "that they are subscribed to",
        )
