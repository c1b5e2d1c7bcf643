import copy
import json
import re
from typing import Any

import botocore.session
import pytest
from aws_cdk import App, Duration, NestedStack, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Annotations, Match, Template
from moto.events.models import EventPattern

from model_packaging import (
    DeclaredParameters,
    ExistingPipeline,
    ModelApproved,
    ModelUpload,
    PackageStepConfig,
    PackagingPipeline,
    PipelineTrigger,
    TrainingJobCompleted,
    UploadOrTrainingJob,
    pipeline_trigger,
)
from model_packaging.models.model_origin import ModelEvent
from model_packaging.step import UploadParameters
from tests.definitions import context, definition_of, resolve

ARN = "arn:aws:sagemaker:eu-west-1:111122223333:pipeline/churn"

# "Amazon S3 event notifications with EventBridge", section Object created, with the bucket and
# the key of these tests.
OBJECT_CREATED = {
    "version": "0",
    "id": "17793124-05d4-b198-2fde-7ededc63b103",
    "detail-type": "Object Created",
    "source": "aws.s3",
    "account": "111122223333",
    "time": "2021-11-12T00:00:00Z",
    "region": "ca-central-1",
    "resources": ["arn:aws:s3:::models-bucket"],
    "detail": {
        "version": "0",
        "bucket": {"name": "models-bucket"},
        "object": {
            "key": "models/churn/model.tar.gz",
            "size": 5,
            "etag": "b1946ac92492d2347c6235b4d2611184",
            "version-id": "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e",
            "sequencer": "617f08299329d189",
        },
        "request-id": "N4N7GDK58NMKJ12R",
        "requester": "123456789012",
        "source-ip-address": "1.2.3.4",
        "reason": "PutObject",
    },
}

# "Amazon SageMaker AI events", section SageMaker training job state change, with the names of
# these tests. The sample there leaves out ModelArtifacts, which the events carry as
# DescribeTrainingJob gives it.
TRAINING_JOB_STATE_CHANGE = {
    "version": "0",
    "id": "844e2571-85d4-695f-b930-0153b71dcb42",
    "detail-type": "SageMaker Training Job State Change",
    "source": "aws.sagemaker",
    "account": "111122223333",
    "time": "2018-10-06T12:26:13Z",
    "region": "us-east-1",
    "resources": ["arn:aws:sagemaker:us-east-1:111122223333:training-job/churn-1"],
    "detail": {
        "TrainingJobName": "churn-1",
        "TrainingJobArn": "arn:aws:sagemaker:us-east-1:111122223333:training-job/churn-1",
        "TrainingJobStatus": "Completed",
        "SecondaryStatus": "Completed",
        "ModelArtifacts": {
            "S3ModelArtifacts": "s3://models-bucket/training/churn-1/output/model.tar.gz"
        },
        "HyperParameters": {"Hyper": "Parameters"},
        "AlgorithmSpecification": {
            "TrainingImage": "TrainingImage",
            "TrainingInputMode": "TrainingInputMode",
        },
        "RoleArn": "arn:aws:iam::111122223333:role/SMRole",
        "InputDataConfig": [{"ChannelName": "Train", "ContentType": "ContentType"}],
        "OutputDataConfig": {"KmsKeyId": "KmsKeyId", "S3OutputPath": "S3OutputPath"},
        "ResourceConfig": {"InstanceType": "InstanceType", "InstanceCount": 3},
        "VpcConfig": {},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        "CreationTime": "1583831889050",
        "SecondaryStatusTransitions": [],
        "Tags": {},
    },
}


@pytest.fixture
def stack() -> Stack:
    return Stack(App(), "Stack")


@pytest.fixture
def bucket(stack: Stack) -> s3.IBucket:
    return s3.Bucket.from_bucket_name(stack, "Bucket", "models-bucket")


def existing(
    model: ModelEvent | UploadOrTrainingJob, *optional: str, **settings: Any
) -> ExistingPipeline:
    """A pipeline that requires what its model fills."""
    required = [parameter.name for parameter in model.bind(context()).parameters]
    declared = DeclaredParameters(required, optional)
    return ExistingPipeline(ARN, model, **({"parameters": declared} | settings))


def rules_of(stack: Stack) -> list[dict[str, Any]]:
    rules = Template.from_stack(stack).find_resources("AWS::Events::Rule")
    return [rule["Properties"] for _, rule in sorted(rules.items())]


