"""The SageMaker pipeline that packages a model."""

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aws_cdk import Aws, CfnMapping, CfnTag, Stack, Token
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3_assets as s3_assets
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from model_packaging.definition_bridge import DefinitionBridge
from model_packaging.existing_pipeline import DeclaredParameters
from model_packaging.following.following_steps import BoundSteps, FollowingSteps
from model_packaging.following.package_context import PackageContext
from model_packaging.grants import JobType
from model_packaging.models.model_origin import ModelOrigin
from model_packaging.models.starts import refuse_loop
from model_packaging.models.step_context import StepContext
from model_packaging.monitoring import metrics
from model_packaging.rendering_store import rendering_store
from model_packaging.roles import PackagingRoles
from model_packaging.step import (
    MIMSPackagingStepBuilder,
    PackagedModel,
    PackageStepConfig,
    contract,
    offline,
    render_definition,
)
from model_packaging.step.request import all_steps
from model_packaging.step.s3_location import S3Location
from model_packaging.step.sdk.sklearn_image import (
    image_accounts,
    image_repository,
    image_uri,
)
from model_packaging.step.settings.expressions import is_expression


class PackagingPipeline(Construct):
    """A SageMaker pipeline around one step: join a model with its inference scripts.

    Creates the pipeline with its definition inline, the two roles, and the packager and the
    inference scripts as assets, unless they are in S3. Grants the job's role to read the model's
    keys and these (:meth:`PackagingGrants.read_assets`), and to write below
    ``config.pipeline_s3_loc``. Declares the pipeline parameters that stand for settings. What a
    step before has written and ``extra_inputs`` names, let the job's role read with
    ``roles.grants.read``. If the output is in another bucket than the model, with a KMS key of its
    own, or if you brought a key to the bootstrap, let the job use the key with
    ``roles.grants.use_key``.

    Args:
        config: Settings of the packaging step. May contain CDK tokens.
        model: Where models come from.
        following: Steps behind the packaging step, such as ``ModelRegistration`` or your own
            (``StepsBehind``), in their order.
        pipeline_role: An existing role for the pipeline. Default: one is made.
        job_role: An existing role for the job. Default: one is made.
        confined_network: Whether the job may attach network interfaces in its subnets with its
            security groups alone, if it has any: see ``PackagingGrants.attach_to_network``.
        asset_account: Account of the bucket that the stack's synthesizer publishes assets to.
            Default: the stack's.

    Attributes:
        model: Where models come from.
        cfn_pipeline: The ``AWS::SageMaker::Pipeline``.
        pipeline_name: Its name.
        pipeline_arn: Its ARN.
        packaged_s3_uri: S3 prefix of the packages.
        roles: The pipeline's and the job's role.

    Raises:
        InvalidRequestError: SageMaker would refuse the job.
        ValueError: The stack's region or the framework version has no scikit-learn container,
            a package would start the pipeline again, or a pipeline parameter stands where the
            job's policy needs the value.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: PackageStepConfig,
        model: ModelOrigin,
        following: Sequence[FollowingSteps] = (),
        pipeline_role: iam.IRole | None = None,
        job_role: iam.IRole | None = None,
        confined_network: bool = False,
        asset_account: str | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._config = config
        self._confined_network = confined_network
        self._following = tuple(following)
        self.model = model
        self.packaged_s3_uri = config.pipeline_s3_loc
        refuse_loop(self.output_s3_uris, model.events, setting="pipeline_s3_loc")
        _require_same_region(config, Stack.of(self))
        if not self.writes_by_execution and any(one.registers_package for one in self._following):
            raise ValueError(
                "output_per_execution: False is given, and a package is registered: the next one "
                "would be written over what may be approved by then; leave it out"
            )
        self._bridge = DefinitionBridge(Stack.of(self))
        self._store = rendering_store(self)
        self.pipeline_name = config.pipeline_name
        _refuse_expressions(config)
        self._packaging_script = self._build_asset("PackagingScript", config.get_packaging_source())
        self._inference_scripts = self._build_asset(
            "InferenceScripts", config.get_inference_source_dir()
        )
        self._extra_inputs = {
            name: asset
            for name, place in sorted(config.extra_inputs.items())
            if (asset := self._build_asset(f"ExtraInput-{name}", place))
        }
        self.roles = self._build_roles(pipeline_role, job_role, asset_account)
        definition = self._render()
        self._allow_following(definition)
        self.cfn_pipeline = self._build_pipeline(definition)
        self.pipeline_arn = self._arn_of(self.cfn_pipeline.ref)

    def grant_start(self, grantee: iam.IGrantable) -> iam.Grant:
        """Let a principal start executions of this pipeline."""
        return iam.Grant.add_to_principal(
            grantee=grantee,
            actions=["sagemaker:StartPipelineExecution"],
            # SageMaker has written names in lower case in ARNs; policies compare exactly.
            resource_arns=[
                self.pipeline_arn,
                *(
                    []
                    if Token.is_unresolved(self.pipeline_name)
                    or self.pipeline_name == self.pipeline_name.lower()
                    else [self._arn_of(self.pipeline_name.lower())]
                ),
            ],
        )

    def grant_read_packages(self, grantee: iam.IGrantable) -> iam.Grant:
        """Let a principal read the packages and their reports, also where a key encrypts them."""
        packaged = S3Location.parse(self.packaged_s3_uri)
        reading = self.roles.grants.read_packages(
            grantee,
            f"arn:{Aws.PARTITION}:s3:::{packaged.bucket}",
            f"{packaged.folder}{contract.PACKAGING_STEP}/*",
        )
        for key in self._package_keys():
            reading = reading.combine(self.roles.grants.use_key(grantee, key, write=False))
        return reading

    def metric_executions_started(self, **options: Any) -> cloudwatch.Metric:
        """Executions that started: see :func:`metrics.metric_executions_started`."""
        return metrics.metric_executions_started(self.pipeline_name, **options)

    def metric_executions_succeeded(self, **options: Any) -> cloudwatch.Metric:
        """Executions that succeeded: see :func:`metrics.metric_executions_succeeded`."""
        return metrics.metric_executions_succeeded(self.pipeline_name, **options)

    def metric_executions_failed(self, **options: Any) -> cloudwatch.Metric:
        """Executions that failed: see :func:`metrics.metric_executions_failed`."""
        return metrics.metric_executions_failed(self.pipeline_name, **options)

    def metric_duration(self, **options: Any) -> cloudwatch.Metric:
        """How long executions ran: see :func:`metrics.metric_duration`."""
        return metrics.metric_duration(self.pipeline_name, **options)

    @property
    def writes_by_execution(self) -> bool:
        """Whether each execution writes below its own id."""
        return self._config.output_per_execution

    @property
    def output_s3_uris(self) -> list[str]:
        """S3 prefixes that the pipeline writes below."""
        return [self.packaged_s3_uri]

    @property
    def parameters(self) -> DeclaredParameters:
        """The parameters that its definition declares."""
        return DeclaredParameters.of(self.cfn_pipeline)

    def _arn_of(self, pipeline_name: str) -> str:
        return Stack.of(self).format_arn(
            service="sagemaker", resource="pipeline", resource_name=pipeline_name
        )

    def _build_asset(self, construct_id: str, place: Any) -> s3_assets.Asset | None:
        """What is here, as an asset. What is in S3 already, or not wanted, is none."""
        if not isinstance(place, Path):
            return None
        # Not .packageignore: the packaging script needs it to leave out more.
        left_out = [pattern for pattern in contract.LEFT_OUT if pattern != ".packageignore"]
        return s3_assets.Asset(self, construct_id, path=str(place), exclude=left_out)

    def _build_roles(
        self,
        pipeline_role: iam.IRole | None,
        job_role: iam.IRole | None,
        asset_account: str | None,
    ) -> PackagingRoles:
        config = self._config
        roles = PackagingRoles(
            self,
            "Roles",
            image_repository_arn=Stack.of(self).format_arn(
                service="ecr",
                account=self._image_account(),
                resource="repository",
                resource_name=image_repository(config.processing_framework_version),
            ),
            pipeline_name=self.pipeline_name,
            pipeline_role=pipeline_role,
            job_role=job_role,
        )
        grants, job = roles.grants, roles.job_role
        for objects in self.model.reads:
            grants.read(job, objects.bucket.bucket_arn, objects.key_pattern)
            if key := objects.bucket.encryption_key:
                grants.use_key(job, key)
        scripts = (self._packaging_script, self._inference_scripts)
        if assets := [*filter(None, scripts), *self._extra_inputs.values()]:
            grants.read_assets(job, *assets, account=asset_account)
        for place in (config.get_packaging_source(), config.get_inference_source_dir()):
            if isinstance(place, str):
                source = S3Location.parse(place)
                everything = "*" if place.endswith("/") else ""
                bucket_arn = f"arn:{Aws.PARTITION}:s3:::{source.bucket}"
                grants.read(job, bucket_arn, f"{source.key}{everything}")
        for place in config.extra_inputs.values():
            if isinstance(place, str):
                extra = S3Location.parse(place)
                grants.read(job, f"arn:{Aws.PARTITION}:s3:::{extra.bucket}", f"{extra.key}*")
        packaged = S3Location.parse(self.packaged_s3_uri)
        grants.write(job, f"arn:{Aws.PARTITION}:s3:::{packaged.bucket}/{packaged.folder}*")
        if config.output_kms_key:
            grants.encrypt_output(job, self._key_arn("output_kms_key", config.output_kms_key))
        if config.volume_kms_key:
            grants.encrypt_volume(job, self._key_arn("volume_kms_key", config.volume_kms_key))
        if config.subnets:
            grants.attach_to_network(
                job,
                subnet_ids=config.subnets,
                security_group_ids=config.security_group_ids,
                confined=self._confined_network,
            )
        return roles

    def _key_arn(self, setting: str, key: str) -> str:
        stack = Stack.of(self)
        written = stack.resolve(key)
        if "alias/" in json.dumps(written):
            raise ValueError(
                f"{setting}: {written!r} is an alias, which a policy can't name; write the key's "
                "ARN"
            )
        # The id of a key that this stack makes is a Ref; what else a token says is an ARN.
        is_id = any(
            isinstance(found, kms.CfnKey) and stack.resolve(found.ref) == written
            for found in stack.node.find_all()
        ) or (isinstance(written, str) and not written.startswith("arn:"))
        if is_id:
            return stack.format_arn(service="kms", resource="key", resource_name=key)
        return key

    def _render(self) -> dict[str, Any]:
        hide = self._bridge.hide
        builder = MIMSPackagingStepBuilder(
            self._config,
            role=self._bridge.hide_role(self.roles.job_role.role_arn),
            packaging_script_uri=hide(_s3_uri(self._packaging_script)),
            inference_scripts_uri=hide(_s3_uri(self._inference_scripts)),
            extra_input_uris={
                name: uri for name, asset in self._extra_inputs.items() if (uri := _s3_uri(asset))
            },
            image_uri=hide(self._image_uri()),
            hide=hide,
        )
        model = self.model.rendered_from
        following = [steps.rendered_from(self._bridge) for steps in self._following]
        kept = model is not None and None not in following

        def render() -> dict[str, Any]:
            with offline():
                source = self.model.bind(StepContext(self._bridge, kept=kept))
            packaging = builder.create_step(source, source.steps)
            behind = self._bind_following(builder.packaged_model(packaging), kept=kept)
            return render_definition(
                # The definition does not hold the name.
                "pipeline" if Token.is_unresolved(self.pipeline_name) else self.pipeline_name,
                parameters=_all_parameters(
                    source.parameters, builder.parameters, behind.parameters
                ),
                steps=[*source.steps, packaging, *behind.steps],
                unknown=self._bridge.PLACEHOLDER,
            )

        made_from = None
        if kept:
            # Two kinds may say the same of themselves.
            made_from = {
                "step": builder.rendered_from,
                "kind": _kind(self.model),
                "model": model,
                "following": [*zip(map(_kind, self._following), following, strict=True)],
            }
        definition: dict[str, Any] = self._store.get(made_from, render)
        self._allow_other_jobs(definition)
        return definition

    def _bind_following(self, package: PackagedModel, *, kept: bool) -> BoundSteps:
        behind = BoundSteps(())
        for kind in self._following:
            with offline():
                bound = kind.bind(PackageContext(self._bridge, package, behind.steps, kept=kept))
            behind = BoundSteps(
                (*behind.steps, *bound.steps), (*behind.parameters, *bound.parameters)
            )
        return behind

    def _allow_following(self, definition: dict[str, Any]) -> None:
        """Grant what the steps behind the packaging step need, beside their jobs."""
        for kind in self._following:
            kind.allow(self.roles)
            for reader in kind.package_readers:
                self.grant_read_packages(reader)
        step, file = contract.PACKAGING_STEP, contract.PACKAGE_REPORT_PROPERTY_FILE
        results = []
        if f'"Steps.{step}.PropertyFiles.{file}"' in json.dumps(definition):
            results.append(f"{contract.PACKAGE_REPORT_FOLDER}/{contract.REPORT_NAME}")
        if any(kind.registers_package for kind in self._following):
            results.append(f"{contract.PACKAGED_MODEL_FOLDER}/{contract.ARCHIVE_NAME}")
        packaged, role = S3Location.parse(self.packaged_s3_uri), self.roles.pipeline_role
        execution = "*/" if self.writes_by_execution else ""
        folder = f"{packaged.bucket}/{packaged.folder}{step}/{execution}"
        for result in results:
            self.roles.grants.read_results(role, f"arn:{Aws.PARTITION}:s3:::{folder}{result}")
        for key in self._package_keys() if results else ():
            self.roles.grants.use_key(role, key, write=False)

    def _package_keys(self) -> list[kms.IKey | str]:
        """The keys that packages are encrypted with, as far as they are known here."""
        if key := self._config.output_kms_key:
            return [self._key_arn("output_kms_key", key)]
        stack, bucket = Stack.of(self), S3Location.parse(self.packaged_s3_uri).bucket
        of_buckets = [
            objects.bucket.encryption_key
            for objects in self.model.reads
            if stack.resolve(objects.bucket.bucket_name) == stack.resolve(bucket)
        ]
        return list(dict.fromkeys(filter(None, of_buckets)))

    def _allow_other_jobs(self, definition: dict[str, Any]) -> None:
        """Let the pipeline run the jobs of the steps before and behind the packaging step."""
        types: dict[str, JobType] = {"Processing": "processing", "Training": "training"}
        for step in all_steps(definition["Steps"]):
            if step["Name"] == contract.PACKAGING_STEP:
                continue
            role = step.get("Arguments", {}).get("RoleArn")
            if step["Type"] in types and isinstance(role, str):
                self.roles.grants.run_jobs(
                    self.roles.pipeline_role,
                    types[step["Type"]],
                    self._bridge.show_text(role),
                    step_name=step["Name"],
                )

    def _build_pipeline(self, definition: dict[str, Any]) -> sagemaker.CfnPipeline:
        pipeline = sagemaker.CfnPipeline(
            self,
            "Pipeline",
            pipeline_name=self.pipeline_name,
            pipeline_description=self._config.pipeline_description,
            # Not the typed PipelineDefinitionProperty: it writes its keys in lower case, which
            # the service refuses (aws-cdk issue 25774).
            pipeline_definition=self._bridge.show(definition),
            role_arn=self.roles.pipeline_role.role_arn,
            tags=[CfnTag(key=key, value=value) for key, value in self._config.get_tags().items()]
            or None,
        )
        needed = [item for kind in self._following for item in kind.dependencies]
        pipeline.node.add_dependency(*self.roles.grants.policies, *needed)
        return pipeline

    def _image_account(self) -> str:
        version, region = self._config.processing_framework_version, Stack.of(self).region
        if not Token.is_unresolved(region):
            return self._container(version, region).partition(".")[0]
        mapping = self.node.try_find_child("SKLearnRegistry") or CfnMapping(
            self,
            "SKLearnRegistry",
            mapping={
                name: {"account": account} for name, account in image_accounts(version).items()
            },
        )
        assert isinstance(mapping, CfnMapping)  # noqa: S101  # narrows the type
        return mapping.find_in_map(Aws.REGION, "account")

    def _image_uri(self) -> str:
        version, region = self._config.processing_framework_version, Stack.of(self).region
        if not Token.is_unresolved(region):
            return self._container(version, region)
        registry = f"{self._image_account()}.dkr.ecr.{Aws.REGION}.{Aws.URL_SUFFIX}"
        # Repository and tag are the same in every region.
        image = self._container(version, next(iter(image_accounts(version)))).partition("/")[2]
        return f"{registry}/{image}"

    def _container(self, version: str, region: str) -> str:
        uri: str = self._store.get(
            {"container": version, "region": region}, lambda: image_uri(version, region)
        )
        return uri


def _refuse_expressions(config: PackageStepConfig) -> None:
    """What the job's policy has to name must be known when it is written."""
    for setting in ("volume_kms_key", "output_kms_key", "subnets", "security_group_ids"):
        value = getattr(config, setting)
        for item in value if isinstance(value, tuple) else [value]:
            if is_expression(item):
                raise ValueError(
                    f"{setting}: {item.expr} is known when an execution runs, and the job's policy "
                    "has to name the value; write the value itself"
                )


