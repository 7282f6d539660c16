"""Mutation testing of the policy: the share of small faults that its tests find.

``python -m tests.mutation`` tries every mutant, ``--sample 200`` some of them, and file names limit
it to these files. Neither mutmut nor cosmic-ray does it here: the one leaves decorated functions
alone, and every rule is one; the other starts Python anew for each mutant.

The tests are collected once and run once, to see which lines each of them runs. Then each mutant
gets a process of its own by fork, with the faulty function in place of the sound one, and only the
tests that run its lines, those first that found faults near by.
"""

import argparse
import functools
import gc
import json
import os
import random
import resource
import select
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any, Final

import hypothesis
import pytest
from _pytest.runner import runtestprotocol

from tests.mutation.mutants import Mutant, mutants

POLICY: Final = Path("hardened_ec2/policy")
TARGETS: Final = (
    *sorted(f"{file}" for file in (POLICY / "rules").glob("*.py")),
    *(
        str(POLICY / "facts" / name)
        for name in ("attachments.py", "exposure.py", "ingress.py", "placement.py", "reach.py")
    ),
)
RESULTS: Final = Path("build/mutants.jsonl")
_MEMORY: Final = 4 * 2**30

Lines = dict[str, set[int]]
Caches = list["functools._lru_cache_wrapper[Any]"]  # noqa: SLF001 - it has no other name


class Run:
    """A pytest plugin that tries mutants instead of running each test once."""

    def __init__(self, chosen: Sequence[Mutant], known: dict[str, str], jobs: int) -> None:
        self._chosen = chosen
        self._jobs = jobs
        self._known = known
        self._lines: dict[pytest.Item, Lines] = {}
        self._seconds: dict[pytest.Item, float] = {}
        self._caches: Caches = []
        self._functions: dict[tuple[str, str], list[FunctionType]] = defaultdict(list)
        self._killers: dict[str, Counter[int]] = defaultdict(Counter)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Look at the tests, then try the mutants."""
        _forget(_caches())
        for item in session.items:
            self._look(item)
        self._caches = _caches()
        for each in (each for each in gc.get_objects() if isinstance(each, FunctionType)):
            self._functions[each.__code__.co_filename, each.__code__.co_qualname].append(each)
        # What the collector does not touch, the processes share.
        gc.collect()
        gc.freeze()
        workers = []
        for number in range(self._jobs):
            worker = os.fork()
            if not worker:
                self._work(number, session.items)
                os._exit(0)
            workers.append(worker)
        for worker in workers:
            os.waitpid(worker, 0)
        return True

    def _work(self, number: int, items: Sequence[pytest.Item]) -> None:
        """Try this worker's share of the mutants, and record the outcome of each."""
        chosen = self._chosen[number :: self._jobs]
        started = time.monotonic()
        with RESULTS.open("a") as results:
            for count, mutant in enumerate(chosen, 1):
                digest = _digest(mutant)
                if not self._known.get(digest, "").startswith("killed"):
                    results.write(json.dumps([digest, self._tried(mutant, items)]) + "\n")
                    results.flush()
                if count % 25 == 0:
                    spent = time.monotonic() - started
                    sys.stderr.write(f"{number}: {count} of {len(chosen)} in {spent:.0f} s\n")

    def _look(self, item: pytest.Item) -> None:
        lines: Lines = defaultdict(set)
        wanted = {str(Path(file).resolve()) for file in TARGETS}

        def tracer(frame: FrameType, event: str, _: object) -> Any:  # noqa: ANN401 - see settrace
            if frame.f_code.co_filename not in wanted:
                return None
            if event == "line":
                lines[frame.f_code.co_filename].add(frame.f_lineno)
            return tracer

        _forget(self._caches)
        started = time.process_time()
        sys.settrace(tracer)
        try:
            reports = runtestprotocol(item, log=False, nextitem=None)
        finally:
            sys.settrace(None)
        if any(report.failed for report in reports):
            raise SystemExit(f"{item.nodeid} fails without any mutant")
        self._lines[item] = lines
        self._seconds[item] = time.process_time() - started

    def _tried(self, mutant: Mutant, items: Sequence[pytest.Item]) -> str:
        file, (first, last) = str(Path(mutant.file).resolve()), mutant.statement
        numbered = [
            (number, item)
            for number, item in enumerate(items)
            if not mutant.function
            or any(first <= line <= last for line in self._lines[item].get(file, ()))
        ]
        if not numbered:
            return "survived: no test runs it"
        near = self._killers[f"{mutant.file} {mutant.function}"]
        far = self._killers[mutant.file]
        numbered.sort(
            key=lambda each: (-near[each[0]], -far[each[0]], self._seconds[each[1]]),
        )
        outcome, killer = self._in_a_process(mutant, numbered)
        if killer is not None:
            near[killer] += 1
            far[killer] += 1
        return outcome

    def _in_a_process(
        self, mutant: Mutant, items: Sequence[tuple[int, pytest.Item]]
    ) -> tuple[str, int | None]:
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.close(reading)
            resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
            try:
                self._put_in(mutant)
                for number, item in items:
                    self._limit(item)
                    reports = runtestprotocol(item, log=False, nextitem=None)
                    if any(report.failed for report in reports):
                        os.write(writing, str(number).encode())
                        os._exit(1)
            except BaseException:  # noqa: BLE001 - whatever it is, the mutant does not pass
                os._exit(2)
            os._exit(0)
        os.close(writing)
        select.select([reading], [], [])
        said = os.read(reading, 16)
        os.close(reading)
        _, status = os.waitpid(child, 0)
        if said:
            return "killed", int(said)
        return ("survived" if status == 0 else "killed: it never ends or breaks the tests"), None

    def _limit(self, item: pytest.Item) -> None:
        """Give a test three times what it took, for a mutant may never end."""
        seconds = int(time.process_time() + 3 * self._seconds[item] + 3)
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))

    def _put_in(self, mutant: Mutant) -> None:
        """Put the faulty code where the sound code is."""
        _forget(self._caches)
        module = sys.modules[
            mutant.file.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        ]
        if mutant.function:
            faulty = {(c.co_qualname, c.co_firstlineno): c for c in _codes(mutant.code())}
            for function in self._functions[str(module.__file__), mutant.function]:
                code = function.__code__
                function.__code__ = faulty[code.co_qualname, code.co_firstlineno]
            return
        # A constant: it, and every module that imported it, gets the faulty one.
        before = dict(vars(module))
        exec(mutant.code(), vars(module))  # noqa: S102 - the project's own source
        changed = {n: v for n, v in vars(module).items() if n in before and before[n] is not v}
        for other in [m for name, m in sys.modules.items() if name.startswith("hardened_ec2.")]:
            for name, value in changed.items():
                if vars(other).get(name) is before[name]:
                    setattr(other, name, value)


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _caches() -> Caches:
    kind = functools._lru_cache_wrapper  # noqa: SLF001 - it has no other name
    caches = [each for each in gc.get_objects() if isinstance(each, kind)]
    return [each for each in caches if each.__module__.startswith("hardened_ec2.")]


