"""`jwtrail completion`: a script that the shell reads."""

import click
from click.shell_completion import get_completion_class

__all__ = ["completion"]


@click.command(short_help="Completion for your shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that teaches SHELL to complete jwtrail.

    \b
    jwtrail completion bash > ~/.local/share/bash-completion/completions/jwtrail
    jwtrail completion zsh  > "${fpath[1]}/_jwtrail"
    jwtrail completion fish > ~/.config/fish/completions/jwtrail.fish
    """
    root = ctx.find_root()
    name = root.info_name or "jwtrail"
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"no completion for {shell}")
    click.echo(kind(root.command, {}, name, f"_{name.upper()}_COMPLETE").source())
