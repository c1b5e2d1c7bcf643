"""What a change allows and no longer allows, in words."""

import copy
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operations.review.changes import Change
from operations.review.permissions import compare, is_policy, roles_in_words
from operations.review.template.names import Names, with_paths
from tests.conftest import template_of
from tests.operations.review.permissions.requests import allowed, statements

Template = dict[str, Any]
Statement = dict[str, Any]
BUCKET_ARN = {"Fn::GetAtt": ["Bucket", "Arn"]}
MODELS = {"Fn::Join": ["", [BUCKET_ARN, "/models/*"]]}
CHURN = {"Fn::Join": ["", [BUCKET_ARN, "/models/churn/*"]]}
READ: Statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": MODELS}
TRUST: Statement = {
    "Effect": "Allow",
    "Action": "sts:AssumeRole",
    "Principal": {"Service": "sagemaker.amazonaws.com"},
}


def document(*statements: Any) -> Template:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def template(
    *statements: Any, trust: Statement = TRUST, properties: Any = None, **more: Any
) -> Template:
    """A template with a role, its policy, a bucket and whatever else."""
    role = {"AssumeRolePolicyDocument": document(trust), **(properties or {})}
    policy = {"PolicyDocument": document(*statements), "Roles": [{"Ref": "Job"}]}
    resources = {
        "Job": {"Type": "AWS::IAM::Role", "Properties": role},
        "JobPolicy": {"Type": "AWS::IAM::Policy", "Properties": policy},
        "Bucket": {"Type": "AWS::S3::Bucket"},
        **more,
    }
    return {"Resources": resources}


def told(old: Template, new: Template) -> list[tuple[str, str]]:
    """The level and the meaning of every change."""
    return [(change.level, change.meaning) for change in compare(old, new)]


def allow(action: Any, resource: Any = MODELS, **more: Any) -> Statement:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


@pytest.mark.parametrize(
    ("old", "new", "forth", "back"),
    [
        (
            [READ],
            [allow(["s3:GetObject", "s3:DeleteObject"])],
            ("danger", "Job can now delete objects (s3:DeleteObject) in `${Bucket}/models/*`."),
            ("notice", "Job can no longer delete objects (s3:DeleteObject) in "
             "`${Bucket}/models/*`."),
        ),
        (
            [allow("s3:GetObject", CHURN)],
            [READ],
            ("warning", "Job can now read objects (s3:GetObject) in `${Bucket}/models/*`, "
             "before only in `${Bucket}/models/churn/*`."),
            ("notice", "Job can no longer read objects (s3:GetObject) in `${Bucket}/models/*`, "
             "only in `${Bucket}/models/churn/*`."),
        ),
        (
            [allow("kms:Decrypt", "*", Condition={"StringLike": {"kms:ViaService": "s3.*"}})],
            [allow("kms:Decrypt", "*")],
            ("danger", "Job can now decrypt (kms:Decrypt) on every resource, before only where "
             "`kms:ViaService` is like `s3.*`."),
            ("notice", "Job can no longer decrypt (kms:Decrypt) on every resource, only where "
             "`kms:ViaService` is like `s3.*`."),
        ),
        (
            [allow(["ecr:GetImage", "ecr:GetLayer"])],
            [allow("ecr:Get*")],
            ("warning", "Job can now call ecr:Get* on `${Bucket}/models/*`, before only "
             "call ecr:GetImage and ecr:GetLayer."),
            ("notice", "Job can no longer call ecr:Get* on `${Bucket}/models/*`, only "
             "call ecr:GetImage and ecr:GetLayer."),
        ),
        (
            [READ],
            [READ, {"Effect": "Deny", "Action": "s3:*", "Resource": CHURN}],
            ("notice", "Job is now denied to do anything of s3 (s3:*) in "
             "`${Bucket}/models/churn/*`."),
            ("danger", "Job is no longer denied to do anything of s3 (s3:*) in "
             "`${Bucket}/models/churn/*`."),
        ),
        (
            [READ],
            [READ, allow("*", "*")],
            ("danger", "Job can now do anything at all (*) on every resource, before only "
             "read objects (s3:GetObject) in `${Bucket}/models/*`."),
            ("notice", "Job can no longer do anything at all (*) on every resource, only "
             "read objects (s3:GetObject) in `${Bucket}/models/*`."),
        ),
        (
            [READ],
            [READ, {"Effect": "Allow", "NotAction": "iam:*", "NotResource": MODELS}],
            ("danger", "Job can now do all but iam:* on all but `${Bucket}/models/*`."),
            ("notice", "Job can no longer do all but iam:* on all but `${Bucket}/models/*`."),
        ),
    ],
)  # fmt: skip
def test_what_somebody_can_do_is_said_with_what_they_could_and_the_way_back_mirrors_it(
    old: list[Any], new: list[Any], forth: tuple[str, str], back: tuple[str, str]
) -> None:
    assert told(template(*old), template(*new)) == [forth]
    assert told(template(*new), template(*old)) == [back]


