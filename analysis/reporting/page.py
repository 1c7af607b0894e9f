"""Sections as an HTML page that needs nothing else: no file and no network, and no script to be read."""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files

from analysis.reporting.blocks import Block
from analysis.reporting.downloads import file_name
from analysis.reporting.explorer import Explorer, has_renderer, renderer
from analysis.reporting.findings import Findings
from analysis.reporting.sections import Section


@dataclass(frozen=True, eq=False)
class Part:
    """A section with its blocks.

    Parameters
    ----------
    section
        The section.
    caption
        Paragraph below its heading.
    blocks
        What it shows.
    """

    section: Section
    caption: str
    blocks: Sequence[Block]

    @property
    def anchor(self) -> str:
        """Where links lead to."""
        return file_name(self.section.title)


def parts(findings: Findings, sections: Iterable[Section]) -> list[Part]:
    """The sections that apply, with their blocks."""
    return [
        Part(
            section,
            section.caption(findings) if callable(section.caption) else section.caption,
            list(section.draw(findings)),
        )
        for section in sections
        if section.applies(findings)
    ]


def render(findings: Findings, shown: Sequence[Part], first: Block) -> str:
    """The page of a report.

    A policy in the page lets the browser run its own scripts only, by their digests, and fetch nothing at all.

    Parameters
    ----------
    findings
        Everything that was computed.
    shown
        The sections, in the order of the page.
    first
        The picture below the answer.
    """
    title = html.escape(findings.title)
    question = html.escape(str(findings.question))
    answer = "".join(f"<p>{html.escape(line)}</p>" for line in findings.answer.sentences)
    contents = "".join(f"<li><a href='#{part.anchor}'>{html.escape(part.section.title)}</a></li>" for part in shown)
    body = "\n".join(map(_section, shown))
    scripts = [_resource("page.js")]
    if has_renderer() and any(isinstance(block, Explorer) for part in shown for block in part.blocks):
        scripts.insert(0, renderer())
    allowed = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    policy = (
        f"default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src {allowed}; base-uri 'none'; "
        "form-action 'none'"
    )
    return (
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{title}</title>"
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<meta name='viewport' content='width=device-width, initial-scale=1'><style>{_resource('page.css')}</style>"
        f"</head><body><main><header><h1>{title}</h1><p class='question'>{question}</p></header>"
        f"<div class='first'>{answer}</div>{first.html()}<nav aria-label='Contents'><ol>{contents}</ol></nav>"
        f"{body}</main>{''.join(f'<script>{script}</script>' for script in scripts)}</body></html>\n"
    )


def _section(part: Part) -> str:
    caption = f"<p class='caption'>{html.escape(part.caption)}</p>" if part.caption else ""
    blocks = "\n".join(block.html() for block in part.blocks)
    return (
        f"<section id='{part.anchor}'><details{' open' * part.section.is_open}>"
        f"<summary><h2>{html.escape(part.section.title)}</h2></summary>{caption}{blocks}</details></section>"
    )


def _resource(name: str) -> str:
    return files("analysis.reporting").joinpath(name).read_text(encoding="utf-8")


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
