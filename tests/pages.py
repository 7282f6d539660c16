"""The code blocks of README.md, the guide and docs/."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.docstrings import ROOT

PAGES = (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")))

_BLOCK = re.compile(r"^```([a-z]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A block with a language, such as ``python`` or ``sh``."""

    page: str
    line: int
    language: str
    text: str

    @property
    def name(self) -> str:
        return f"{self.page}:{self.line}"

    def commands(self, program: str) -> list[str]:
        """Return what the block runs of a program, behind a prompt or not."""
        lines = (line.removeprefix("$ ") for line in self.text.splitlines())
        return [line for line in lines if line.startswith(f"{program} ")]


def blocks(*languages: str) -> Iterator[Block]:
    """Yield the blocks in some languages, by page and line."""
    for page in PAGES:
        text = page.read_text("utf-8")
        for found in _BLOCK.finditer(text):
            if found[1] in languages:
                line = text.count("\n", 0, found.start()) + 2
                yield Block(page.relative_to(ROOT).as_posix(), line, found[1], found[2])
