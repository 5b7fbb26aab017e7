"""Commits, files, who may do what, what was pushed, and the token of an app."""

import base64
from collections.abc import Callable
from typing import Any

import jwt

from tests.doubles.github.pull_answers import paged
from tests.doubles.github.request import Answer, Asked, invalid, not_found, part
from tests.doubles.github.state import Delivery, State


def _commit(state: State, asked: Asked) -> Answer:
    sha = state.commit_of(asked.parameters["ref"])
    if not sha:
        message = f"No commit found for SHA: {asked.parameters['ref']}"
        return invalid("invalid", "sha", resource="Commit", message=message)
    logins = state.authors.get(sha, ("regreen", "regreen"))
    author, committer = (state.user_json(login) if login else None for login in logins)
    url = f"{state.address}/repos/{state.repository}/commits/{sha}"
    return part(200, {"sha": sha, "url": url, "author": author, "committer": committer})


def _permission(state: State, asked: Asked) -> Answer:
    login = asked.parameters["username"]
    known = {each.lower(): permission for each, permission in state.permissions.items()}
    if login.lower() not in known:
        return not_found()
    permission = known[login.lower()]
    return part(200, {"permission": permission, "role_name": permission, "user": None})


def _contents(state: State, asked: Asked) -> Answer:
    path = asked.parameters["path"]
    if path not in state.contents:
        return not_found()
    text = state.contents[path]
    url = f"{state.address}/repos/{state.repository}/contents/{path}"
    return part(
        200,
        {
            "type": "file",
            "encoding": "base64",
            "content": base64.encodebytes(text.encode()).decode(),
            "name": path.rpartition("/")[2],
            "path": path,
            "size": len(text),
            "sha": "0" * 40,
            "url": url,
            "git_url": url,
            "html_url": url,
            "download_url": url,
            "_links": {"git": url, "html": url, "self": url},
        },
    )


def _membership(state: State, asked: Asked) -> Answer:
    members = state.teams.get(f"{asked.parameters['org']}/{asked.parameters['team_slug']}", set())
    if asked.parameters["username"] not in members:
        return not_found()
    return part(200, {"state": "active", "role": "member"})


def _activities(state: State, asked: Asked) -> Answer:
    wanted = asked.query.get("activity_type")
    found = [each for each in state.pushes if wanted in (None, each["activity_type"])]
    return part(200, paged(asked, found))


def _deliveries(state: State, asked: Asked) -> Answer:
    hook = int(asked.parameters["hook_id"])
    found = [_delivery_json(each) for each in state.deliveries if each.hook == hook]
    return part(200, found) if found else not_found()


def _delivery(state: State, asked: Asked) -> Answer:
    wanted = int(asked.parameters["delivery_id"])
    for each in state.deliveries:
        if each.id == wanted:
            request = {"headers": {"X-GitHub-Event": each.event}, "payload": each.payload}
            answered = {"headers": {}, "payload": None}
            return part(200, _delivery_json(each) | {"request": request, "response": answered})
    return not_found()


def _delivery_json(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "guid": delivery.guid,
        "delivered_at": delivery.delivered_at,
        "redelivery": False,
        "duration": 0.2,
        "status": "OK" if delivery.status_code == 202 else "Service Unavailable",
        "status_code": delivery.status_code,
        "event": delivery.event,
        "action": delivery.payload.get("action"),
        "installation_id": None,
        "repository_id": None,
    }


def _installation_token(state: State, asked: Asked) -> Answer:
    number = int(asked.parameters["installation_id"])
    if number not in state.installation_keys:
        return not_found()
    _, _, token = asked.headers["authorization"].partition(" ")
    jwt.decode(token, state.installation_keys[number], algorithms=["RS256"])
    return part(201, {"token": state.token, "expires_at": "2099-01-01T00:00:00Z"})


ANSWERS: dict[str, Callable[[State, Asked], Answer]] = {
    "apps/create-installation-access-token": _installation_token,
    "repos/get-collaborator-permission-level": _permission,
    "repos/get-commit": _commit,
    "repos/get-content": _contents,
    "repos/get-webhook-delivery": _delivery,
    "repos/list-activities": _activities,
    "repos/list-webhook-deliveries": _deliveries,
    "teams/get-membership-for-user-in-org": _membership,
}
