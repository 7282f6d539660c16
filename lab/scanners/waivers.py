"""Waivers: the findings that a strict server leaves, each with the reason."""

import re
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.scanners.finding import Finding

WAIVERS = Path(__file__).with_suffix(".toml")
"""The lab's own waivers."""

_BYTES = 65_536
_SCANNERS = ("lynis", "openscap")
_KEYS = ("about", "ids", "reason")
_ID = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,99}")
_TEXT = re.compile(r"[^\x00-\x1f|]{1,400}")


@dataclass(frozen=True, kw_only=True)
class Waiver:
    """The reason why a strict server leaves one finding.

    Args:
        id: The id of Lynis' test or of OpenSCAP's rule, as in `Finding`.
        reason: One or more sentences, up to 400 characters.
        about: A word of the finding, where one test reports several things. Default: all findings
            of the test.

    Raises:
        ValueError: If an argument does not have its form.
    """

    id: str
    reason: str
    about: str = ""

    def __post_init__(self) -> None:
        if not (isinstance(self.id, str) and _ID.fullmatch(self.id)):
            raise ValueError(f"the id is {self.id!r}: write up to 100 letters, digits, '-' and '_'")
        if not (isinstance(self.reason, str) and _TEXT.fullmatch(self.reason)):
            raise ValueError(
                f"{self.id} has the reason {self.reason!r}: write one line of 1 to 400 characters, "
                "without '|'"
            )
        if not self.reason.endswith("."):
            raise ValueError(
                f"{self.id} has the reason {self.reason!r}: write sentences that end with '.'"
            )
        if not (isinstance(self.about, str) and (not self.about or _TEXT.fullmatch(self.about))):
            raise ValueError(f"{self.id} is about {self.about!r}: write a word of the finding")

    def covers(self, finding: Finding) -> bool:
        """Whether the waiver is about a finding."""
        return finding.id == self.id and self.about in finding.text


@dataclass(frozen=True, kw_only=True)
class Waivers:
    """The waivers of all scanners.

    Args:
        lynis: Waivers of Lynis' tests.
        openscap: Waivers of OpenSCAP's rules.

    Raises:
        ValueError: If two waivers of a scanner have the same id and the same `about`.
    """

    lynis: tuple[Waiver, ...]
    openscap: tuple[Waiver, ...]

    def __post_init__(self) -> None:
        for scanner in _SCANNERS:
            counted = Counter((each.id, each.about) for each in getattr(self, scanner))
            for (known, about), times in counted.items():
                if times > 1:
                    raise ValueError(
                        f"{scanner} has {times} waivers of {known}, about {about!r}: write one"
                    )


def read_waivers(path: Path = WAIVERS) -> Waivers:
    """Read waivers from a TOML file.

    Args:
        path: A file of up to 64 KiB with tables ``[[lynis]]`` and ``[[openscap]]``, each with
            ``ids``, ``reason`` and, optionally, ``about``. Default: the lab's own waivers.

    Raises:
        ValueError: If the file is not TOML, is too large, or has an unknown table, key or value.
        OSError: If the file cannot be read.

    Source: TOML v1.0.0.
    """
    content = path.read_bytes()
    if len(content) > _BYTES:
        raise ValueError(f"{path} has {len(content)} bytes: at most {_BYTES} are allowed")
    try:
        document = tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not TOML: {error}") from None
    if unknown := sorted(document.keys() - set(_SCANNERS)):
        raise ValueError(f"{path} has {unknown[0]!r}: write [[lynis]] or [[openscap]]")
    try:
        return Waivers(**{each: _waivers(each, document.get(each, [])) for each in _SCANNERS})
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _waivers(scanner: str, tables: Any) -> tuple[Waiver, ...]:  # noqa: ANN401 - any TOML value
    if not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
        raise ValueError(f"{scanner} is {tables!r}: write tables [[{scanner}]]")
    return tuple(waiver for table in tables for waiver in _from_table(scanner, table))


def _from_table(scanner: str, table: dict[str, Any]) -> list[Waiver]:
    if unknown := sorted(table.keys() - set(_KEYS)):
        raise ValueError(f"[[{scanner}]] sets {unknown[0]!r}: write {', '.join(_KEYS)}")
    if missing := sorted({"ids", "reason"} - table.keys()):
        raise ValueError(f"[[{scanner}]] {table} has no {missing[0]}: write ids and reason")
    ids = table["ids"]
    if not isinstance(ids, list) or not ids:
        raise ValueError(f"[[{scanner}]] has the ids {ids!r}: write a list of tests or rules")
    about = table.get("about", "")
    return [Waiver(id=each, reason=table["reason"], about=about) for each in ids]
