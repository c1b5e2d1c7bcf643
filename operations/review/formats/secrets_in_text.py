"""What is secret in a text: by its own form, or by the name that stands before it."""

import re
from collections.abc import Callable, Iterator
from itertools import pairwise

# What a word of a name ends in whose value is secret: DB_PASSWORD, clientSecret, --auth-token.
_SECRET = re.compile(
    r"(passwords?|passwd|passphrase|pwd|secrets?|token|credentials?|apikey|accesskey|privatekey)\Z"
)
_SECRET_PAIRS = {("access", "key"), ("api", "key"), ("private", "key"), ("signing", "key")}
# What is said about a secret, and is none: its name in a store, or how long it lasts.
_ABOUT = {
    *("arn", "days", "endpoint", "expiry", "hours", "id", "length", "minutes", "name", "seconds"),
    *("ttl", "uri", "url"),
}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
# What stands where a value is expected and tells nothing: no value, or a type.
_NO_VALUES = {
    *("None", "null", "nil", "true", "false", "True", "False"),
    *("str", "int", "bytes", "float", "bool", "string", "number", "Any", "object"),
}

# Each: what is secret is its group "secret".
_BY_FORM = (
    re.compile(
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?P<secret>.+?)"
        r"(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
        re.DOTALL,
    ),
    # "Authenticating Requests: Using Query Parameters" in the S3 API reference; then older ones.
    re.compile(
        r"(?i)\b(?:X-Amz-(?:Signature|Credential|Security-Token)|Signature|AWSAccessKeyId)="
        r"(?P<secret>[^&\s\"'`<>\\]+)"
    ),
    # "IAM identifiers" in the IAM user guide: how ids of access keys begin.
    re.compile(r"(?<![A-Za-z0-9])(?P<secret>A[KS]IA[A-Z0-9]{16,124})(?![A-Za-z0-9])"),
    # The secret half of an access key: 40 letters of base64. A hash in hex has no capitals.
    re.compile(
        r"(?<![A-Za-z0-9/+=])(?=[a-z0-9/+]*[A-Z])(?=[A-Z0-9/+]*[a-z])(?=[A-Za-z/+]*[0-9])"
        r"(?P<secret>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])"
    ),
    re.compile(r"(?i)\b(?:Bearer|Basic)\s+(?P<secret>[\w.~+/=-]{8,})"),
    re.compile(r"://[^\s/:@\"'`]*:(?P<secret>[^\s/@\"'`]+)@"),
    # JSON Web Tokens, tokens of GitHub and of Slack.
    re.compile(r"(?<![\w-])(?P<secret>eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?)"),
    re.compile(r"\b(?P<secret>gh[oprsu]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|xox[a-z]-[\w-]{10,})"),
)
_QUOTED = r"\"(?P<double>(?:[^\"\\\n]|\\.)*)\"|'(?P<single>(?:[^'\\\n]|\\.)*)'"
_NAME = re.compile(r"(?<![:\w-])(?:--)?[A-Za-z_][\w-]*")
_VALUE = (
    rf"(?:{_QUOTED}|(?P<bare>[^\s\"'`,;(){{}}\[\]]+)(?![^\s\"'`,;)}}\]]))"  # a call is no value
)
# After a name: "DB_PASSWORD": "x", token = 'x', secret: x; after that of an option, --api-key x.
# A colon alone is within a name of AWS: secretsmanager:GetSecretValue.
_IS = r"[\"']?\s*(?:=|:(?=[\s\"']))\s*"
_ASSIGNED = re.compile(rf"{_IS}{_VALUE}")
_GIVEN = re.compile(rf"(?:{_IS}|[\"']?,?\s+){_VALUE}")
# SECRET=x, alone on a line, as files of variables have it.
_VARIABLE = re.compile(
    r"(?m)^[+\- ]?[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_]\w*)=(?P<bare>[^\s\"']+)$"
)
# {"Name": "PASSWORD", "Value": "x"}, on one line or on several of a difference.
_PAIRED = re.compile(
    r"\"(?:Name|Key|ParameterKey)\":\s*\"(?P<name>[^\"\n]*)\",\s*[+\-]?\s*"
    r"\"(?:Value|ParameterValue|DefaultValue)\":\s*\"(?P<double>(?:[^\"\\\n]|\\.)*)\""
)
_OPTION = "--"
_GROUPS = ("double", "single", "bare")


def is_secret(name: str) -> bool:
    """Whether a name says that its value is secret."""
    words = [word.lower() for word in _WORD.findall(name)]
    if not words or words[-1] in _ABOUT:
        return False
    return any(map(_SECRET.search, words)) or any(pair in _SECRET_PAIRS for pair in pairwise(words))


def without_secrets(text: str, mask: Callable[[str], str]) -> str:
    """A text with other words in the places of what is secret.

    Args:
        text: The text.
        mask: Gives the word for a secret.
    """
    for form in _BY_FORM:
        text = form.sub(lambda found: _masked(found, "secret", mask), text)
    for named in (_VARIABLE, _PAIRED):
        text = named.sub(lambda found: _of_name(found["name"], found, mask), text)
    return "".join(_after_names(text, mask))


def _after_names(text: str, mask: Callable[[str], str]) -> Iterator[str]:
    end = 0
    for name in _NAME.finditer(text):
        value = _GIVEN if name[0].startswith(_OPTION) else _ASSIGNED
        if name.start() < end or not is_secret(name[0]):
            continue
        found = value.match(text, name.end())
        if found and (said := _of_name(name[0], found, mask)) != found[0]:
            yield text[end : name.end()] + said
            end = found.end()
    yield text[end:]


def _of_name(name: str, found: re.Match[str], mask: Callable[[str], str]) -> str:
    """What stands after a name, its value masked if the name says that it is secret."""
    group = next(one for one in _GROUPS if found.groupdict().get(one) is not None)
    if not is_secret(name) or is_no_secret(found[group]):
        return found[0]
    return _masked(found, group, mask)


def is_no_secret(value: str) -> bool:
    """Whether what has a secret's name is none: nothing, a type, or a reference to the secret."""
    is_reference = re.fullmatch(r"\$\{[^${}]+\}|\{\{resolve:[^{}]+\}\}", value)
    return not value or value in _NO_VALUES or bool(is_reference)


def _masked(found: re.Match[str], group: str, mask: Callable[[str], str]) -> str:
    start, end = (place - found.start() for place in found.span(group))
    return f"{found[0][:start]}{mask(found[group])}{found[0][end:]}"