def unchanged(change: Change) -> tuple[str, str]:
    assert change.detail
    return change.level, change.meaning


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ([READ, allow("sqs:SendMessage")], [allow("sqs:SendMessage"), READ]),
        ([allow(["s3:GetObject", "s3:PutObject"])], [READ, allow("s3:PutObject")]),
        ([allow("s3:GetObject", [MODELS, CHURN])], [READ]),
        ([READ], [allow("S3:getobject")]),
        ([READ], [{**READ, "Sid": "Read"}]),
        ([allow("s3:Get*"), READ], [allow("s3:Get*")]),
        (
            [READ],
            [allow("s3:GetObject", {"Fn::Sub": "arn:${AWS::Partition}:s3:::${Bucket}/models/*"})],
        ),
        (
            [allow("s3:ListBucket", Condition={"StringLike": {"s3:prefix": ["a/*", "b/*"]}})],
            [
                allow("s3:ListBucket", Condition={"StringLike": {"s3:prefix": "a/*"}}),
                allow("s3:ListBucket", Condition={"StringLike": {"s3:prefix": "b/*"}}),
            ],
        ),
    ],
)
def test_statements_that_allow_the_same_are_merely_rewritten(
    old: list[Any], new: list[Any]
) -> None:
    expected = [("info", "Job can do what it could; only the statements are others.")]
    assert [*map(unchanged, compare(template(*old), template(*new)))] == expected
    assert [*map(unchanged, compare(template(*new), template(*old)))] == expected


def test_nothing_is_said_of_what_is_the_same() -> None:
    assert compare(template(READ), template(READ)) == []


def test_a_policy_may_move_into_its_role_or_to_a_managed_one() -> None:
    apart = template(READ)
    inline = template(properties={"Policies": [{"PolicyDocument": document(READ)}]})
    managed = template(
        properties={"ManagedPolicyArns": [{"Ref": "Managed"}]},
        Managed={
            "Type": "AWS::IAM::ManagedPolicy",
            "Properties": {"PolicyDocument": document(READ)},
        },
    )
    for one in (inline, managed):
        assert [level for level, _ in told(apart, one)] == ["info"]
        assert [level for level, _ in told(one, apart)] == ["info"]


def test_a_topics_arn_is_the_same_however_the_template_comes_by_it() -> None:
    topic = {"Type": "AWS::SNS::Topic"}
    by_ref, by_attribute = (
        template(allow("sns:Publish", one), Topic=topic)
        for one in ({"Ref": "Topic"}, {"Fn::GetAtt": ["Topic", "TopicArn"]})
    )
    assert [level for level, _ in told(by_ref, by_attribute)] == ["info"]
    assert told(template(Topic=topic), by_ref) == [
        ("danger", "Job can now publish messages (sns:Publish) on `${Topic}`.")
    ]
    [(level, meaning)] = told(
        by_ref, template(allow("sns:Publish", "arn:aws:sns:r:1:t"), Topic=topic)
    )
    assert (level, meaning[:10]) == ("danger", "Can't tell")