def target_of(stack: Stack) -> dict[str, Any]:
    [rule] = rules_of(stack)
    [target] = rule["Targets"]
    return target


def matches(stack: Stack, event: dict[str, Any], **change: Any) -> bool:
    """Whether the synthesized rule matches a sample event, changed at paths of its detail."""
    event = copy.deepcopy(event)
    for path, value in change.items():
        *folders, name = path.split("__")
        place = event["detail"]
        for folder in folders:
            place = place[folder]
        place[name] = value
    [rule] = rules_of(stack)
    pattern = json.dumps(resolve(rule["EventPattern"], {}))
    return bool(EventPattern.load(pattern).matches_event(event))


def test_an_upload_starts_the_pipeline_and_its_neighbours_do_not(
    stack: Stack, bucket: s3.IBucket
) -> None:
    PipelineTrigger(stack, "Trigger", pipeline=existing(ModelUpload(bucket, prefix="models/")))
    assert matches(stack, OBJECT_CREATED)
    assert matches(stack, OBJECT_CREATED, object__key="models/a/b c.tar.gz")
    assert not matches(stack, OBJECT_CREATED, object__key="models/churn/model.tar.gz.sha256")
    assert not matches(stack, OBJECT_CREATED, object__key="packaged/churn/model.tar.gz")
    assert not matches(stack, OBJECT_CREATED, object__key="old/models/model.tar.gz")
    assert not matches(stack, OBJECT_CREATED, bucket__name="other-bucket")
    assert not matches(stack, OBJECT_CREATED | {"detail-type": "Object Deleted"})
    assert not matches(stack, TRAINING_JOB_STATE_CHANGE)


def test_a_completed_training_job_starts_the_pipeline_and_its_neighbours_do_not(
    stack: Stack, bucket: s3.IBucket
) -> None:
    jobs = TrainingJobCompleted(bucket, prefix="training/", job_name_prefix="churn-")
    PipelineTrigger(stack, "Trigger", pipeline=existing(jobs))
    event, uri = TRAINING_JOB_STATE_CHANGE, "ModelArtifacts__S3ModelArtifacts"
    assert matches(stack, event)
    assert not matches(stack, event, TrainingJobStatus="Failed")
    assert not matches(stack, event, TrainingJobStatus="Stopped")
    assert not matches(stack, event, TrainingJobName="fraud-1")
    assert not matches(stack, event, **{uri: "s3://other-bucket/training/model.tar.gz"})
    assert not matches(stack, event, **{uri: "s3://models-bucket/other/model.tar.gz"})
    assert not matches(stack, event | {"detail-type": "SageMaker Processing Job State Change"})
    assert not matches(stack, OBJECT_CREATED)


def test_the_rule_fills_the_parameters_that_its_pipeline_declares(settings: dict[str, Any]) -> None:
    stack = Stack(App(), "Stack")
    bucket = s3.Bucket.from_bucket_name(stack, "Bucket", "models-bucket")
    names = UploadParameters(bucket="From", key="What", etag="Version")
    pipeline = PackagingPipeline(
        stack,
        "Packaging",
        config=PackageStepConfig(**settings),
        model=ModelUpload(bucket, prefix="incoming/", parameters=names),
    )
    PipelineTrigger(stack, "Trigger", pipeline=pipeline)

    filled = target_of(stack)["SageMakerPipelineParameters"]["PipelineParameterList"]
    declared = definition_of(Template.from_stack(stack).to_json())["Parameters"]
    assert [parameter["Name"] for parameter in filled] == ["From", "What", "Version"]
    assert [parameter["Name"] for parameter in declared] == ["From", "What", "Version"]


def test_an_upload_or_a_training_job_have_a_rule_each_and_share_role_and_queue(
    stack: Stack, bucket: s3.IBucket
) -> None:
    model = UploadOrTrainingJob(
        ModelUpload(bucket), TrainingJobCompleted(bucket, "training/", "churn-")
    )
    declared = DeclaredParameters(["ModelLocation"], ["ModelKey", "ModelETag"])
    trigger = PipelineTrigger(stack, "Trigger", pipeline=existing(model, parameters=declared))
    template = Template.from_stack(stack)
    filled = [
        {
            parameter["Name"]: parameter["Value"]
            for parameter in rule["Targets"][0]["SageMakerPipelineParameters"][
                "PipelineParameterList"
            ]
        }
        for rule in rules_of(stack)
    ]
    upload = {
        "ModelLocation": "s3://models-bucket/",
        "ModelKey": "$.detail.object.key",
        "ModelETag": "$.detail.object.etag",
    }
    job = {"ModelLocation": "$.detail.ModelArtifacts.S3ModelArtifacts"}
    assert sorted(filled, key=len) == [job, upload]
    template.resource_count_is("AWS::IAM::Role", 1)
    template.resource_count_is("AWS::SQS::Queue", 1)
    for rule in trigger.rules:
        assert_events_may_write(stack, rule.attr_arn)


