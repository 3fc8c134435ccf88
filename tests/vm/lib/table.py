"""The table of results, as docs/vm-results.md has it, from the result.json of the runs."""
import json
import pathlib

HEAD = """# Real kernels, real crashes

Written by `tests/vm/table docs/vm-results.md` after `tests/vm/run --all`: each line is one dump of one crash in a
virtual machine (QEMU without KVM, two CPUs). "metadata" counts pages of live memmap and info blocks on the pmem that are in the dump
and equal the media at the panic, of those that have to be there; "user data" counts pages of the pmem in the dump that
are none of these; "lost" and "left" judge level 31 by the kernel's own page flags (`/proc/kpageflags`, read some two
seconds before the panic): slab, page table and reserved pages that are missing, and free, anonymous, page cache and
hugetlb pages that are there; "readers" are those that opened it and found what they should (drgn: the task list and a
`struct page` on each namespace; libkdumpfile: a sample of pages, equal to ours).

| case | kernel | loader | namespaces | dumper | metadata | user data | lost | left | readers | seconds | |
|---|---|---|---|---|---|---|---|---|---|---|---|
"""


def write(results: pathlib.Path, names, target: pathlib.Path):
    rows = []
    for path in names:
        file = results / path.stem / "result.json"
        if file.exists():
            rows += _rows(json.loads(file.read_text()))
    target.write_text(HEAD + "".join("| " + " | ".join(row) + " |\n" for row in rows))


def _rows(result):
    verdict = "pass" if not result["problems"] else "FAIL: " + "; ".join(result["problems"]).replace("|", "/")
    start = [f"{result['case']}: {result['title']}", result["kernel"] + " " + result.get("release", ""),
             result["loader"], ", ".join(space.split(" ", 1)[1] for space in result.get("namespaces", [])) or "–"]
    if result["corrupt"]:
        return [start + [f"(a byte of the {result['corrupt']} changed after the load: resets)"] + ["–"] * 6 + [verdict]]
    rows = []
    for dump in result.get("dumps", []) or [{"dumper": "–"}]:
        readers = [name for name in ("libkdumpfile", "drgn", "vmcore info") if name in dump]
        rows.append(start + [
            dump["dumper"],
            f"{dump['metadata found']} of {dump['metadata pages']}" if "metadata found" in dump else "–",
            str(dump.get("pmem user pages in the dump", "–")),
            _sum(dump.get("lost of")), _sum(dump.get("kept of")),
            ", ".join(readers) or "–", str(dump.get("seconds", "–")), verdict])
    return rows


def _sum(counts):
    if not counts:
        return "–"
    pairs = [[int(number) for number in text.split("/")] for text in counts.values()]
    return f"{sum(pair[0] for pair in pairs)} of {sum(pair[1] for pair in pairs)}"
