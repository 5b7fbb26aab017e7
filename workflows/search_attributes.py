"""The search attributes of a run. Visibility on SQL holds ten keywords, three of other types."""

from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributeUpdate

with workflow.unsafe.imports_passed_through():
    from regreen.contracts.run import RunState

REPOSITORY = SearchAttributeKey.for_keyword("RegreenRepository")
REF = SearchAttributeKey.for_keyword("RegreenRef")
COMMIT = SearchAttributeKey.for_keyword("RegreenCommit")
STAGE = SearchAttributeKey.for_keyword("RegreenStage")
STATE = SearchAttributeKey.for_keyword("RegreenState")
HEAL_ATTEMPTS = SearchAttributeKey.for_int("RegreenHealAttempts")
PULL_REQUEST = SearchAttributeKey.for_keyword("RegreenPullRequest")

ALL = (REPOSITORY, REF, COMMIT, STAGE, STATE, HEAL_ATTEMPTS, PULL_REQUEST)


def show_state(state: RunState, stage: str, attempts: int, pull_request: str | None) -> None:
    """Update what changes during a run."""
    updates: list[SearchAttributeUpdate[str] | SearchAttributeUpdate[int]] = [
        STATE.value_set(state),
        STAGE.value_set(stage),
        HEAL_ATTEMPTS.value_set(attempts),
    ]
    if pull_request is not None:
        updates.append(PULL_REQUEST.value_set(pull_request))
    workflow.upsert_search_attributes(updates)