def test_a_managed_policy_that_nobody_in_the_template_has_is_told_for_whoever_has_it() -> None:
    def policy(*statements: Any) -> Template:
        properties = {"PolicyDocument": document(*statements)}
        return template(Own={"Type": "AWS::IAM::ManagedPolicy", "Properties": properties})

    assert told(policy(), policy(READ)) == [
        ("warning", "Whoever has the policy Own can now read objects (s3:GetObject) in "
         "`${Bucket}/models/*`."),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "other",
    [
        allow("s3:GetObject", "arn:aws:s3:::mine/models/*"),
        allow("s3:GetObject", {"Fn::Sub": "arn:${AWS::Partition}:s3:::${Name}/models/*"}),
        allow("s3:GetObject", {"Fn::Sub": "arn:${AWS::Partition}:s3:::${!aws:PrincipalTag/b}/*"}),
        {"Fn::If": ["IsProd", READ, {"Ref": "AWS::NoValue"}]},
        allow("s3:GetObject", [{"Fn::If": ["IsProd", MODELS, CHURN]}]),
        {**READ, "NotAnElement": 1},
        allow("s3:GetObject", "arn:aws:s3*"),
    ],
)
def test_what_cannot_be_told_is_danger_both_ways(other: Any) -> None:
    old, new = template(READ), template(other)
    old["Parameters"] = new["Parameters"] = {"Name": {"Type": "String"}}
    for changes in (told(old, new), told(new, old)):
        assert [level for level, meaning in changes if "Can't tell" in meaning] == ["danger"]


def test_two_buckets_are_surely_not_the_same() -> None:
    other = {"Fn::Join": ["", [{"Fn::GetAtt": ["Other", "Arn"]}, "/models/*"]]}
    bucket = {"Type": "AWS::S3::Bucket"}
    changes = told(
        template(READ, Other=bucket), template(allow("s3:GetObject", other), Other=bucket)
    )
    assert [level for level, _ in changes] == ["warning", "notice"]
    assert "can now read objects (s3:GetObject) in `${Other}/models/*`" in changes[0][1]


def test_a_mapping_or_a_default_that_changes_changes_what_a_policy_says() -> None:
    account = {"Fn::FindInMap": ["Registry", {"Ref": "AWS::Region"}, "account"]}
    image = {"Fn::Join": ["", ["arn:aws:ecr:eu-west-1:", account, ":repository/sklearn"]]}
    old, new = (
        {
            **template(allow("ecr:GetImage", image)),
            "Mappings": {"Registry": {"eu-west-1": {"account": number}}},
        }
        for number in ("111122223333", "444455556666")
    )
    assert [level for level, _ in told(old, new)] == ["danger"]
    assert "${Registry.AWS::Region.account}" in told(old, new)[0][1]
    assert told(old, old) == []


def test_a_condition_of_the_template_narrows_what_its_resource_says() -> None:
    always, sometimes = template(READ), template(READ)
    sometimes["Resources"]["JobPolicy"]["Condition"] = "IsProd"
    sometimes["Conditions"] = {"IsProd": {"Fn::Equals": [{"Ref": "AWS::Region"}, "eu-west-1"]}}
    assert told(sometimes, always) == [
        ("warning", "Job can now read objects (s3:GetObject) in `${Bucket}/models/*`, before only "
         "where the template's condition `IsProd` holds."),
    ]  # fmt: skip
    other = copy.deepcopy(sometimes)
    other["Conditions"]["IsProd"]["Fn::Equals"][1] = "us-east-1"
    assert "Can't tell" in told(sometimes, other)[0][1]


def test_another_version_of_an_asset_is_no_permission() -> None:
    def reads(letter: str) -> Template:
        key = f"{letter * 64}.zip"
        condition = {"StringLike": {"s3:prefix": [key]}}
        return template(
            allow("s3:GetObject", f"arn:aws:s3:::assets/{key}"),
            allow("s3:ListBucket", "arn:aws:s3:::assets", Condition=condition),
        )

    assert told(reads("a"), reads("b")) == []
    gained = told(template(), reads("b"))
    assert [level for level, _ in gained] == ["warning", "warning"]