def assert_events_may_write(stack: Stack, rule_arn: str) -> None:
    allowed = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Condition": {"ArnEquals": {"aws:SourceArn": stack.resolve(rule_arn)}},
    }
    Template.from_stack(stack).has_resource_properties(
        "AWS::SQS::QueuePolicy",
        {"PolicyDocument": {"Statement": Match.array_with([Match.object_like(allowed)])}},
    )


def test_by_default_a_delivery_is_tried_for_a_day_then_kept_in_a_queue(
    stack: Stack, bucket: s3.IBucket
) -> None:
    trigger = PipelineTrigger(stack, "Trigger", pipeline=existing(ModelUpload(bucket)))
    assert target_of(stack)["RetryPolicy"] == {
        "MaximumEventAgeInSeconds": 86_400,
        "MaximumRetryAttempts": 185,
    }
    assert target_of(stack)["DeadLetterConfig"] == {
        "Arn": stack.resolve(trigger.dead_letter_queue.queue_arn)
    }
    [queue] = Template.from_stack(stack).find_resources("AWS::SQS::Queue").values()
    assert queue["Properties"] == {
        "MessageRetentionPeriod": 1_209_600,
        "SqsManagedSseEnabled": True,
    }
    assert_events_may_write(stack, trigger.rule.attr_arn)


EVENTBRIDGE_USES_KEY = {
    "Effect": "Allow",
    "Principal": {"Service": "events.amazonaws.com"},
    "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
    "Resource": "*",
    "Condition": {
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
        "ArnLike": {
            "aws:SourceArn": {
                "Fn::Join": [
                    "",
                    [
                        "arn:",
                        {"Ref": "AWS::Partition"},
                        ":events:",
                        {"Ref": "AWS::Region"},
                        ":",
                        {"Ref": "AWS::AccountId"},
                        ":rule/*",
                    ],
                ]
            }
        },
    },
}


@pytest.mark.parametrize("queue_given", [False, True])
def test_eventbridge_may_use_the_customer_key_of_the_queue(
    stack: Stack, bucket: s3.IBucket, queue_given: bool
) -> None:
    key = kms.Key(stack, "Key")
    queue = {"dead_letter_key": key}
    if queue_given:
        queue = {"dead_letter_queue": sqs.Queue(stack, "Queue", encryption_master_key=key)}
    trigger = PipelineTrigger(stack, "Trigger", pipeline=existing(ModelUpload(bucket)), **queue)
    template = Template.from_stack(stack)
    template.has_resource_properties(
        "AWS::SQS::Queue", {"KmsMasterKeyId": stack.resolve(key.key_arn)}
    )
    template.resource_count_is("AWS::SQS::Queue", 1)
    template.has_resource_properties(
        "AWS::KMS::Key", {"KeyPolicy": {"Statement": Match.array_with([EVENTBRIDGE_USES_KEY])}}
    )
    assert_events_may_write(stack, trigger.rule.attr_arn)


