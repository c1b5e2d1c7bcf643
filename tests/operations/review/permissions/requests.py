"""Policies, and requests enough to show what they allow by the local AWS's evaluator."""

import json
from collections.abc import Mapping
from functools import cache
from itertools import product
from typing import Any

from hypothesis import strategies as st

from local_aws.policy_evaluation import Request, is_allowed

ROLE = "arn:aws:iam::111122223333:role/job"
ARN = "arn:aws:s3:::"
# Words enough to show every difference between the patterns below.
ACTIONS = ("s3:a", "s3:ab", "s3:az", "s3:b", "s3:z", "sqs:a")
KEYS = ("", "x", "y", "z", "xy", "xz", "xzy", "zy", "zz")
RESOURCES = (*(ARN + key for key in KEYS), "arn:aws:sqs:::x")
VALUES = (None, "p", "pq", "q", "z")  # None if the key is not in the request
REQUESTS = [
    Request(ROLE, action, arn, {} if value is None else {"k": value}, owner="111122223333")
    for action, arn, value in product(ACTIONS, RESOURCES, VALUES)
]
KEY_PATTERNS = ("*", "x*", "x", "xy", "y", "*y", "?")
PATTERNS = st.sampled_from(KEY_PATTERNS)
CONDITIONS = st.sampled_from(
    [
        {},
        {"StringEquals": {"k": "p"}},
        {"StringEquals": {"k": ["p", "q"]}},
        {"StringLike": {"k": "p*"}},
        {"StringLikeIfExists": {"k": "p*"}},
        {"StringNotEquals": {"k": "p"}},
        {"StringLike": {"k": "*"}},
        {"Null": {"k": "true"}},
        {"Null": {"k": "false"}},
        {"StringLike": {"k": "p*"}, "StringNotEquals": {"k": "p"}},
    ]
)


@st.composite
def statements(draw: st.DrawFn, effects: tuple[str, ...] = ("Allow",)) -> dict[str, Any]:
    actions = draw(
        st.lists(
            st.sampled_from(["*", "s3:*", "s3:a*", "s3:a", "s3:b", "S3:AB"]), min_size=1, max_size=2
        )
    )
    resources = [ARN + draw(PATTERNS) for _ in range(draw(st.integers(1, 2)))]
    return {
        "Effect": draw(st.sampled_from(effects)),
        draw(st.sampled_from(["Action", "Action", "NotAction"])): actions,
        draw(st.sampled_from(["Resource", "Resource", "NotResource"])): resources,
        "Condition": draw(CONDITIONS),
    }


def allowed(*statement: Mapping[str, Any]) -> set[int]:
    """The numbers of the requests that a role's statements allow."""
    return _allowed(json.dumps(statement))


@cache
def _allowed(statements: str) -> set[int]:
    identity = json.loads(statements)
    return {n for n, one in enumerate(REQUESTS) if is_allowed(one, identity=identity)}
