"""Dumps that the first kernel made of itself through /proc/kcore, against the dump of the crash that followed: what a running kernel does not change, its
text and read-only data, must be the same in both, page by page. (Linux gives each open /proc/kcore one bounce page: a reader that shares a descriptor between
threads gets other pages' content there, and nothing else tells.)"""
import re

from . import dumpfiles, readers
from .judge import Verdict

FIXED = ("Kernel code", "Kernel rodata")


def wanted(case):
    """(how many, options of makedumpfile) of "live = NUMBER OPTIONS"; (0, "") of a case without."""
    number, _, line = case["live"].partition(" ")
    return int(number or 0), line


def judge(case, truth, crash_dump, facts):
    """Fills facts["live"]; returns the problems. crash_dump: the level-31 dump of the crash, which is judged by itself."""
    count, line = wanted(case)
    if count == 0:
        return []
    if crash_dump is None:
        return ["there is no dump of the crash to compare the live ones with"]
    crash, panic = dumpfiles.open_dump(crash_dump, truth.page), truth.memory("panic")
    pfns = [pfn for _, start, end, name in truth.iomem if name in FIXED for pfn in range(start // truth.page, -(-end // truth.page))]
    problems = []
    changed = sum(1 for pfn in pfns if crash.has(pfn) and crash.page(pfn) != panic.page(pfn))
    if changed:
        problems.append(f"{changed} pages of text and read-only data of the crash dump are not what memory held at the panic")
    if sum(crash.has(pfn) for pfn in pfns) < len(pfns) // 2:
        problems.append(f"the crash dump has less than half of the {len(pfns)} pages of text and read-only data")
    facts["live"] = {"dumper": f"vmcore {line} /proc/kcore", "dumps": 0, "pages": len(pfns), "different": 0, "missing": 0, "seconds": []}
    for number in range(count):
        problems += [f"live dump {number}: {problem}" for problem in _one(truth.folder, number, crash, pfns, facts["live"])]
    return problems


def _one(folder, number, crash, pfns, facts):
    path = folder / "out" / "first" / f"live.{number}"
    status = path.with_name(path.name + ".status")
    end = re.search(r"exit=(\d+) seconds=(\S+)", status.read_text() if status.exists() else "")
    if end is None or end[1] != "0":
        log = path.with_name(path.name + ".log")
        said = log.read_text(errors="replace").strip().splitlines()[-1:] if log.exists() else []
        return [f"exit status {end[1] if end else 'unknown'}: {' '.join(said)}"]
    facts["dumps"] += 1
    facts["seconds"].append(float(end[2]))
    verdict = Verdict()
    try:
        dump = dumpfiles.open_dump(path)
    except (dumpfiles.DumpError, OSError) as error:
        return [str(error)]
    if dump.incomplete:
        verdict.wrong("it is marked incomplete")
    missing = [pfn for pfn in pfns if crash.has(pfn) and not dump.has(pfn)]
    different = [pfn for pfn in pfns if crash.has(pfn) and dump.has(pfn) and dump.page(pfn) != crash.page(pfn)]
    facts["missing"] += len(missing)
    facts["different"] += len(different)
    if missing:
        verdict.wrong(f"{len(missing)} of {len(pfns)} pages of text and read-only data are not there, first pfn {missing[0]:#x}")
    if different:
        verdict.wrong(f"{len(different)} of {len(pfns)} pages of text and read-only data differ from the crash dump's, first pfn {different[0]:#x}")
    readers.libkdumpfile(path, dump, verdict)
    return verdict.problems