@pytest.mark.parametrize(
    ("queue", "message"),
    [
        ({"encryption": sqs.QueueEncryption.KMS_MANAGED}, "encrypted with the key alias/aws/sqs"),
        ({"fifo": True}, "'Stack/Queue' is a FIFO queue, and EventBridge writes to standard"),
    ],
)
def test_a_queue_that_eventbridge_can_not_write_to_is_refused(
    stack: Stack, bucket: s3.IBucket, queue: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        PipelineTrigger(
            stack,
            "Trigger",
            pipeline=existing(ModelUpload(bucket)),
            dead_letter_queue=sqs.Queue(stack, "Queue", **queue),
        )


def test_a_key_for_an_existing_queue_is_refused(stack: Stack, bucket: s3.IBucket) -> None:
    with pytest.raises(ValueError, match="dead_letter_key is given together with the existing"):
        PipelineTrigger(
            stack,
            "Trigger",
            pipeline=existing(ModelUpload(bucket)),
            dead_letter_queue=sqs.Queue(stack, "Queue"),
            dead_letter_key=kms.Key(stack, "Key"),
        )


def test_the_role_may_start_this_pipeline_and_nothing_else(
    stack: Stack, bucket: s3.IBucket
) -> None:
    PipelineTrigger(stack, "Trigger", pipeline=existing(ModelUpload(bucket)))
    template = Template.from_stack(stack)
    [policy] = template.find_resources("AWS::IAM::Policy").values()
    assert policy["Properties"]["PolicyDocument"]["Statement"] == [
        {"Effect": "Allow", "Action": "sagemaker:StartPipelineExecution", "Resource": ARN}
    ]
    [role] = template.find_resources("AWS::IAM::Role").values()
    [trust] = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "events.amazonaws.com"}
    assert resolve(trust["Condition"], {}) == {
        "ArnLike": {
            "aws:SourceArn": "arn:<AWS::Partition>:events:<AWS::Region>:<AWS::AccountId>:"
            "rule/Stack-*"
        },
        "StringEquals": {"aws:SourceAccount": "<AWS::AccountId>"},
    }


def test_a_bucket_whose_events_cannot_be_seen_is_a_warning(
    stack: Stack, bucket: s3.IBucket
) -> None:
    ours = s3.Bucket(stack, "Ours")
    PipelineTrigger(stack, "Seen", pipeline=existing(ModelUpload(ours)))
    PipelineTrigger(stack, "Unseen", pipeline=existing(ModelUpload(bucket)))
    jobs = TrainingJobCompleted(bucket, "training/", "churn-")
    PipelineTrigger(stack, "Jobs", pipeline=existing(jobs))
    found = Annotations.from_stack(stack)
    found.has_warning(
        "/Stack/Unseen",
        Match.string_like_regexp(
            "the bucket 'Stack/Bucket' is not made here, .*; set its property "
            "NotificationConfiguration.EventBridgeConfiguration"
        ),
    )
    for quiet in ("/Stack/Seen", "/Stack/Jobs"):
        found.has_no_warning(quiet, Match.any_value())


@pytest.mark.parametrize(
    ("name", "rules"),
    [
        ("ModelPackaging-prod", "rule/ModelPackaging-prod-*"),
        ("ModelPackaging-production-of-the-fraud-team", "rule/ModelPackaging-produ*"),
        (None, "rule/*"),
    ],
)
def test_the_role_is_for_the_rules_of_its_stack(name: str | None, rules: str) -> None:
    app = App()
    # The name of a nested stack is known at deployment only.
    stack = Stack(app, "Stack", stack_name=name) if name else NestedStack(Stack(app, "S"), "Nested")
    models = s3.Bucket(stack, "Models")
    PipelineTrigger(stack, "Trigger", pipeline=existing(ModelUpload(models)))
    [role] = Template.from_stack(stack).find_resources("AWS::IAM::Role").values()
    [trust] = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert resolve(trust["Condition"]["ArnLike"]["aws:SourceArn"], {}).endswith(f":{rules}")


def test_a_given_role_is_used_and_let_start_the_pipeline(stack: Stack, bucket: s3.IBucket) -> None:
    role = iam.Role.from_role_arn(stack, "Ours", "arn:aws:iam::111122223333:role/ours")
    PipelineTrigger(stack, "Trigger", pipeline=existing(ModelUpload(bucket)), role=role)
    template = Template.from_stack(stack)
    template.resource_count_is("AWS::IAM::Role", 0)
    assert target_of(stack)["RoleArn"] == "arn:aws:iam::111122223333:role/ours"
    template.has_resource_properties("AWS::IAM::Policy", {"Roles": ["ours"]})


def test_a_disabled_rule_is_deployed_as_such(stack: Stack, bucket: s3.IBucket) -> None:
    PipelineTrigger(stack, "Trigger", pipeline=existing(ModelUpload(bucket)), enabled=False)
    assert [rule["State"] for rule in rules_of(stack)] == ["DISABLED"]


