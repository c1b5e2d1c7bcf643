"""The one stack: a bucket, a pipeline, the rule that connects them, and what watches over them."""

from pathlib import Path
from typing import Any

from aws_cdk import CfnOutput, Duration, RemovalPolicy, Stack, Tags
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from model_packaging import (
    ArtifactBucket,
    ModelUpload,
    PackageStepConfig,
    PackagingPipeline,
    PipelineMonitoring,
    PipelineTrigger,
    ProcessingLogGroup,
    TrainingJobCompleted,
    UploadOrTrainingJob,
)
from model_packaging.acknowledgements import acknowledge, in_control_packs
from model_packaging.step import contract
from stacks.stage import StageSettings

PROJECT = Path(__file__).parent.parent


class ModelPackagingStack(Stack):
    """Packages every model that arrives in its bucket, as a stage's settings say.

    Args:
        stage: Name of the stage.
        settings: Its settings.

    Attributes:
        artifacts: The bucket for models and packages.
        pipeline: The pipeline.
        trigger: What starts it.
        monitoring: Its alarms and its dashboard, if the stage has any.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: str,
        settings: StageSettings,
        **stack: Any,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            stack_name=settings.stack_name,
            termination_protection=settings.termination_protection,
            tags=settings.tags(stage),
            **stack,
        )
        self._settings = settings
        self._tags = settings.tags(stage)
        self._removal_policy = RemovalPolicy[settings.removal_policy.upper()]
        self.artifacts = self._build_bucket()
        self._customer_key = self.artifacts.encryption_key
        self._uploads, model = self._build_model()
        self.pipeline = self._build_pipeline(model)
        self.trigger = PipelineTrigger(
            self,
            "Trigger",
            pipeline=self.pipeline,
            dead_letter_key=self._customer_key,
            enabled=settings.trigger.enabled,
        )
        self.monitoring = self._build_monitoring()
        self._add_outputs()
        for key, value in self._tags.items():
            Tags.of(self).add(key, value)

    def _build_bucket(self) -> ArtifactBucket:
        settings = self._settings
        key: kms.IKey | bool
        if isinstance(settings.customer_key, str):
            key = kms.Key.from_key_arn(self, "CustomerKey", settings.customer_key)
        else:
            key = settings.customer_key
        kept = settings.bucket.delete_packages_after_days
        artifacts = ArtifactBucket(
            self,
            "Artifacts",
            customer_key=key,
            keep_old_versions_for=Duration.days(settings.bucket.keep_old_versions_days),
            expire_after={"packaged/": Duration.days(kept)} if kept else None,
            access_logs=settings.bucket.access_logs,
            removal_policy=self._removal_policy,
        )
        self._accept_findings(artifacts)
        return artifacts

    def _accept_findings(self, artifacts: ArtifactBucket) -> None:
        if artifacts.access_logs_bucket:
            acknowledge(
                artifacts.access_logs_bucket,
                "The logs tell who read and wrote models and packages, which have no replica "
                "either.",
                *in_control_packs("S3BucketReplicationEnabled"),
            )
        acknowledge(
            artifacts.bucket,
            "Models are kept where they were trained or registered, and a package can be made "
            "again from its model at any time; versions and the removal policy guard against "
            "mistakes. A team that must survive the loss of a region gives the construct a bucket "
            "with replication.",
            *in_control_packs("S3BucketReplicationEnabled"),
        )
        # What is kept must be logged and encrypted with a key of its own: no reason helps there.
        is_trial = self._removal_policy == RemovalPolicy.DESTROY
        if is_trial and not self._settings.customer_key:
            acknowledge(
                artifacts.bucket,
                "The stage holds trials, which are deleted with it; S3's own keys (SSE-S3) "
                "encrypt them. The setting customer_key gives the bucket a key of its own.",
                *in_control_packs("S3DefaultEncryptionKMS"),
            )
        if is_trial and not self._settings.bucket.access_logs:
            acknowledge(
                artifacts.bucket,
                "The stage holds trials, which are deleted with it; nobody would read the logs. "
                "The setting bucket.access_logs turns them on.",
                "AwsSolutions-S1",
                *in_control_packs("S3BucketLoggingEnabled"),
            )

    def _build_model(
        self,
    ) -> tuple[ModelUpload | None, ModelUpload | TrainingJobCompleted | UploadOrTrainingJob]:
        trigger = self._settings.trigger
        bucket = self.artifacts.bucket
        uploads = ModelUpload(bucket, prefix=trigger.prefix, suffix=trigger.suffix)
        if trigger.training_job_name_prefix is None:
            return uploads, uploads
        jobs = TrainingJobCompleted(
            bucket,
            prefix=trigger.training_prefix,
            job_name_prefix=trigger.training_job_name_prefix,
        )
        if trigger.kind == "training-job":
            return None, jobs
        return uploads, UploadOrTrainingJob(uploads, jobs)

    def _build_pipeline(
        self, model: ModelUpload | TrainingJobCompleted | UploadOrTrainingJob
    ) -> PackagingPipeline:
        settings = self._settings
        name = settings.pipeline_name
        encryption = (
            {
                "output_kms_key": self._customer_key.key_arn,
                "volume_kms_key": self._customer_key.key_arn,
            }
            if self._customer_key
            else {}
        )
        return PackagingPipeline(
            self,
            "Packaging",
            config=PackageStepConfig(
                pipeline_name=name,
                pipeline_description="Joins a trained model with its inference scripts.",
                pipeline_s3_loc=self.artifacts.bucket.s3_url_for_object(f"packaged/{name}"),
                source_dir=PROJECT / settings.inference_scripts,
                processing_source_dir=PROJECT / "scripts" / "packager",
                processing_instance_type_small=settings.sizes.instance_type,
                processing_volume_size=settings.sizes.volume_size,
                max_runtime_in_seconds=settings.sizes.max_runtime_in_seconds,
                tags=self._tags,
                **encryption,
                **self._build_network(),
            ),
            model=model,
        )

    def _build_network(self) -> dict[str, Any]:
        network = self._settings.network
        if network is None:
            return {}
        # Its Python alone takes a tenth of a second to import, and few stages have a network.
        from aws_cdk import aws_ec2 as ec2

        from model_packaging import JobNetwork

        vpc = ec2.Vpc.from_vpc_attributes(
            self,
            "Vpc",
            vpc_id=network.vpc_id,
            availability_zones=list(network.availability_zones),
            private_subnet_ids=list(network.subnets),
            private_subnet_route_table_ids=list(network.route_tables) or None,
        )
        built = JobNetwork(
            self,
            "Network",
            vpc=vpc,
            s3_endpoint=network.s3_endpoint,
            s3_prefix_list_id=network.s3_prefix_list_id,
        )
        return {"subnets": built.subnet_ids, "security_group_ids": built.security_group_ids}

    def _build_monitoring(self) -> PipelineMonitoring | None:
        log_group = self._build_log_group()
        alarms = self._settings.alarms
        if alarms is None:
            return None
        topic = (
            sns.Topic.from_topic_arn(self, "AlarmTopic", alarms.topic_arn)
            if alarms.topic_arn
            else None
        )
        monitoring = PipelineMonitoring(
            self,
            "Monitoring",
            pipeline_name=self.pipeline.pipeline_name,
            max_runtime=Duration.seconds(self._settings.sizes.max_runtime_in_seconds),
            duration_share=alarms.duration_share,
            days_without_execution=alarms.days_without_execution,
            trigger=self.trigger,
            log_group=log_group,
            topic=topic,
            topic_key=None if topic else self._customer_key,
            removal_policy=self._removal_policy,
        )
        for address in alarms.emails:
            monitoring.topic.add_subscription(subscriptions.EmailSubscription(address))
        return monitoring

    def _build_log_group(self) -> logs.ILogGroup | None:
        if self._settings.log_retention is None:
            return None
        retention = logs.RetentionDays[self._settings.log_retention]
        return ProcessingLogGroup(self, "ProcessingLogs", retention=retention).log_group

    def _add_outputs(self) -> None:
        step = f"{self.pipeline.packaged_s3_uri}/{contract.PACKAGING_STEP}"
        outputs = {
            "BucketName": (self.artifacts.bucket.bucket_name, "Models in, packages out."),
            "PipelineName": (self.pipeline.pipeline_name, "The SageMaker pipeline."),
            "PipelineArn": (self.pipeline.pipeline_arn, "The same, for policies and rules."),
            "PackagedModelUri": (
                self.pipeline.packaged_s3_uri,
                "Each execution writes its package below this prefix.",
            ),
            "PackageReportUri": (
                step,
                "Each execution writes <execution id>/package_report/package_report.json here.",
            ),
            "DeadLetterQueueUrl": (
                self.trigger.dead_letter_queue.queue_url,
                "Models that could not start the pipeline.",
            ),
        }
        if self._uploads:
            outputs["ModelUploadUri"] = (
                self._uploads.bucket.s3_url_for_object(self._uploads.prefix),
                "Upload a model.tar.gz below this prefix to package it.",
            )
        if self._settings.trigger.kind != "upload":
            outputs["TrainingOutputUri"] = (
                self.artifacts.bucket.s3_url_for_object(self._settings.trigger.training_prefix),
                "Training jobs whose S3OutputPath is below this prefix are packaged.",
            )
        if self.monitoring:
            outputs["DashboardUrl"] = (self.monitoring.dashboard_url, "The dashboard.")
        for name, (value, description) in outputs.items():
            CfnOutput(self, name, value=value, description=description)