def test_who_may_become_a_role_is_danger_if_it_is_more() -> None:
    account = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    bound, unbound = template(trust={**TRUST, "Condition": account}), template()
    assert told(bound, unbound) == [
        ("danger", "The service sagemaker.amazonaws.com can now assume Job, before only where "
         "`aws:SourceAccount` is `${AWS::AccountId}`."),
    ]  # fmt: skip
    # A service that is no longer let in fails.
    assert [level for level, _ in told(unbound, bound)] == ["warning"]
    [change] = compare(bound, unbound)
    assert (change.where, change.kind) == ("Job › trust", "permission")


def test_what_a_pipelines_role_can_no_longer_do_fails_its_executions() -> None:
    pipeline = {
        "Type": "AWS::SageMaker::Pipeline",
        "Properties": {"RoleArn": {"Fn::GetAtt": ["Job", "Arn"]}},
    }
    [change] = compare(
        template(READ, P=pipeline), template(allow("s3:GetObject", CHURN), P=pipeline)
    )
    assert (change.level, change.running) == ("warning", True)
    assert change.meaning.endswith("`${Bucket}/models/churn/*`: executions that need it fail.")


def policy_of(kind: str, target: str, *statements: Any) -> Template:
    [name] = ("Bucket",) if kind == "AWS::S3::BucketPolicy" else ("Queues",)
    return {
        "Type": kind,
        "Properties": {
            name: {"Ref": target} if name == "Bucket" else [{"Ref": target}],
            "PolicyDocument": document(*statements),
        },
    }


TLS: Statement = {
    "Effect": "Deny",
    "Action": "s3:*",
    "Principal": {"AWS": "*"},
    "Resource": [BUCKET_ARN, {"Fn::Join": ["", [BUCKET_ARN, "/*"]]}],
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}


def old_tls(version: float) -> Statement:
    return {**TLS, "Condition": {"NumericLessThan": {"s3:TlsVersion": version}}}


@pytest.mark.parametrize(
    ("old", "new", "forth", "back"),
    [
        (
            [TLS],
            [],
            ("danger", "Requests without TLS to Bucket are no longer denied (s3:*)."),
            ("notice", "Requests without TLS to Bucket are now denied (s3:*)."),
        ),
        (
            [old_tls(1.2)],
            [old_tls(1.1)],
            ("danger", "Requests with an old version of TLS to Bucket are no longer denied (s3:*), "
             "only where `s3:TlsVersion` is below `1.1`."),
            ("notice", "Requests with an old version of TLS to Bucket are now denied (s3:*), "
             "before only where `s3:TlsVersion` is below `1.1`."),
        ),
        (
            [],
            [allow("s3:GetObject", MODELS, Principal="*")],
            ("danger", "Anyone can now read objects (s3:GetObject) in `${Bucket}/models/*`."),
            ("notice", "Anyone can no longer read objects (s3:GetObject) in `${Bucket}/models/*`."),
        ),
        (
            [],
            [allow("s3:GetObject", MODELS, Principal={"AWS": "444455556666"})],
            ("danger", "The account 444455556666 can now read objects (s3:GetObject) in "
             "`${Bucket}/models/*`."),
            ("notice", "The account 444455556666 can no longer read objects (s3:GetObject) in "
             "`${Bucket}/models/*`."),
        ),
        (
            [],
            [allow("s3:GetObject", MODELS, Principal={"AWS": {"Fn::GetAtt": ["Job", "Arn"]}})],
            ("warning", "The role Job can now read objects (s3:GetObject) in "
             "`${Bucket}/models/*`."),
            ("notice", "The role Job can no longer read objects (s3:GetObject) in "
             "`${Bucket}/models/*`."),
        ),
    ],
)  # fmt: skip
def test_a_buckets_policy_is_said_by_who_is_named_in_it(
    old: list[Any], new: list[Any], forth: tuple[str, str], back: tuple[str, str]
) -> None:
    before, after = (
        template(Policy=policy_of("AWS::S3::BucketPolicy", "Bucket", *one)) for one in (old, new)
    )
    assert told(before, after) == [forth]
    assert told(after, before) == [back]
    assert compare(before, after)[0].where == "Bucket › policy"


def test_a_policy_that_is_deleted_is_all_that_it_said() -> None:
    kept = template(Policy=policy_of("AWS::S3::BucketPolicy", "Bucket", TLS))
    assert told(kept, template()) == [
        ("danger", "Requests without TLS to Bucket are no longer denied (s3:*).")
    ]