def _kind(told: object) -> str:
    kind = type(told)
    return f"{kind.__module__}.{kind.__qualname__}"


def _all_parameters(of_model: Sequence[Any], *others: Sequence[Any]) -> list[Any]:
    found = {parameter.name: parameter for parameter in of_model}
    for parameter in itertools.chain.from_iterable(others):
        known = found.setdefault(parameter.name, parameter)
        if known.to_request() != parameter.to_request():
            raise ValueError(
                f"the pipeline parameter {parameter.name!r} is declared twice, as "
                f"{known.to_request()} and as {parameter.to_request()}; rename one of them"
            )
    return list(found.values())


def _s3_uri(asset: s3_assets.Asset | None) -> str | None:
    # Not asset.s3_object_url: without a region in the stack, all of that is one token.
    return S3Location(asset.s3_bucket_name, asset.s3_object_key).uri if asset else None


def _require_same_region(config: PackageStepConfig, stack: Stack) -> None:
    if config.aws_region is None or config.aws_region == stack.region:
        return
    if Token.is_unresolved(stack.region):
        raise ValueError(
            f"region: {config.region!r} is given, but the stack {stack.node.id!r} has no region of "
            f"its own; give the stack env=Environment(region={config.aws_region!r}), or leave "
            "region out to deploy one template to every region"
        )
    raise ValueError(
        f"region: {config.region!r} is given, but the stack {stack.node.id!r} is deployed to "
        f"{stack.region!r}; write the same region, or leave region out"
    )
