"""``python -m tests.fuzz --count 50000 --seed 1 TEMPLATE...``: judge templates nobody wrote.

Each one is judged as JSON, as YAML and as YAML with short forms. A crash, a judgement that takes
too long, and a verdict that differs between the three are findings; each is written as JSON.
"""

import argparse
import sys
import time
from pathlib import Path

from hardened_ec2.policy import Template, UnreadableTemplate
from tests.fuzz.check import Failure, fuzz
from tests.fuzz.seeds import seeds


def main() -> None:
    """Judge as many templates as asked for, and say what was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("templates", nargs="*", type=Path, help="real ones to begin with, too")
    parser.add_argument("--count", type=int, default=1000, help="default: 1000")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument(
        "--found", type=Path, default=Path("build/fuzz"), help="default: build/fuzz"
    )
    given = parser.parse_args()
    begin = list(seeds())
    for path in given.templates:
        try:
            begin.append(Template.load(path).document)
        except UnreadableTemplate as error:
            sys.stderr.write(f"{error}\n")
    started, failures = time.process_time(), 0
    for number, outcome in enumerate(fuzz(begin, given.count, given.seed), 1):
        if isinstance(outcome, Failure):
            failures += 1
            given.found.mkdir(parents=True, exist_ok=True)
            (given.found / f"{given.seed}-{number}.json").write_text(outcome.document)
            sys.stdout.write(f"{number}: {outcome.what}\n")
            sys.stdout.flush()
        if number % 5000 == 0:
            sys.stdout.write(f"{number} in {time.process_time() - started:.0f} CPU s\n")
            sys.stdout.flush()
    spent = time.process_time() - started
    sys.stdout.write(f"{given.count} from {len(begin)}, seed {given.seed}: {failures} findings, ")
    sys.stdout.write(f"{spent:.0f} CPU s\n")
    raise SystemExit(bool(failures))


if __name__ == "__main__":
    main()
