"""Reports of real scanners, cut down to a few lines."""

from pathlib import Path

from lab.scanners.lynis import LynisReport, lynis_report
from lab.scanners.openscap import OpenScapReport, openscap_report

HERE = Path(__file__).parent
LYNIS = (HERE / "lynis-report.dat").read_text()
OPENSCAP = (HERE / "openscap-results.xml").read_bytes()


def reports() -> tuple[LynisReport, OpenScapReport]:
    return lynis_report(LYNIS), openscap_report(OPENSCAP)