@pytest.mark.parametrize(
    ("principal", "level"),
    [
        ({"Service": "events.amazonaws.com"}, "warning"),
        ({"AWS": {"Fn::Sub": "arn:aws:iam::${AWS::AccountId}:root"}}, "warning"),
        ({"AWS": "444455556666"}, "danger"),
        ("*", "danger"),
    ],
)
def test_the_policy_of_a_new_resource_opens_nothing_but_to_strangers(
    principal: Any, level: str
) -> None:
    grant = {"Effect": "Allow", "Action": "kms:*", "Principal": principal, "Resource": "*"}
    key = {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": document(grant)}}
    assert [found for found, _ in told(template(), template(Key=key))] == [level]


def test_a_keys_policy_is_about_that_key() -> None:
    def key(*statements: Any) -> Template:
        return template(
            Key={"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": document(*statements)}}
        )

    events = {"Service": "events.amazonaws.com"}
    grant = {"Effect": "Allow", "Action": "kms:Decrypt", "Principal": events, "Resource": "*"}
    assert told(key(), key(grant)) == [
        ("danger", "The service events.amazonaws.com can now decrypt (kms:Decrypt) on Key.")
    ]
    # A service that is no longer let in fails.
    assert [level for level, _ in told(key(grant), key())] == ["warning"]


def test_who_may_call_a_function_is_read_from_its_permissions() -> None:
    permission = {
        "Type": "AWS::Lambda::Permission",
        "Properties": {
            "Action": "lambda:InvokeFunction",
            "FunctionName": {"Fn::GetAtt": ["Function", "Arn"]},
            "Principal": "s3.amazonaws.com",
            "SourceArn": BUCKET_ARN,
        },
    }
    function = {"Type": "AWS::Lambda::Function"}
    [change] = compare(template(Function=function), template(Function=function, P=permission))
    assert change.where == "Function › policy"
    assert "The service s3.amazonaws.com can now call lambda:InvokeFunction" in change.meaning
    odd = copy.deepcopy(permission)
    odd["Properties"]["FunctionUrlAuthType"] = "NONE"  # type: ignore[index]
    assert (
        "Can't tell" in told(template(Function=function), template(Function=function, P=odd))[0][1]
    )


AWS_POLICY = {"Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/AdministratorAccess"}


def test_an_attached_policy_is_named() -> None:
    attached = template(properties={"ManagedPolicyArns": [AWS_POLICY]})
    assert told(template(), attached) == [
        ("danger", "Job can now do all that the attached policy AdministratorAccess allows.")
    ]
    assert [level for level, _ in told(attached, template())] == ["notice"]


def test_a_boundary_that_goes_is_danger_and_one_that_changes_cannot_be_told() -> None:
    one, other = (template(properties={"PermissionsBoundary": f"arn:{n}"}) for n in "ab")
    assert told(one, template()) == [
        ("danger", "Job is no longer held back by a permissions boundary.")
    ]
    assert [level for level, _ in told(template(), one)] == ["notice"]
    [(level, meaning)] = told(one, other)
    assert (level, meaning[:10]) == ("danger", "Can't tell")


def test_a_denial_that_goes_is_no_danger_where_nothing_is_allowed() -> None:
    denial = {"Effect": "Deny", "Action": "s3:Put*", "Resource": "*"}
    assert told(template(READ, denial), template(READ)) == [
        ("notice", "Job is no longer denied to call s3:Put* on every resource, but none of its "
         "policies allows that."),
    ]  # fmt: skip
    # Nobody knows what an attached policy allows.
    attached = {"ManagedPolicyArns": [AWS_POLICY]}
    before = template(READ, denial, properties=attached)
    assert [level for level, _ in told(before, template(READ, properties=attached))] == ["danger"]


def test_an_allowance_that_is_denied_is_none() -> None:
    denial = {"Effect": "Deny", "NotAction": "s3:GetObject", "Resource": "*"}
    changes = told(template(READ), template(allow("s3:*"), denial))
    assert [level for level, _ in changes] == ["notice"]
    assert "now denied to do all but s3:GetObject" in changes[0][1]