def test_retries_and_age_can_be_chosen(stack: Stack, bucket: s3.IBucket) -> None:
    PipelineTrigger(
        stack,
        "Trigger",
        pipeline=existing(ModelUpload(bucket)),
        retry_attempts=0,
        maximum_event_age=Duration.minutes(1),
    )
    assert target_of(stack)["RetryPolicy"] == {
        "MaximumEventAgeInSeconds": 60,
        "MaximumRetryAttempts": 0,
    }


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ({"retry_attempts": 186}, "retry_attempts 186 is given, and EventBridge takes 0 to 185"),
        ({"retry_attempts": -1}, "retry_attempts -1 is given"),
        ({"maximum_event_age": Duration.seconds(59)}, "maximum_event_age 59 seconds is given"),
        ({"maximum_event_age": Duration.hours(25)}, "takes whole seconds from 60 to 86400"),
        ({"maximum_event_age": Duration.millis(60_500)}, "takes whole seconds"),
    ],
)
def test_retries_outside_of_eventbridges_range_are_refused(
    stack: Stack, bucket: s3.IBucket, policy: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        PipelineTrigger(stack, "Trigger", pipeline=existing(ModelUpload(bucket)), **policy)


@pytest.mark.parametrize("value", ["production", "$.time", "$.detail.object.version-id", ""])
def test_further_parameters_are_constants_or_whole_paths(
    stack: Stack, bucket: s3.IBucket, value: str
) -> None:
    pipeline = existing(ModelUpload(bucket), "Further")
    PipelineTrigger(stack, "Trigger", pipeline=pipeline, parameters={"Further": value})
    filled = target_of(stack)["SageMakerPipelineParameters"]["PipelineParameterList"]
    assert filled[-1] == {"Name": "Further", "Value": value}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("Model_Kind", "x", "'Model_Kind' is not a name that EventBridge accepts"),
        ("-Kind", "x", "'-Kind' is not a name"),
        ("K" * 257, "x", "is not a name that EventBridge accepts; write 1 to 256 letters"),
        ("Kind", "x" * 1025, "'Kind' has 1025 characters, and EventBridge passes at most 1024"),
        ("Kind", "s3://$.detail.bucket.name/x", "only if it is the whole value; pass it alone"),
        ("ModelKey", "x", "parameters: ModelKey is filled from the event already; leave it out"),
    ],
)
def test_a_parameter_that_eventbridge_would_refuse_is_named(
    stack: Stack, bucket: s3.IBucket, name: str, value: str, message: str
) -> None:
    pipeline = existing(ModelUpload(bucket), name)
    with pytest.raises(ValueError, match=re.escape(message)):
        PipelineTrigger(stack, "Trigger", pipeline=pipeline, parameters={name: value})


def test_more_than_200_parameters_are_refused(stack: Stack, bucket: s3.IBucket) -> None:
    further = {f"P{number}": "x" for number in range(198)}
    pipeline = existing(ModelUpload(bucket), *further)
    with pytest.raises(ValueError, match="201 parameters are filled, and EventBridge passes at mo"):
        PipelineTrigger(stack, "Trigger", pipeline=pipeline, parameters=further)
    del further["P0"]
    PipelineTrigger(stack, "Fits", pipeline=pipeline, parameters=further)


def test_a_parameter_that_the_pipeline_does_not_declare_is_refused(
    stack: Stack, bucket: s3.IBucket
) -> None:
    pipeline = existing(ModelUpload(bucket), parameters=DeclaredParameters(["ModelKey"]))
    with pytest.raises(
        ValueError, match="'churn' declares no parameter ModelBucket, ModelETag; it declares ModelK"
    ):
        PipelineTrigger(stack, "Trigger", pipeline=pipeline)


def test_a_required_parameter_without_a_value_is_refused(stack: Stack, bucket: s3.IBucket) -> None:
    upload = ModelUpload(bucket)
    declared = DeclaredParameters([*upload.parameter_paths, "Approver"])
    pipeline = existing(upload, parameters=declared)
    with pytest.raises(ValueError, match="'churn' requires a value for Approver, which uploads of"):
        PipelineTrigger(stack, "Trigger", pipeline=pipeline)


def test_what_the_rendered_pipeline_declares_is_checked(settings: dict[str, Any]) -> None:
    stack = Stack(App(), "Stack")
    bucket = s3.Bucket.from_bucket_name(stack, "Bucket", "models-bucket")
    jobs = TrainingJobCompleted(bucket, "training/", "churn-")
    pipeline = PackagingPipeline(
        stack, "Packaging", config=PackageStepConfig(**settings), model=jobs
    )
    with pytest.raises(ValueError, match="declares no parameter Approver; it declares ModelUri"):
        PipelineTrigger(stack, "Wrong", pipeline=pipeline, parameters={"Approver": "x"})
    PipelineTrigger(stack, "Trigger", pipeline=pipeline)
    [parameter] = target_of(stack)["SageMakerPipelineParameters"]["PipelineParameterList"]
    assert parameter == {
        "Name": "ModelUri",
        "Value": "$.detail.ModelArtifacts.S3ModelArtifacts",
    }


