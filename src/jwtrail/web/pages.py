"""The few pages that are not the built console: sign-in, signed in, and no console built."""

from html import escape

__all__ = ["not_built", "signed_in", "signed_out"]

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{head}<title>{title} · jwtrail</title>
<style nonce="{nonce}">
:root {{ color-scheme: light dark; --ink: #16202c; --soft: #52606d; --paper: #f6f8fa; --card: #fff; --line: #d5dce3; --mark: #0f766e }}
@media (prefers-color-scheme: dark) {{
  :root {{ --ink: #e6edf3; --soft: #9aa7b4; --paper: #0e1319; --card: #161d26; --line: #2b3642; --mark: #5eead4 }}
}}
* {{ box-sizing: border-box }}
body {{ margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 24px; background: var(--paper);
  color: var(--ink); font: 16px/1.6 system-ui, sans-serif }}
main {{ width: 100%; max-width: 34rem; padding: 32px; background: var(--card); border: 1px solid var(--line); border-radius: 12px }}
.name {{ margin: 0 0 20px; color: var(--mark); font-weight: 600; letter-spacing: .02em }}
h1 {{ margin: 0 0 8px; font-size: 1.375rem; line-height: 1.3 }}
p, ol {{ margin: 0 0 12px; color: var(--soft) }}
ol {{ padding-left: 1.25rem }}
li {{ margin-bottom: 12px }}
li > code:last-child {{ display: block; width: fit-content; margin-top: 4px }}
code {{ padding: 2px 6px; color: var(--ink); background: var(--paper); border: 1px solid var(--line); border-radius: 6px;
  font: .875em/1.6 ui-monospace, monospace; overflow-wrap: anywhere }}
a {{ color: var(--mark) }}
:last-child {{ margin-bottom: 0 }}
</style>
</head>
<body><main><p class="name">jwtrail</p><h1>{title}</h1>{text}</main></body>
</html>
"""


def signed_out(nonce: str, *, problem: str = "") -> str:
    """Asks for a link; `problem` says why the one that was used did not do."""
    title = problem or "You are not signed in"
    text = (
        "<p>Open the sign-in link that <code>jwtrail serve</code> printed. It works once and for a few minutes.</p>"
        "<p>For a new link, press Enter in the terminal where it runs, or send it <code>SIGUSR1</code>.</p>"
    )
    return _page(nonce, title, text)


def signed_in(nonce: str, base: str) -> str:
    """Leads on to the console.

    A page instead of a redirect: the browser leaves out a SameSite=Strict cookie on a redirect that another site began,
    such as a click in a web terminal, but sends it when this page itself goes on.
    """
    target = escape(base, quote=True)
    head = f'<meta http-equiv="refresh" content="0;url={target}">\n'
    return _page(nonce, "Signed in", f'<p><a href="{target}">Continue to the console</a></p>', head)


def not_built(nonce: str) -> str:
    """This installation has no console; the API works all the same."""
    text = (
        "<p>The daemon and its HTTP API run. Only the pages are missing, because they were not built when jwtrail was "
        "installed. Three ways to get them:</p><ol>"
        "<li>Install a released wheel, which has them: <code>pip install --force-reinstall jwtrail</code></li>"
        "<li>In a checkout with access to the npm registry, install again without <code>JWTRAIL_SKIP_UI</code>: "
        "<code>pip install .</code></li>"
        "<li>Build them by hand: <code>cd dashboard &amp;&amp; npm ci &amp;&amp; npx vite build</code></li></ol>"
    )
    return _page(nonce, "The console is not built", text)


def _page(nonce: str, title: str, text: str, head: str = "") -> str:
    return _PAGE.format(nonce=escape(nonce, quote=True), title=escape(title), text=text, head=head)
