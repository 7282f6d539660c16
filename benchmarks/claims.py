"""What the project promises of its costs, each a ratio of two figures of one run."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A ratio that the project promises.

    Args:
        what: What is claimed, in words.
        measured: The figure above the line, in `unit`.
        against: The figure below it.
        at_most: The promise.
        unit: The unit of both figures. Default: seconds of CPU time.
    """

    what: str
    measured: float
    against: float
    at_most: float
    unit: str = "CPU s"

    @property
    def ratio(self) -> float:
        """How many times the one is the other."""
        return self.measured / self.against

    @property
    def holds(self) -> bool:
        """Whether the promise is kept."""
        return self.ratio <= self.at_most


def table(title: str, claims: Sequence[Claim]) -> Table:
    """Lay out claims, and whether they hold.

    Args:
        title: What they are about.
        claims: The claims.

    Returns:
        A table to print.
    """
    laid_out = Table("claim", "measured", "against", "ratio", "promised", title=title)
    for claim in claims:
        laid_out.add_row(
            claim.what,
            f"{claim.measured:.3g} {claim.unit}",
            f"{claim.against:.3g} {claim.unit}",
            f"{claim.ratio:.3g}",
            f"<= {claim.at_most:.3g} {'holds' if claim.holds else 'BROKEN'}",
        )
    return laid_out
