"""Judges one dump by ground truth. Says what is wrong in sentences, and puts what it counted into a dictionary."""
import hashlib
import pathlib
import re

from . import dumpfiles, readers
from .truth import right_bytes

PMEM_CANARY = b"VMCORE-PMEM-CANARY /"
ANON_TEXT = b"VMCORE-ANON-TEXT "

# /proc/kpageflags, Documentation/admin-guide/mm/pagemap.rst
SLAB, LRU, BUDDY, ANON, SWAPCACHE, SWAPBACKED, HUGE, TABLE, RESERVED = 7, 5, 10, 12, 13, 14, 17, 26, 32
# What level 31 must keep, and what it must leave out. The flags were read about two seconds before the panic.
KEPT_31 = {"slab": SLAB, "page tables": TABLE, "reserved": RESERVED}
DROPPED_31 = {"free": BUDDY, "anonymous": ANON}
DRIFT, DRIFT_PAGES = 0.04, 96


class Verdict:
    def __init__(self):
        self.problems, self.facts = [], {}

    def wrong(self, text):
        self.problems.append(text)


def judge(path: pathlib.Path, truth, level: int, expectations, symbols) -> Verdict:
    """expectations: words of the case's "expect" lines that change what is right."""
    verdict = Verdict()
    try:
        dump = dumpfiles.open_dump(path, truth.page)
    except (dumpfiles.DumpError, OSError) as error:
        verdict.wrong(str(error))
        return verdict
    facts = verdict.facts
    facts["bytes"] = path.stat().st_size
    if dump.incomplete:
        verdict.wrong("the dump is marked incomplete")
    if dump.level is not None and dump.level != level:
        verdict.wrong(f"dump level {dump.level} in the file instead of {level}")
    panic, before = truth.memory("panic"), truth.memory("before")
    _metadata(dump, truth, panic, before, level, expectations, verdict)
    _content(dump, truth, panic, expectations, verdict)
    if level == 31:
        _classes(dump, truth, panic, verdict)
    readers.libkdumpfile(path, dump, verdict)
    if symbols and level & 32 == 0:
        readers.drgn(path, truth, symbols, verdict, "no-metadata" not in expectations)
    return verdict


