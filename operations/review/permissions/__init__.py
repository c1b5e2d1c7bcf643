"""What a change allows and no longer allows, in words.

Policies are compared by what they allow, not by their texts: how statements are split, merged,
ordered or spread makes no difference, and a prefix below another is narrower. What can't be decided
is said to be so.
"""

from operations.review.permissions.comparison import compare
from operations.review.permissions.grants import POLICY_TYPES, is_policy
from operations.review.permissions.listing import roles_in_words

__all__ = ["POLICY_TYPES", "compare", "is_policy", "roles_in_words"]