def test_a_role_that_goes_is_told_once_with_all_that_it_could() -> None:
    without = template(READ)
    del without["Resources"]["Job"], without["Resources"]["JobPolicy"]
    [change] = compare(template(READ, allow("sqs:SendMessage", "*")), without)
    assert change.meaning == "Job is no more, nor can anybody do what it could."
    assert len(change.old) == 2
    assert change.detail.splitlines() == change.old


def test_a_bucket_that_is_kept_loses_its_policy_and_one_that_is_deleted_has_none_to_lose() -> None:
    with_policy = template(Policy=policy_of("AWS::S3::BucketPolicy", "Bucket", TLS))
    without = template()
    del without["Resources"]["Bucket"]
    assert told(with_policy, without) == []
    with_policy["Resources"]["Bucket"]["DeletionPolicy"] = "Retain"
    assert [level for level, _ in told(with_policy, without)] == ["danger"]


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ({"StringNotEquals": {"k": ["a", "b"]}}, "`k` is not `a` nor `b`"),
        ({"StringLikeIfExists": {"k": "a*"}}, "`k` is like `a*` or absent"),
        ({"Null": {"k": "true"}}, "`k` is absent"),
        ({"Null": {"k": ["false"]}}, "`k` is present"),
        ({"ForAllValues:StringEquals": {"k": "a"}}, "`k` ForAllValues:StringEquals `a`"),
        ({"DateLessThan": {"k": "2030"}}, "`k` DateLessThan `2030`"),
        ({"NumericLessThan": {"k": "many"}}, "`k` is below `many`"),
        ({"Null": {"k": "maybe"}}, "`k` is present"),
        ({"Bool": {"k": True}, "StringEquals": {"j": "a"}}, "`j` is `a` and `k` is `true`"),
    ],
)
def test_conditions_are_said_in_words(condition: Mapping[str, Any], words: str) -> None:
    changes = told(template(), template(allow("s3:GetObject", "*", Condition=condition)))
    assert [meaning for _, meaning in changes] == [
        f"Job can now read objects (s3:GetObject) on every resource where {words}."
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "no statement",
        {"Effect": "Maybe", "Action": "*", "Resource": "*"},
        {"Effect": "Allow", "Resource": "*"},
        {"Effect": "Allow", "Action": "*", "NotAction": "*", "Resource": "*"},
        allow("*", Condition={"Fn::If": ["A", {}, {}]}),
        allow("*", Condition={"Bool": {"Fn::If": ["A", {}, {}]}}),
        allow("*", [["*"]]),
        allow("*", Principal="somebody"),
    ],
)
def test_a_statement_that_is_not_understood_is_shown_as_it_is(statement: Any) -> None:
    [change] = compare(template(), template(statement))
    assert (change.level, change.old, change.new) == ("danger", None, [Names({}).plain(statement)])
    assert (
        "and what 1 statement says that isn't understood" in roles_in_words(template(statement))[-1]
    )
    whole = template()
    whole["Resources"]["JobPolicy"]["Properties"]["PolicyDocument"] = "no document"
    assert [level for level, _ in told(template(), whole)] == ["danger"]


def test_what_a_role_may_do_is_listed() -> None:
    denial = {"Effect": "Deny", "Action": "s3:Put*", "Resource": "*"}
    never = {**TRUST, "Effect": "Deny", "Principal": {"Federated": "example.com"}}
    role = template(
        READ,
        denial,
        trust=never,
        properties={"ManagedPolicyArns": ["arn:aws:a"], "PermissionsBoundary": "arn:aws:b"},
    )
    assert roles_in_words(role) == [
        "Job",
        "  `Federated:example.com` can never assume it",
        "  can never call s3:Put* on every resource",
        "  can read objects (s3:GetObject) in `${Bucket}/models/*`",
        "  can do all that the attached policy arn:aws:a allows",
        "  can do no more than its permissions boundary arn:aws:b allows",
    ]