def _metadata(dump, truth, panic, before, level, expectations, verdict):
    """Each page of live memmap and each info block of map=dev is there and right; of other pmem, nothing is there."""
    facts = verdict.facts
    required, allowed = set(), set()
    ranges = []
    for namespace in truth.namespaces:
        for start, end in namespace.required:
            required.update(_pages(truth, start, end))
            ranges.append((namespace, start, end))
        for start, end in namespace.allowed:
            allowed.update(_pages(truth, start, end))
    present = {pfn for pfn in dump.pages() if truth.is_pmem(pfn)}
    stray = present - required - allowed
    if "whole-area" in expectations:
        # A dumper that knows nothing of pmem keeps all of a metadata PT_LOAD, [base, base + dataoff), unused gaps too.
        gaps = {pfn for pfn in stray for space in truth.namespaces if space.mapping == "dev"
                and space.base // truth.page <= pfn < space.metadata_end // truth.page}
        facts["unused pages of the metadata area"] = len(gaps)
        stray -= gaps
    facts["metadata pages"] = len(required)
    facts["pmem user pages in the dump"] = len(stray)
    if stray:
        verdict.wrong(f"{len(stray)} pages of pmem user data are in the dump, the first is pfn {min(stray):#x}")
    beside = {pfn for pfn in present & (allowed - required) if dump.page(pfn) not in _right(truth, panic, pfn, False)}
    if beside and "whole-area" not in expectations:
        verdict.wrong(f"{len(beside)} pages with an info block are not just that, first pfn {min(beside):#x}")
    if level & 32 or "no-metadata" in expectations:
        facts["metadata found"] = len(present & required)
        if level & 32 and present & (required | allowed):
            verdict.wrong(f"{len(present & (required | allowed))} metadata pages in the dump despite level {level}")
        return
    # A page that is all zero may be left out by bit 1 of the level.
    missing = {pfn for pfn in required - present if not (level & 1 and panic.page(pfn).count(0) == truth.page)}
    unwritten = {start // truth.page for space in truth.namespaces for start in space.unwritten}
    different = {pfn for pfn in required & present if dump.page(pfn) not in _right(truth, panic, pfn, pfn in unwritten)}
    facts["metadata found"] = len(required) - len(missing) - len(different)
    if missing:
        verdict.wrong(f"{len(missing)} of {len(required)} metadata pages are not in the dump, first pfn {min(missing):#x}")
    if different:
        verdict.wrong(f"{len(different)} of {len(required)} metadata pages differ from the media at the panic")
    hashes = facts["sha256"] = []
    for namespace, start, end in ranges:
        zero, pages = bytes(truth.page), _pages(truth, start, end)
        held = b"".join(dump.page(pfn) if dump.has(pfn) else zero for pfn in pages)
        in_dump = hashlib.sha256(held[start - pages[0] * truth.page:][:end - start]).hexdigest()
        media = panic.read(start, end - start)
        at_panic = hashlib.sha256(media).hexdigest()
        right = [hashlib.sha256(data).hexdigest() for data in namespace.right(start, media)]
        earlier = hashlib.sha256(before.read(start, end - start)).hexdigest()
        hashes.append({"namespace": namespace.name, "start": hex(start), "end": hex(end), "dump": in_dump,
                       "panic": at_panic, "first kernel": earlier})
        if in_dump not in right:
            verdict.wrong(f"{namespace.name} [{start:#x}-{end:#x}): SHA-256 differs from the media's at the panic")
        if at_panic != earlier:
            facts.setdefault("changed by the panic itself", []).append(namespace.name)


def _pages(truth, start, end):
    """The pages that a range of bytes lies in."""
    return range(start // truth.page, -(-end // truth.page))


def _right(truth, panic, pfn, unwritten):
    """What a page of metadata may be. Where a page is larger than an info block, what stands beside the block is user data, and reads as zero."""
    media, block = panic.page(pfn), truth.information(pfn)
    if block:
        return [bytes(block[0]) + media[block[0]:block[1]] + bytes(truth.page - block[1])]
    return right_bytes(media, truth.arch.reserve_bytes if unwritten else 0)


def _content(dump, truth, panic, expectations, verdict):
    """No canary of the pmem, and pages of RAM hold what RAM held."""
    canaries = pages = different = stale = 0
    unwritten = {start // truth.page for space in truth.namespaces for start in space.unwritten}
    reserve = truth.arch.reserve_bytes
    for pfn in dump.pages():
        data = dump.page(pfn)
        pages += 1
        if pfn in unwritten:
            stale += PMEM_CANARY in data[:reserve]
            data = data[reserve:]
        canaries += PMEM_CANARY in data
        if not truth.is_pmem(pfn):
            real = panic.page(pfn)
            different += real is not None and real != data
    verdict.facts.update({"pages": pages, "canaries": canaries,
                          "stale bytes in unwritten struct pages": stale * reserve,
                          "pages changed after the panic": different})
    if stale and "whole-area" not in expectations:
        verdict.wrong(f"user data are left in {stale} pairs of struct pages that the kernel never wrote")
    if canaries:
        verdict.wrong(f"{canaries} pages hold user data of the pmem")
    if different > max(400, pages // 20):
        verdict.wrong(f"{different} of {pages} pages differ from memory at the panic")


def _classes(dump, truth, panic, verdict):
    """Level 31 against the kernel's own page flags."""
    kept = {name: [0, 0] for name in KEPT_31}
    dropped = {name: [0, 0] for name in [*DROPPED_31, "page cache", "hugetlb"]}
    for pfn in truth.ram_pfns():
        flags = truth.page_flags(pfn)
        has = dump.has(pfn)
        for name, bit in KEPT_31.items():
            if flags >> bit & 1:
                kept[name][0] += 1
                if not has and dump.in_memory(pfn) and panic.page(pfn).count(0) != truth.page:
                    kept[name][1] += 1
        for name, bit in DROPPED_31.items():
            # 6.12 says "anonymous" of slab pages too: it reads their free list as a mapping.
            if flags >> bit & 1 and not flags >> SLAB & 1:
                dropped[name][0] += 1
                dropped[name][1] += has
        if flags >> HUGE & 1:
            dropped["hugetlb"][0] += 1
            dropped["hugetlb"][1] += has
        if flags >> LRU & 1 and not flags >> ANON & 1:
            dropped["page cache"][0] += 1
            dropped["page cache"][1] += has
    verdict.facts["lost of"] = {name: f"{bad}/{total}" for name, (total, bad) in kept.items()}
    verdict.facts["kept of"] = {name: f"{bad}/{total}" for name, (total, bad) in dropped.items()}
    for name, (total, bad) in kept.items():
        if bad > max(DRIFT_PAGES, total * DRIFT):
            verdict.wrong(f"{bad} of {total} {name} pages are not in the dump")
    for name, (total, bad) in dropped.items():
        if bad > max(DRIFT_PAGES, total * DRIFT):
            verdict.wrong(f"{bad} of {total} {name} pages are in the dump")


def report(log: str, verdict, truth, level, expectations):
    """What the dumper itself says at message level 31: its counts and its hashes against the media's."""
    said = {}
    for key, number in re.findall(r"^\s*(pmem [a-z ]+?)\s*: 0x([0-9a-f]+)", log, re.M):
        said[key] = int(number, 16)
    if not said:
        return
    verdict.facts["report"] = said
    if "no-metadata" in expectations:
        told = {int(start, 16) for start in re.findall(r"pfn: \[0x([0-9a-f]+) - 0x[0-9a-f]+\) sha256: not in the dump", log)}
        panic = truth.memory("panic")
        silent = [space.name for space in truth.namespaces for pfn, _ in space.told(panic) if pfn not in told]
        if silent:
            verdict.wrong(f"the dumper does not say that the memmap of {', '.join(silent)} is missing")
        return
    panic = truth.memory("panic")
    known = {int(start, 16): digest for start, digest in
             re.findall(r"pfn: \[0x([0-9a-f]+) - 0x[0-9a-f]+\) sha256: ([0-9a-f]{64})", log)}
    for namespace in truth.namespaces:
        for pfn, right in namespace.told(panic):
            if known.get(pfn) not in right:
                verdict.wrong(f"the dumper gives {known.get(pfn)} as SHA-256 of the memmap of {namespace.name}")
    kept = said.get("pmem metadata kept")
    if level & 33 == 0 and kept is not None and kept < verdict.facts.get("metadata found", 0):
        verdict.wrong(f"the report says that {kept} metadata pages are kept, but "
                      f"{verdict.facts['metadata found']} are in the dump")
