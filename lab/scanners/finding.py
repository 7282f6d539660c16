"""One finding of a scanner."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A test or rule that a server does not meet.

    Args:
        id: The id of Lynis' test or of OpenSCAP's rule.
        title: The scanner's own text.
        detail: What the text is about. Default: not given.
    """

    id: str
    title: str
    detail: str = ""

    @property
    def text(self) -> str:
        """The title, with the detail if there is one."""
        return f"{self.title}: {self.detail}" if self.detail else self.title