def _forget(caches: Caches) -> None:
    """Empty the caches, in which answers of the sound code would live on."""
    for each in caches:
        each.cache_clear()


@functools.cache
def _state(file: str) -> str:
    return sha256(Path(file).read_bytes()).hexdigest()[:12]


def _digest(mutant: Mutant) -> str:
    """Return what an outcome is kept under: a mutant that was killed stays dead.

    One that survived is tried again, for tests may have come since.
    """
    return f"{mutant.name} {_state(mutant.file)}"


def _known() -> dict[str, str]:
    """Read the outcomes of this run and of those before it; the last one counts."""
    lines = RESULTS.read_text().splitlines() if RESULTS.exists() else []
    return dict(json.loads(line) for line in lines)


def main() -> None:
    """Try mutants and say which survive."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("files", nargs="*", default=TARGETS)
    parser.add_argument(
        "--sample", type=int, help="number of mutants, a random sample; default: all"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the sample; default: 0")
    parser.add_argument("--tests", nargs="*", default=["tests/unit/policy"], help="tests to run")
    jobs = os.cpu_count() or 1
    parser.add_argument(
        "--jobs", type=int, default=jobs, help="mutants tried at once; default: cores"
    )
    parser.add_argument("--anew", action="store_true", help="forget what earlier runs killed")
    given = parser.parse_args()
    chosen = [mutant for file in given.files for mutant in mutants(file)]
    total = len(chosen)
    # Shuffled, so that an interrupted run is a sample.
    random.Random(given.seed).shuffle(chosen)  # noqa: S311
    chosen = chosen[: given.sample]
    RESULTS.parent.mkdir(exist_ok=True)
    if given.anew:
        RESULTS.unlink(missing_ok=True)
    # A test that fails must not leave examples behind for the next run.
    hypothesis.settings.register_profile(
        "mutation",
        database=None,
        derandomize=True,
        phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
    )
    hypothesis.settings.load_profile("mutation")
    run = Run(chosen, _known(), given.jobs)
    pytest.main(
        [
            *given.tests,
            "-q",
            "-s",
            "-pno:cacheprovider",
            "--tb=native",
            "-Wignore:Module already imported",
        ],
        plugins=[run],
    )
    _report(chosen, _known(), total)


def _report(chosen: Sequence[Mutant], known: dict[str, str], total: int) -> None:
    killed: Counter[str] = Counter()
    tried: Counter[str] = Counter()
    survivors = []
    for mutant in chosen:
        outcome = known.get(_digest(mutant), "not tried")
        tried[mutant.file] += outcome != "not tried"
        killed[mutant.file] += outcome.startswith("killed")
        if outcome.startswith("survived"):
            survivors.append(f"- `{mutant.name}`{outcome.removeprefix('survived')}")
    lines = [f"| {file} | {tried[file]} | {killed[file]} |" for file in sorted(tried)]
    share = killed.total() / max(1, tried.total())
    lines.append(f"| together, of {total} mutants | {tried.total()} | {killed.total()} |")
    lines.append(f"\n{share:.1%} killed. Survivors:\n")
    sys.stdout.write("\n".join((*lines, *survivors, "")))


if __name__ == "__main__":
    main()
