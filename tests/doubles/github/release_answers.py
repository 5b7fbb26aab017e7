"""Releases, their assets, and the tags that they are made of."""

from collections.abc import Callable

from tests.doubles.github.request import Answer, Asked, invalid, not_found
from tests.doubles.github.state import Asset, Release, State


def _get_reference(state: State, asked: Asked) -> Answer:
    name = asked.parameters["ref"]
    return Answer(200, state.reference_json(name)) if name in state.refs else not_found()


def _get_tag(state: State, asked: Asked) -> Answer:
    tag = state.tags.get(asked.parameters["tag_sha"])
    if tag is None:
        return not_found()
    base = f"{state.address}/repos/{state.repository}/git"
    tagger = {"date": "2026-11-25T10:00:00Z", "email": "regreen@localhost", "name": "Regreen"}
    pointed = {"sha": tag.commit, "type": "commit", "url": f"{base}/commits/{tag.commit}"}
    return Answer(
        200,
        {
            "node_id": f"TA_{tag.sha}",
            "tag": tag.name,
            "sha": tag.sha,
            "url": f"{base}/tags/{tag.sha}",
            "message": tag.name,
            "tagger": tagger,
            "object": pointed,
        },
    )


def _list_releases(state: State, asked: Asked) -> Answer:
    page, size = int(asked.query.get("page", 1)), int(asked.query.get("per_page", 30))
    newest_first = sorted(state.releases.values(), key=lambda each: -each.id)
    shown = newest_first[(page - 1) * size : page * size]
    return Answer(200, [state.release_json(each) for each in shown])


def _by_tag(state: State, asked: Asked) -> Answer:
    for release in state.releases.values():
        # GitHub does not find drafts by their tag.
        if release.tag_name == asked.parameters["tag"] and not release.draft:
            return Answer(200, state.release_json(release))
    return not_found()


def _get_release(state: State, asked: Asked) -> Answer:
    release = state.releases.get(int(asked.parameters["release_id"]))
    return not_found() if release is None else Answer(200, state.release_json(release))


def _create_release(state: State, asked: Asked) -> Answer:
    body = asked.body
    draft = body.get("draft", False)
    if not draft and _published(state, body["tag_name"]):
        return invalid("already_exists", "tag_name")
    release = Release(
        id=state.next_number(),
        tag_name=body["tag_name"],
        target_commitish=body.get("target_commitish", "main"),
        name=body.get("name", ""),
        body=body.get("body", ""),
        draft=draft,
        prerelease=body.get("prerelease", False),
    )
    state.releases[release.id] = release
    _tag(state, release)
    return Answer(201, state.release_json(release))


def _update_release(state: State, asked: Asked) -> Answer:
    release = state.releases.get(int(asked.parameters["release_id"]))
    if release is None:
        return not_found()
    for key in ("name", "body", "prerelease", "target_commitish", "tag_name", "draft"):
        if key in asked.body:
            setattr(release, key, asked.body[key])
    _tag(state, release)
    return Answer(200, state.release_json(release))


def _delete_release(state: State, asked: Asked) -> Answer:
    number = int(asked.parameters["release_id"])
    if number not in state.releases:
        return not_found()
    del state.releases[number]
    for asset in state.assets_of(number):
        del state.assets[asset.id]
    return Answer(204)


def _list_assets(state: State, asked: Asked) -> Answer:
    page, size = int(asked.query.get("page", 1)), int(asked.query.get("per_page", 30))
    assets = state.assets_of(int(asked.parameters["release_id"]))
    return Answer(200, [state.asset_json(a) for a in assets[(page - 1) * size : page * size]])


def _upload_asset(state: State, asked: Asked) -> Answer:
    number = int(asked.parameters["release_id"])
    release, name = state.releases.get(number), asked.query["name"]
    if release is None:
        return not_found()
    taken = any(asset.name == name for asset in state.assets_of(number))
    if taken or (state.immutable and not release.draft):
        return invalid("already_exists", "name")
    kind = asked.headers.get("content-type", "application/octet-stream")
    asset = Asset(state.next_number(), number, name, asked.body, kind)
    state.assets[asset.id] = asset
    return Answer(201, state.asset_json(asset))


def _get_asset(state: State, asked: Asked) -> Answer:
    asset = state.assets.get(int(asked.parameters["asset_id"]))
    if asset is None:
        return not_found()
    if asked.headers.get("accept") == "application/octet-stream":
        return Answer(200, content=asset.content)
    return Answer(200, state.asset_json(asset))


def _delete_asset(state: State, asked: Asked) -> Answer:
    return Answer(204) if state.assets.pop(int(asked.parameters["asset_id"]), None) else not_found()


def _published(state: State, tag: str) -> bool:
    return any(each.tag_name == tag and not each.draft for each in state.releases.values())


def _tag(state: State, release: Release) -> None:
    """GitHub makes the tag when a release is published, and moves none that is there."""
    if not release.draft:
        state.refs.setdefault(f"tags/{release.tag_name}", release.target_commitish)


ANSWERS: dict[str, Callable[[State, Asked], Answer]] = {
    "git/get-ref": _get_reference,
    "git/get-tag": _get_tag,
    "repos/create-release": _create_release,
    "repos/delete-release": _delete_release,
    "repos/delete-release-asset": _delete_asset,
    "repos/get-release": _get_release,
    "repos/get-release-asset": _get_asset,
    "repos/get-release-by-tag": _by_tag,
    "repos/list-release-assets": _list_assets,
    "repos/list-releases": _list_releases,
    "repos/update-release": _update_release,
    "repos/upload-release-asset": _upload_asset,
}
