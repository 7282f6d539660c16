"""Promised costs, each a ratio of two figures of one run."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A ratio that the project promises.

    Args:
        what: The two things compared, in words.
        measured: The numerator, in `unit`.
        against: The denominator.
        at_most: The promised maximum of the ratio.
        unit: The unit of both figures. Default: seconds of CPU time.
    """

    what: str
    measured: float
    against: float
    at_most: float
    unit: str = "CPU s"

    @property
    def ratio(self) -> float:
        """The measured figure, divided by the one it is compared against."""
        return self.measured / self.against

    @property
    def holds(self) -> bool:
        """Whether the promise is kept."""
        return self.ratio <= self.at_most


def table(title: str, claims: Sequence[Claim]) -> Table:
    """Return claims, and whether they hold, as a table.

    Args:
        title: The title of the table.
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