def test_a_renamed_bucket_keeps_what_policies_say_of_it() -> None:
    old = template(READ, Policy=policy_of("AWS::S3::BucketPolicy", "Bucket", TLS))
    new = json.loads(
        json.dumps(old).replace('"Bucket"', '"Store"').replace('"Store":', '"Bucket":')
    )
    new["Resources"]["Store"] = new["Resources"].pop("Bucket")
    assert told(old, new) == [("warning", "Wherever policies named Bucket, they name Store now.")]


STATEMENTS = st.lists(
    st.builds(
        lambda effect, action, resource, condition: {
            "Effect": effect, "Action": action, "Resource": resource, "Condition": condition
        },
        st.sampled_from(["Allow", "Allow", "Deny"]),
        st.sampled_from(["s3:*", "s3:Get*", ["s3:GetObject", "s3:PutObject"], "s3:PutObject"]),
        st.sampled_from([MODELS, CHURN, "*", [MODELS, BUCKET_ARN], "arn:aws:s3:::mine/*"]),
        st.sampled_from([{}, {"StringLike": {"k": "a*"}}, {"StringLike": {"k": ["ab", "b"]}}]),
    ),
    max_size=3,
)  # fmt: skip


@given(STATEMENTS, STATEMENTS)
def test_the_way_back_says_no_longer_of_all_that_the_way_there_says_now(
    old: list[Any], new: list[Any]
) -> None:
    there = compare(template(*old), template(*new))
    back = compare(template(*new), template(*old))
    assert sorted(str((c.where, c.old, c.new)) for c in there) == sorted(
        str((c.where, c.new, c.old)) for c in back
    )
    assert compare(template(*old), template(*old)) == []


@settings(max_examples=50)
@given(
    st.lists(statements(("Allow", "Allow", "Deny")), max_size=2),
    st.lists(statements(("Allow", "Allow", "Deny")), max_size=2),
)
def test_more_is_told_if_a_request_is_allowed_that_was_not_and_less_if_it_is_not_that_was(
    old: list[Any], new: list[Any]
) -> None:
    changes = compare(template(*old), template(*new))
    more = [one for one in changes if " can now " in one.meaning]
    more += [one for one in changes if "no longer denied" in one.meaning and one.level == "danger"]
    less = [one for one in changes if " can no longer " in one.meaning]
    denied = [one for one in changes if " now denied " in one.meaning]
    assert bool(more) == bool(allowed(*new) - allowed(*old))
    if allowed(*old) - allowed(*new):
        assert less or denied
    else:  # a denial is told also where nothing was allowed
        assert not less


def test_the_roles_of_the_product_are_said_in_words(prod: Path) -> None:
    metadata = json.loads((prod / "ModelPackaging.metadata.json").read_text())
    lines = roles_in_words(with_paths(template_of(prod), metadata))
    roles = [line for line in lines if not line.startswith(" ")]
    assert {"Packaging/Roles/JobRole", "Packaging/Roles/PipelineRole", "Trigger/Role"} <= {*roles}
    assert (
        "  can start the pipeline (sagemaker:StartPipelineExecution) on "
        "`sagemaker:pipeline/${Packaging/Pipeline}`"
    ) in lines
    assert not any("isn't understood" in line for line in lines)


def every_policy(template: Mapping[str, Any]) -> dict[str, set[str]]:
    return {
        logical_id: {
            name
            for name, value in resource.get("Properties", {}).items()
            if is_policy(resource["Type"], name, value)
        }
        for logical_id, resource in template["Resources"].items()
    }


Edit = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize("number", range(3))
def test_each_statement_of_the_product_that_is_taken_away_is_missed(
    prod: Path, number: int
) -> None:
    old = template_of(prod)
    policies = [
        (logical_id, name) for logical_id, names in every_policy(old).items() for name in names
    ]
    documents = 0
    for logical_id, name in policies:
        statements = old["Resources"][logical_id]["Properties"][name]
        if not isinstance(statements, dict) or number >= len(statements.get("Statement", [])):
            continue
        new = copy.deepcopy(old)
        del new["Resources"][logical_id]["Properties"][name]["Statement"][number]
        levels = {change.level for change in compare(old, new)}
        assert levels, (logical_id, number)
        assert "info" not in levels, (logical_id, number)
        assert {change.level for change in compare(new, old)} - {"info"}
        documents += 1
    assert documents
