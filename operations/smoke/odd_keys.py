"""Whether keys that are not plain arrive as they are, from the event to the job's input."""

from operations.executions.faults import OperationError
from operations.smoke.journal import Check, CheckError
from operations.smoke.packaging_checks import package_of
from operations.smoke.small_models import small_model
from operations.smoke.trial import Trial

QUESTION = "Do keys with {} go through event, parameter and the job's S3 URI as they are?"
ODD = {
    "a blank": "a b",
    "a plus sign": "a+b",
    "an apostrophe": "it's",
    "a double quote": 'say "a"',
    "umlauts": "größer",
    "an ampersand": "a&b",
    "a percent sign": "a%20b",
}


def check_odd_keys(trial: Trial, check: Check, answer: float) -> None:
    """Package a model whose key has all that is odd, and if that fails, one for each.

    One job tells what seven would, as long as all goes well. What does not go through is an answer
    and no fault of the stage's.

    Args:
        trial: What has been done.
        check: The check.
        answer: What the models answer, and those after it.
    """
    everything = " ".join(ODD.values())
    found = _try(trial, everything, answer)
    if found is None:
        asked = QUESTION.format(", ".join(ODD))
        answer_of_all = f"Yes, one key had all of them: {_name(everything)}"
        trial.journal.answer(asked, f"{answer_of_all}{_without_event(trial)}")
        check.proved("keys with " + ", ".join(ODD) + " are packaged like any other")
        return
    trial.journal.say(f"    together they do not go through, so each by itself: {found}")
    refused = []
    for number, (what, text) in enumerate(ODD.items(), 1):
        reason = _try(trial, text, answer + number)
        told = f"No: {reason}" if reason else f"Yes: {_name(text)}{_without_event(trial)}"
        trial.journal.answer(QUESTION.format(what), told)
        if reason:
            refused.append(what)
    check.proved(
        f"models whose keys have {', '.join(refused) or 'all of it at once'} are not packaged "
        "here: give them plain keys. It is no fault of this stage's"
    )


def _try(trial: Trial, text: str, answer: float) -> str | None:
    """Why a key does not go through; None if it does."""
    try:
        package_of(trial, _name(text), small_model(answer))
    except (CheckError, OperationError) as fault:
        return str(fault)
    return None


def _without_event(trial: Trial) -> str:
    return f"\n(without an event, since {trial.by_hand})" if trial.by_hand else ""


def _name(text: str) -> str:
    return f"odd/{text}/{text}.tar.gz"
