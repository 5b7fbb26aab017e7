"""The places that a release writes to, and what can be done about each afterwards."""

from regreen.contracts.release_plan import PlannedStep
from regreen.pipeline_file import ReleaseSection, TargetSection


def planned_steps(
    settings: ReleaseSection,
    repository: str,
    version: str,
    tag: str,
    log: str | None = None,
    authority: str | None = None,
) -> tuple[PlannedStep, ...]:
    """The steps of a release in the order in which they are published.

    `log` is the address of the transparency log that signatures are entered in, `authority` that of
    the certificate authority that says who signs.
    Until the release folder is published all of them are taken back when something fails.
    """
    named = "digests and who signs" if authority else "digests only"
    entered = PlannedStep(
        name="transparency log",
        kind="irrevocable",
        place=log or "",
        undo=f"nothing: what is entered stays, and names {named}",
    )
    certified = PlannedStep(
        name="certificates",
        kind="irrevocable",
        place=authority or "",
        undo="nothing: they name who signs, and stay where the authority logs them",
    )
    return (
        *((certified,) if authority else ()),
        *((entered,) if log else ()),
        PlannedStep(name="tag", kind="reversible", place=tag, undo="deleted in the repository"),
        PlannedStep(
            name="folder",
            kind="reversible",
            place=f"{repository}/{version}",
            undo="moved aside, with a signed record",
        ),
        *(_step(target, repository, tag) for target in settings.targets),
    )


def _step(target: TargetSection, repository: str, tag: str) -> PlannedStep:
    match target.kind:
        case "github":
            return PlannedStep(
                name=target.label,
                # Where the repository's releases are immutable, nothing of it can be changed.
                kind="irrevocable",
                place=f"release {tag} of {target.repository or repository}",
                undo="marked as withdrawn, where it is not immutable",
            )
        case "index":
            return PlannedStep(
                name=target.label,
                kind="yank-only",
                place=target.url,
                undo="yanked; a version is never used again",
            )
        case "http":
            return PlannedStep(
                name=target.label, kind="reversible", place=target.url, undo="deleted"
            )
