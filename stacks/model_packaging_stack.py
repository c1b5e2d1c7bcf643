"""The one stack: a bucket, a pipeline, the rule that connects them, and what watches over them."""

from typing import TYPE_CHECKING, Any

from aws_cdk import (
    Annotations,
    CfnOutput,
    DefaultStackSynthesizer,
    Duration,
    RemovalPolicy,
    Stack,
    Tags,
)
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from model_packaging import (
    ArtifactBucket,
    ExecutionNotifications,
    ModelRegistration,
    OperatorsPolicy,
    PackagingPipeline,
    PipelineMonitoring,
    PipelineTrigger,
    ProcessingLogGroup,
)
from model_packaging.step import contract
from stacks.announced_models import announced_models
from stacks.cautions import cautions
from stacks.key_filters import PACKAGES
from stacks.registration_settings import faults_of_the_stage, registration_config
from stacks.stage import StageSettings
from stacks.step_settings import step_config

if TYPE_CHECKING:
    from model_packaging import JobNetwork


class ModelPackagingStack(Stack):
    """Packages every model that arrives in its bucket, as a stage's settings say.

    Args:
        stage: Name of the stage.
        settings: Its settings.

    Attributes:
        artifacts: The bucket for models and packages.
        registration: What registers the packages, if anything does.
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
            # Below a prefix of the stack's own, a changed script changes no permission.
            synthesizer=DefaultStackSynthesizer(bucket_prefix=f"{settings.stack_name}/"),
            **stack,
        )
        self._settings = settings
        self._tags = settings.tags(stage)
        self._removal_policy = RemovalPolicy[settings.removal_policy.upper()]
        self._outputs: list[tuple[str, str, str]] = []
        self.artifacts = self._build_bucket()
        self._network = self._build_network()
        self.registration = self._build_registration(stage)
        self.pipeline = self._build_pipeline()
        self.trigger = self._build_trigger()
        self.monitoring = self._build_monitoring()
        self._build_operators_policy()
        self._set_permissions_boundary()
        # Last, where templates of earlier versions have them.
        for name, told, description in self._outputs:
            CfnOutput(self, name, value=told, description=description)
        for key, value in self._tags.items():
            Tags.of(self).add(key, value)
        for warning, text in cautions(stage, settings):
            Annotations.of(self).add_warning_v2(warning, text)

    def _build_bucket(self) -> ArtifactBucket:
        settings = self._settings
        key: kms.IKey | bool
        if isinstance(settings.customer_key, str):
            key = kms.Key.from_key_arn(self, "CustomerKey", settings.customer_key)
        else:
            key = settings.customer_key
        kept = settings.bucket.delete_packages_after_days
        deny = settings.bucket.deny_other_encryption and settings.trigger.kind != "training-job"
        artifacts = ArtifactBucket(
            self,
            "Artifacts",
            customer_key=key,
            keep_old_versions_for=Duration.days(settings.bucket.keep_old_versions_days),
            expire_after={PACKAGES: Duration.days(kept)} if kept else None,
            models_prefix=settings.trigger.prefix if deny else None,
            access_logs=settings.bucket.access_logs,
            removal_policy=self._removal_policy,
        )
        self._tell("BucketName", artifacts.bucket.bucket_name, "Models in, packages out.")
        return artifacts

    def _build_network(self) -> "JobNetwork | None":
        network = self._settings.network
        if network is None:
            return None
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
        return JobNetwork(
            self,
            "Network",
            vpc=vpc,
            s3_endpoint=network.s3_endpoint,
            s3_prefix_list_id=network.s3_prefix_list_id,
        )

    def _build_registration(self, stage: str) -> ModelRegistration | None:
        config = registration_config(self._settings)
        if config is None:
            return None
        with faults_of_the_stage(stage):
            registration = ModelRegistration(
                self, "Registration", config=config, removal_policy=self._removal_policy
            )
        self._tell(
            "ModelPackageGroupArn", registration.group_arn, "Each package is a version of this."
        )
        return registration

    def _build_pipeline(self) -> PackagingPipeline:
        settings, bucket, network = self._settings, self.artifacts.bucket, self._network
        key = self.artifacts.encryption_key
        pipeline = PackagingPipeline(
            self,
            "Packaging",
            config=step_config(
                settings,
                location=bucket.s3_url_for_object(f"{PACKAGES}{settings.pipeline_name}"),
                tags=self._tags,
                key=key.key_arn if key else None,
                subnets=network.subnet_ids if network else (),
                security_groups=network.security_group_ids if network else (),
            ),
            model=announced_models(settings.trigger, bucket),
            following=[self.registration] if self.registration else [],
            confined_network=bool(settings.network and settings.network.confined_permissions),
        )
        if settings.bootstrap_key:
            roles = pipeline.roles
            roles.grants.use_key(roles.job_role, settings.bootstrap_key, write=False)
        self._tell("PipelineName", pipeline.pipeline_name, "The SageMaker pipeline.")
        self._tell("PipelineArn", pipeline.pipeline_arn, "The same, for policies and rules.")
        self._tell(
            "PackagedModelUri",
            pipeline.packaged_s3_uri,
            "Each execution writes its package below this prefix.",
        )
        id_of = "<execution id>/" if pipeline.writes_by_execution else ""
        self._tell(
            "PackageReportUri",
            f"{pipeline.packaged_s3_uri}/{contract.PACKAGING_STEP}",
            f"Each execution writes {id_of}package_report/package_report.json here.",
        )
        return pipeline

    def _build_trigger(self) -> PipelineTrigger:
        settings, bucket = self._settings.trigger, self.artifacts.bucket
        trigger = PipelineTrigger(
            self,
            "Trigger",
            pipeline=self.pipeline,
            dead_letter_key=self.artifacts.encryption_key,
            enabled=settings.enabled,
        )
        self._tell(
            "DeadLetterQueueUrl",
            trigger.dead_letter_queue.queue_url,
            "Models that could not start the pipeline.",
        )
        if settings.kind != "training-job":
            self._tell(
                "ModelUploadUri",
                bucket.s3_url_for_object(settings.prefix),
                "Upload a model.tar.gz below this prefix to package it.",
            )
        if settings.kind != "upload":
            self._tell(
                "TrainingOutputUri",
                bucket.s3_url_for_object(settings.training_prefix),
                "Training jobs whose S3OutputPath is below this prefix are packaged.",
            )
        return trigger

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
            topic_key=None if topic else self.artifacts.encryption_key,
            runbook=alarms.runbook,
            removal_policy=self._removal_policy,
        )
        if alarms.executions:
            ExecutionNotifications(
                self,
                "Notifications",
                pipeline_name=self.pipeline.pipeline_name,
                topic=monitoring.topic,
                statuses=alarms.executions,
            )
        for address in alarms.emails:
            monitoring.topic.add_subscription(subscriptions.EmailSubscription(address))
        self._tell("DashboardUrl", monitoring.dashboard_url, "The dashboard.")
        return monitoring

    def _build_operators_policy(self) -> None:
        if not self._settings.operators_policy:
            return
        operators = OperatorsPolicy(
            self,
            "Operators",
            pipeline=self.pipeline,
            trigger=self.trigger,
            key=self.artifacts.encryption_key,
        )
        self._tell(
            "OperatorsPolicyArn",
            operators.policy.managed_policy_arn,
            "Attach it to who runs the stage's commands.",
        )

    def _build_log_group(self) -> logs.ILogGroup | None:
        if self._settings.log_retention is None:
            return None
        retention = logs.RetentionDays[self._settings.log_retention]
        return ProcessingLogGroup(self, "ProcessingLogs", retention=retention).log_group

    def _set_permissions_boundary(self) -> None:
        named = self._settings.permissions_boundary
        if named is None:
            return
        find = (
            iam.ManagedPolicy.from_managed_policy_arn
            if named.startswith("arn:")
            else iam.ManagedPolicy.from_managed_policy_name
        )
        # Of the roles of custom resources, too.
        iam.PermissionsBoundary.of(self).apply(find(self, "PermissionsBoundary", named))

    def _tell(self, name: str, value: str, description: str) -> None:
        self._outputs.append((name, value, description))
