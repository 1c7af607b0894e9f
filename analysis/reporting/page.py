"""A list of sections as an HTML page that needs nothing else: no file, no network, no script."""

from __future__ import annotations

import html
from collections.abc import Sequence

from analysis.reporting.findings import Findings
from analysis.reporting.sections import Section

_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1b1f23; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; line-height: 1.2; } h2 { margin-top: 2.2rem; border-bottom: 1px solid #d5dae0; }
figure { margin: 1.2rem 0; } figure img { max-width: 100%; height: auto; }
figcaption { color: #57606a; font-size: .9rem; } .scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid #e4e8ec; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } thead th { border-bottom: 2px solid #8c959f; }
.first { background: #f1f6fb; border-left: 4px solid #0173b2; padding: .2rem 1rem; font-size: 1.05rem; }
code, pre { font-size: .85rem; } pre { background: #f6f8fa; padding: .8rem; overflow-x: auto; }
@media print { body { max-width: none; margin: 0; } figure, table { break-inside: avoid; } }
"""


def render(findings: Findings, sections: Sequence[Section]) -> str:
    """The page of a report.

    Parameters
    ----------
    findings
        Everything that was computed.
    sections
        Sections in the order of the page; those that do not apply are left out.
    """
    title = html.escape(findings.title)
    question = findings.spec.get("question") or "Does the graph explain the accuracy beyond its density?"
    first = "".join(f"<p>{html.escape(line)}</p>" for line in findings.answer)
    parts = [f"<h1>{title}</h1>", f"<p>{html.escape(str(question))}</p>", f"<div class='first'>{first}</div>"]
    for section in sections:
        if section.applies(findings):
            parts.append(f"<h2>{html.escape(section.title)}</h2>")
            caption = section.caption(findings) if callable(section.caption) else section.caption
            parts += [f"<p>{html.escape(caption)}</p>"] if caption else []
            parts += [block.html() for block in section.draw(findings)]
    body = "\n".join(parts)
    return (
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{title}</title>"
        f"<meta name='viewport' content='width=device-width, initial-scale=1'><style>{_STYLE}</style></head>"
        f"<body>{body}</body></html>\n"
    )
