"""The command line `regreen`: its commands, options and help. What they do lies in its modules."""

from pathlib import Path
from typing import Annotated, get_args

import typer

from regreen.contracts.release import Expectations
from regreen.contracts.run import RunState
from regreen.roles import ROLES
from starters import (
    audit_command,
    codec_command,
    heal_command,
    init_command,
    logs_command,
    look,
    plan_command,
    run_command,
    services,
    setup,
    steer,
    verification,
    withdraw,
)
from starters.console import complete, run_application
from starters.gateway.command import gateway
from starters.run_filter import RunFilter

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_show_locals=False,
    help="Turn red builds green again, durably.",
    epilog=(
        "Exit codes: 0 passed, released or waiting for a person; 1 the verdict is failed; "
        "2 wrong usage or configuration; 3 Temporal or another service unreachable; "
        "4 rejected, expired or cancelled."
    ),
)
tools = typer.Typer(no_args_is_help=True, help="The programs that Regreen runs.")
app.add_typer(tools, name="tools")
release = typer.Typer(no_args_is_help=True, help="Releases that runs have made.")
app.add_typer(release, name="release")

State = Annotated[
    Path | None,
    typer.Option("--state", help="Folder for database, artifacts and caches.", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
NoCache = Annotated[
    bool, typer.Option("--no-cache", help="Do every step anew, even where nothing has changed.")
]
Run = Annotated[str, typer.Argument(help="A run: its workflow id, its commit, or the start of it.")]


def run_command_line() -> None:
    """Parse the arguments, run the command, end with its exit code."""
    run_application(app)


@app.command()
def run(
    repository: Annotated[Path, typer.Argument(help="A git repository on disk.")] = Path(),
    ref: Annotated[str, typer.Option(help="Branch, tag or commit.")] = "HEAD",
    json: Json = False,
    detach: Annotated[bool, typer.Option("--detach", help="Start, do not follow.")] = False,
    no_cache: NoCache = False,
    plan: Annotated[
        bool, typer.Option("--plan", help="Print what would be released, and do nothing.")
    ] = False,
    state: State = None,
) -> int:
    """Start the pipeline of a commit, or join the run that it has, and follow it.

    Ends when the run ends, or when it waits for a person: on a terminal it asks for the decision.
    With `--plan` nothing is started and no server is needed.

    Examples: `regreen run` · `regreen run ../shop --ref main --json` · `regreen run --plan`
    """
    if plan:
        return complete(plan_command.plan(repository, ref, json=json))
    settings = run_command.use_state(state)
    started = run_command.run(
        repository, ref, json=json, detach=detach, reuse=not no_cache, settings=settings
    )
    return complete(started)


@app.command()
def heal(
    repository: Annotated[Path, typer.Argument(help="A git repository on disk.")] = Path(),
    ref: Annotated[str, typer.Option(help="Branch, tag or commit.")] = "HEAD",
    apply: Annotated[
        bool, typer.Option("--apply", help="Put the diff into the working tree.")
    ] = False,
    json: Json = False,
    state: State = None,
) -> int:
    """Only build, tests and heal loop; print the diff that turns the tests green.

    The diff goes to standard output, progress and verdicts to standard error. Nothing is changed
    without `--apply`. The heal of a commit is made once: a second call shows it again at once.

    Examples: `regreen heal` · `regreen heal ../shop --apply` ·
    `regreen heal --ref main > fix.patch` · `regreen heal --json | jq -r '.heals[].diff'`
    """
    settings = run_command.use_state(state)
    return complete(heal_command.heal(repository, ref, apply=apply, json=json, settings=settings))


@app.command()
def up(state: State = None) -> int:
    """Run server, web UI and all workers in the foreground; unfinished runs go on.

    Example: `regreen up --state ./state`
    """
    return complete(services.up(run_command.use_state(state)))


@app.command()
def worker(
    role: Annotated[
        str, typer.Option(help=f"One of: {', '.join(ROLES)}.", autocompletion=lambda: list(ROLES))
    ],
    address: Annotated[str | None, typer.Option(help="Temporal's HOST:PORT.")] = None,
    state: State = None,
) -> int:
    """Serve one role against a Temporal server, until SIGTERM.

    Example: `TEMPORAL_ADDRESS=temporal:7233 regreen worker --role runner`
    """
    run_command.use_state(state)
    return complete(services.worker(role, address))


app.command()(gateway)


@app.command()
def codec(
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 8081,
    state: State = None,
) -> int:
    """Serve decryption to Temporal's web UI and command line, until Ctrl-C or SIGTERM.

    Example: `REGREEN_UI=https://temporal.example.com regreen codec --port 8081`
    """
    return complete(codec_command.codec(host, port, run_command.use_state(state)))


@app.command(name="list")
def list_(
    json: Json = False,
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 20,
    repository: Annotated[str, typer.Option(help="Only this one, as `list` shows it.")] = "",
    ref: Annotated[str, typer.Option(help="Only this branch or tag.")] = "",
    run_state: Annotated[
        list[str] | None,
        typer.Option(
            help="Only runs in this state; can be repeated.",
            show_default=False,
            autocompletion=lambda: list(get_args(RunState)),
        ),
    ] = None,
    since: Annotated[str, typer.Option(help="Started since: 24h, 7d, 2026-11-01.")] = "",
    state: State = None,
) -> int:
    """List runs, newest first.

    Examples: `regreen list --json` · `regreen list --run-state failed --since 7d`
    """
    wanted = RunFilter(repository, ref, tuple(run_state or ()), since)
    return complete(look.list_runs(wanted, limit, json=json, settings=run_command.use_state(state)))


@app.command()
def status(run: Run, json: Json = False, state: State = None) -> int:
    """Show where a run is.

    Example: `regreen status 3f2a9c1`
    """
    return complete(look.status(run, json=json, settings=run_command.use_state(state)))


@app.command()
def show(
    run: Run,
    json: Json = False,
    sarif: Annotated[
        Path | None, typer.Option(help="File for the findings of all gates.", show_default=False)
    ] = None,
    state: State = None,
) -> int:
    """Tell the whole story of a run: stages, findings, heal attempts with their diffs.

    Examples: `regreen show 3f2a9c1` · `regreen show 3f2a9c1 --sarif findings.sarif`
    """
    settings = run_command.use_state(state)
    return complete(look.show(run, json=json, sarif=sarif, settings=settings))


@app.command()
def audit(
    run: Annotated[str, typer.Argument(help="A run as elsewhere, or an exported record.")],
    verify: Annotated[
        bool, typer.Option("--verify", help="Check chain, seal and signature.")
    ] = False,
    key: Annotated[
        Path | None, typer.Option(help="The public key to trust; verifies.", show_default=False)
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(help="File for the record; signature and key beside it.", show_default=False),
    ] = None,
    json: Json = False,
    state: State = None,
) -> int:
    """Show the audit record of a run: who did what and when. Verify it, also offline.

    Without `--key` the record's own key is used: that shows that it is whole, not who made it.

    Examples: `regreen audit 3f2a9c1 --verify` · `regreen audit 3f2a9c1 --export audit.jsonl` ·
    `regreen audit audit.jsonl --key release.pub`
    """
    settings = run_command.use_state(state)
    return complete(
        audit_command.audit(
            run, verify=verify, key=key, export=export, json=json, settings=settings
        )
    )


@app.command()
def logs(
    run: Run,
    stage: Annotated[
        str | None,
        typer.Option(
            "--stage",
            help="Only this one.",
            show_default=False,
            autocompletion=lambda: list(logs_command.STAGE_NAMES),
        ),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the run has ended.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON document a line.")] = False,
    state: State = None,
) -> int:
    """Print what the steps of a run print, while they run and afterwards.

    Examples: `regreen logs 3f2a9c1 --follow` · `regreen logs 3f2a9c1 --stage unit --json`
    """
    settings = run_command.use_state(state)
    return complete(logs_command.logs(run, stage, follow=follow, json=json, settings=settings))


@app.command()
def approve(
    run: Run,
    comment: Annotated[str, typer.Option(help="Why.")] = "",
    reviewer: Annotated[str | None, typer.Option(help="Who. Default: the user.")] = None,
    json: Json = False,
    state: State = None,
) -> int:
    """Approve what a run waits with, and follow it to its end.

    Example: `regreen approve 3f2a9c1 --comment "read the diff"`
    """
    settings = run_command.use_state(state)
    return complete(steer.decide(run, "approve", reviewer, comment, json=json, settings=settings))


@app.command()
def reject(
    run: Run,
    comment: Annotated[str, typer.Option(help="Why.")] = "",
    reviewer: Annotated[str | None, typer.Option(help="Who. Default: the user.")] = None,
    json: Json = False,
    state: State = None,
) -> int:
    """Reject what a run waits with; the run ends.

    Example: `regreen reject 3f2a9c1 --comment "fixes the symptom only"`
    """
    settings = run_command.use_state(state)
    return complete(steer.decide(run, "reject", reviewer, comment, json=json, settings=settings))


@app.command()
def cancel(run: Run, json: Json = False, state: State = None) -> int:
    """Cancel a run; what it had begun is taken back.

    Example: `regreen cancel 3f2a9c1`
    """
    return complete(steer.cancel(run, json=json, settings=run_command.use_state(state)))


@app.command()
def retry(run: Run, json: Json = False, no_cache: NoCache = False, state: State = None) -> int:
    """Run a commit again whose run has ended.

    Steps whose inputs have not changed come back with the results they had.

    Examples: `regreen retry 3f2a9c1` · `regreen retry 3f2a9c1 --no-cache`
    """
    settings = run_command.use_state(state)
    return complete(steer.retry(run, json=json, reuse=not no_cache, settings=settings))


@app.command()
def verify(
    directory: Annotated[Path, typer.Argument(help="A release folder.")],
    key: Annotated[Path | None, typer.Option(help="The public key to trust.")] = None,
    key_sha256: Annotated[
        str, typer.Option(help="SHA-256 of the public key's file, from the release's tag.")
    ] = "",
    trusted_root: Annotated[
        Path | None,
        typer.Option(help="The transparency log, time-stamp and certificate authorities to trust."),
    ] = None,
    certificate_identity: Annotated[
        str, typer.Option(help="Who must have signed, where it was without a key.")
    ] = "",
    certificate_oidc_issuer: Annotated[
        str, typer.Option(help="The identity provider that must vouch for it.")
    ] = "",
    repository: Annotated[str, typer.Option(help="OWNER/NAME it must be built from.")] = "",
    commit: Annotated[str, typer.Option(help="Commit it must be built from.")] = "",
    builder: Annotated[str, typer.Option(help="Builder that must have made it.")] = "",
    json: Json = False,
) -> int:
    """Verify a release folder offline: digests, signatures, attestations, checklist, waivers.

    Without `--key` or `--key-sha256` the folder's own key is used: that shows that it is whole,
    not who made it. `--trusted-root` takes a `trusted-root.json`, as a release folder has one.
    A release that was signed without a key wants `--certificate-identity`,
    `--certificate-oidc-issuer` and `--trusted-root`; without them its own word is taken, too.

    Examples: `regreen verify dist/v1.2.0` · `regreen verify dist/v1.2.0 --key release.pub`
    """
    signer = verification.trusted_signer(key, certificate_identity, certificate_oidc_issuer)
    expected = Expectations(
        key_sha256=key_sha256, repository=repository, commit=commit, builder=builder
    )
    return complete(verification.verify(directory, signer, trusted_root, expected, json=json))


@app.command()
def init(
    repository: Annotated[Path, typer.Argument(help="A git repository on disk.")] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Replace the file there is.")] = False,
    show: Annotated[bool, typer.Option("--print", help="Print, write nothing.")] = False,
    json: Json = False,
) -> int:
    """Write regreen.yaml from what the repository has: tests, k6 scripts, linters, packages.

    Examples: `regreen init` · `regreen init ../shop --print`
    """
    return complete(init_command.init(repository, force=force, show=show, json=json))


@app.command()
def schema() -> int:
    """Print the JSON Schema of regreen.yaml, for editors.

    Example: `regreen schema > regreen.schema.json`
    """
    return setup.schema()


@app.command()
def doctor(json: Json = False, state: State = None) -> int:
    """Check tools, sandbox and connection, and say how to mend each.

    Example: `regreen doctor`
    """
    return complete(setup.doctor(json=json, settings=run_command.use_state(state)))


@release.command(name="withdraw")
def withdraw_release(
    run: Run,
    reason: Annotated[str, typer.Option(help="Why; users read it.")],
    json: Json = False,
    state: State = None,
) -> int:
    """Take a release back: delete, yank or mark it, and leave a signed record.

    A run that has not ended is cancelled first.

    Example: `regreen release withdraw 3f2a9c1 --reason "loses orders on restart"`
    """
    settings = run_command.use_state(state)
    return complete(withdraw.withdraw(run, reason, json=json, settings=settings))


@tools.command()
def install(
    names: Annotated[list[str] | None, typer.Argument(help="Default: all.")] = None,
) -> int:
    """Install the tools into Regreen's own folder, pinned and hash-checked.

    Examples: `regreen tools install` · `regreen tools install cosign k6`
    """
    return setup.install_tools(names)


@app.command()
def demo(state: State = None) -> int:
    """Heal, test, package, approve and release the example shop, from a checkout of Regreen.

    Example: `regreen demo --state .demo/state`
    """
    from starters.demo import demo as run_demo

    return complete(run_demo(state))
