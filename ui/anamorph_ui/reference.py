"""The HTTP routes as a page to read, drawn here: no script from elsewhere."""

import html
from typing import Any

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem;
  color-scheme: light dark; }
code, pre { font-family: ui-monospace, monospace; } pre { overflow-x: auto; }
section { border-top: 1px solid #8886; } table { border-collapse: collapse; }
th { text-align: left; } td, th { padding: 0.2rem 1rem 0.2rem 0; vertical-align: top; }
"""


def draw_reference(schema: dict[str, Any]) -> str:
    """Return an OpenAPI description as HTML."""
    sections = [
        _draw_route(schema, path, method, route)
        for path, methods in schema["paths"].items()
        for method, route in methods.items()
    ]
    title = html.escape(f"{schema['info']['title']} {schema['info']['version']}")
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}: HTTP</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>
<body><h1>{title}: HTTP</h1><p>{html.escape(schema["info"]["description"])}
For machines: <a href="openapi.json">openapi.json</a>; the <a href=".">page</a>.</p>
{"".join(sections)}
<section><h2><code>WEBSOCKET /v1/live?model=NAME&amp;rate=48000&amp;gain_db=0</code></h2>
<p>Little-endian float32 mono samples in binary messages, as many back; JSON in text messages tells
the delay and the real-time factor. The text <code>end</code> ends it.</p></section>
</body></html>"""


def _draw_route(schema: dict[str, Any], path: str, method: str, route: dict[str, Any]) -> str:
    text, mark, example = route.get("description", "").partition("Example: ")
    shown = f"<pre>{html.escape(' '.join(example.split()))}</pre>" if mark else ""
    fields = "".join(
        f"<tr><th><code>{html.escape(name)}</code></th><td>{html.escape(words)}</td></tr>"
        for name, words in _fields(schema, route)
    )
    answers = ", ".join(route["responses"])
    return f"""<section><h2><code>{method.upper()} {html.escape(path)}</code></h2>
<p>{html.escape(text)}</p>{shown}<table>{fields}</table><p>Answers: {answers}</p></section>"""


def _fields(schema: dict[str, Any], route: dict[str, Any]) -> list[tuple[str, str]]:
    found = [(one["name"], one.get("description", "")) for one in route.get("parameters", ())]
    for content in route.get("requestBody", {}).get("content", {}).values():
        name = content["schema"]["$ref"].rpartition("/")[2]
        body = schema["components"]["schemas"][name]
        for field, about in body["properties"].items():
            choices = about.get("enum") or about.get("allOf", [{}])[0].get("enum")
            words = about.get("description", "")
            if choices:
                words += f" One of {', '.join(map(str, choices))}."
            if "default" in about:
                words += f" Without it {about['default']}."
            found.append((field, words))
    return found
