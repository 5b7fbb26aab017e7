"""The command `regreen gateway`; what it needs is loaded when it runs."""

from pathlib import Path
from typing import Annotated

import typer

from regreen.settings import load_settings
from starters.console import complete, run_application


def gateway(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8085,
    forwarded_allow_ips: Annotated[
        str, typer.Option(help="Addresses of proxies whose X-Forwarded headers count.")
    ] = "127.0.0.1",
    insecure_local: Annotated[
        bool, typer.Option("--insecure-local", help="Believe unsigned deliveries, on loopback.")
    ] = False,
    state: Annotated[
        Path | None,
        typer.Option("--state", help="Folder of the embedded server.", show_default=False),
    ] = None,
) -> int:
    """Take the webhooks of GitHub, GitLab, Bitbucket Cloud and Azure Repos.

    Each is verified with the secrets of its provider's variable, such as
    REGREEN_GITHUB_WEBHOOK_SECRETS, and handed to Temporal before it is answered.

    Examples: `regreen gateway --host 0.0.0.0 --forwarded-allow-ips 10.0.0.7` ·
    `regreen gateway --insecure-local --port 9000`
    """
    from starters.gateway.serve import gateway as serve

    settings = load_settings()
    if state is not None:
        settings = settings.model_copy(update={"state": state.resolve()})
    return complete(serve(host, port, forwarded_allow_ips, settings, insecure_local=insecure_local))


def run_gateway_alone(arguments: list[str]) -> None:
    """Run this command without loading the others; the arguments are those after its name."""
    app = typer.Typer(
        add_completion=False, pretty_exceptions_show_locals=False, rich_markup_mode="markdown"
    )
    app.command()(gateway)
    run_application(app, arguments, "regreen gateway")
