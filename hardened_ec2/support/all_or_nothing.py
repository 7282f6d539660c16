"""Removal of the children that a refused construct created."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from constructs import Construct

_TAKEN = re.compile("There is already a Construct with name '([^']+)'")


@contextmanager
def all_or_nothing(scope: Construct) -> Iterator[list[str]]:
    """Remove the children that a constructor created when it raises.

    Args:
        scope: The scope of the children.

    Yields:
        A list to which to add the id of each child before it is created. A child that had such an
        id already stays.

    Example::

        with all_or_nothing(self) as created:
            created.append("Files")
            Construct(self, "Files")
    """
    created: list[str] = []
    try:
        yield created
    except Exception as error:
        # CDK's errors arrive as text.
        taken = _TAKEN.search(str(error))
        # A scope or an id of another type is what was refused: it has no child to remove.
        with suppress(AttributeError, TypeError):
            for each in created:
                if taken is None or each != taken[1]:
                    scope.node.try_remove_child(each)
        raise