def test_a_pipeline_that_would_start_itself_is_refused(stack: Stack, bucket: s3.IBucket) -> None:
    uris = ["s3://models-bucket/reports", "s3://models-bucket/models/packaged"]
    pipeline = existing(ModelUpload(bucket), output_s3_uris=uris)
    with pytest.raises(ValueError, match="every package would start the pipeline again"):
        PipelineTrigger(stack, "Trigger", pipeline=pipeline)


def test_two_triggers_that_would_start_a_pipeline_twice_for_a_model_are_refused(
    stack: Stack, bucket: s3.IBucket
) -> None:
    def trigger(construct_id: str, model: ModelEvent) -> PipelineTrigger:
        return PipelineTrigger(stack, construct_id, pipeline=existing(model))

    trigger("Uploads", ModelUpload(bucket, prefix="models/"))
    trigger("Jobs", TrainingJobCompleted(bucket, "training/", "churn-"))
    trigger("OtherUploads", ModelUpload(bucket, prefix="other/"))
    with pytest.raises(ValueError, match="start twice for the same model; keep one of the two"):
        trigger("Overlapping", TrainingJobCompleted(bucket, "models/trained/", "fraud-"))
    with pytest.raises(ValueError, match="start twice for the same model"):
        trigger("Again", ModelUpload(bucket, prefix="models/"))


def test_the_limits_are_those_of_the_service() -> None:
    model = botocore.session.get_session().get_service_model("events")

    def limits(shape: str) -> dict[str, Any]:
        return dict(model.shape_for(shape).metadata)

    name = limits("SageMakerPipelineParameterName")
    rule = re.compile(name["pattern"])
    for candidate in ("a", "a-b", "a--b", "9", "-a", "a-", "a_b", "ä", ""):
        ours = pipeline_trigger.PARAMETER_NAME.fullmatch(candidate)
        assert bool(ours) == bool(rule.fullmatch(candidate)), candidate
    for length in (name["max"], name["max"] + 1):
        allowed = length <= name["max"]
        assert bool(pipeline_trigger.PARAMETER_NAME.fullmatch("a" * length)) is allowed
    assert limits("SageMakerPipelineParameterValue")["max"] == pipeline_trigger.MAX_VALUE_LENGTH
    assert limits("SageMakerPipelineParameterList")["max"] == pipeline_trigger.MAX_PARAMETERS
    assert limits("MaximumRetryAttempts") == {"min": 0, "max": pipeline_trigger.MAX_RETRY_ATTEMPTS}
    age = limits("MaximumEventAgeInSeconds")
    assert (age["min"], age["max"]) == pipeline_trigger.EVENT_AGE_SECONDS


def test_a_trigger_without_an_event_is_refused(stack: Stack) -> None:
    pipeline = ExistingPipeline("arn:aws:sagemaker:eu-west-1:111122223333:pipeline/churn")
    with pytest.raises(ValueError, match="started_by is empty; name the events"):
        PipelineTrigger(stack, "Trigger", pipeline=pipeline, started_by=[])


def test_one_occasion_starts_a_pipeline_once_also_of_one_trigger(stack: Stack) -> None:
    pipeline = ExistingPipeline(ARN, parameters=DeclaredParameters(["ModelPackageArn"]))
    approved = ModelApproved("churn", {"ModelPackageArn": "$.detail.ModelPackageArn"})
    with pytest.raises(ValueError, match="start twice"):
        PipelineTrigger(stack, "Trigger", pipeline=pipeline, started_by=[approved, approved])


def test_an_upload_and_an_approval_are_two_occasions(stack: Stack) -> None:
    bucket = s3.Bucket.from_bucket_name(stack, "Bucket", "models-bucket")
    approved = ModelApproved("churn")
    for event in (
        ModelUpload(bucket),
        TrainingJobCompleted(bucket, "training/", job_name_prefix="churn-"),
    ):
        assert not event.repeats(approved)
        assert not approved.repeats(event)
