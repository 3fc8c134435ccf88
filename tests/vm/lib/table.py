"""The table of results, as docs/vm-results.md has it, from the result.json of the runs."""
import json
import pathlib
import re

HEAD = """# Real kernels, real crashes

Written by `tests/vm/table docs/vm-results.md` after `tests/vm/run`, from the cases that were run: each line is one dump
of one crash in a virtual machine (QEMU without KVM, two CPUs unless the case says otherwise).

* "metadata" counts pages of live memmap and info blocks on the pmem that are in the dump and equal the media at the panic,
  of those that have to be there.
* "user data" counts pages of the pmem in the dump that are none of these. With a dumper that knows nothing of pmem each
  namespace's first page, which nothing uses, is there as well ("unused").
* "lost" and "left" judge level 31 by the kernel's own page flags (`/proc/kpageflags`, read some two seconds before the
  panic): slab, page table and reserved pages that are missing, and free, anonymous, page cache and hugetlb pages that
  are there.
* "readers" are those that opened it and found what they should. libkdumpfile: a sample of pages, equal to ours; drgn: the
  task list and a `struct page` on each namespace (the patched kernels are built without the debug information it needs);
  `vmcore info`: the namespaces and the SHA-256 of each memmap.

| case | kernel | loader | namespaces | dumper | metadata | user data | lost | left | readers | seconds | |
|---|---|---|---|---|---|---|---|---|---|---|---|
"""

MEASURE = """
## Read against mmap of /proc/vmcore

Both dumpers map /proc/vmcore unless told `--non-mmap`: ours some megabytes at a time, with a bounded number of windows. Seconds of the
whole dump in the capture kernel (without KVM, where each access to memory is slow, and with other work beside it: a third more or less
says nothing), one after another of the same crash; of dumps made twice the better one. Ours ends when the dump is on the disk, Debian's before that.

| kernel | dumper | mapped | read |
|---|---|---|---|
"""

LIVE = """
## Dumps of a running kernel

`/proc/kcore` is dumped again and again while the kernel runs, then it crashes. "fixed pages" are those of its text and read-only data; "absent" and
"different" count such pages of all the live dumps that are not in them, or are not what the dump of the crash has.

| kernel | CPUs | dumper | dumps | fixed pages | absent | different | seconds |
|---|---|---|---|---|---|---|---|
"""

OPTIONS = """
## Options of kexec beside Debian's

`tests/vm/guest/options.sh` runs both with the same options, good and bad, on a machine with a reserved region: the exit status, and
whether a crash kernel is loaded afterwards.

| kernel | compared | the same | they differ, as documented |
|---|---|---|---|
"""

WAYS = """
## Crashes made on purpose

Each in a machine of its own: what our reader says of the dump against what the module that crashed it, and the kernel itself, said on the serial line
(`tests/vm/README.md` names the ways).

| kernel | ways | all as it is | what is wrong |
|---|---|---|---|
"""

SMALLEST = """
## The smallest crashkernel=

Found by `tests/vm/smallest` in steps of 4 MiB: a machine of 512 MiB with a pmem namespace, the capture initramfs with
busybox and the dumper (Debian's with its libraries), `-l -d 31`. What the words cost and save is in `tests/vm/README.md`.

| kernel | capture kernel's words | loader and dumper | works | too small |
|---|---|---|---|---|
"""


def write(results: pathlib.Path, names, target: pathlib.Path):
    """What no run of this cache has is taken over from the document as it is. The smallest crashkernel= is taken from the folder that tests/vm/smallest keeps
    beside the results."""
    old = target.read_text() if target.exists() else ""
    files = {path.stem: results / path.stem / "result.json" for path in names}
    found = {name: json.loads(file.read_text()) for name, file in files.items() if file.exists()}
    small = [json.loads(file.read_text()) for file in sorted(results.parent.glob("smallest/results/*/result.json"))]
    earlier = {}
    for row in _old_rows(old, HEAD):
        earlier.setdefault(row[0].partition(":")[0], []).append(row)
    rows = [row for name in files for row in (_rows(found[name]) if name in found else earlier.get(name, []))]
    absent = [name for name in files if name not in found and name not in earlier]
    builds = _builds(found, [name for name in files if name in earlier and name not in found], old)
    target.write_text(HEAD + _lines(rows) + (f"\nNot run for this table: {', '.join(absent)}.\n" if absent else "") + builds
                      + _section(MEASURE, _measured(found.values()), old, 2) + _section(LIVE, _live(found.values()), old, 3)
                      + _section(WAYS, _ways(found.values()), old, 1) + _section(OPTIONS, _options(found.values()), old, 1) + _section(SMALLEST, _smallest(small), old, 3))


BUILDS = """
## Which build each case was run with

The first digits of the executable's SHA-256; of a machine of another architecture, of its own executable.

"""
UNKNOWN = "earlier ones"


def _builds(found, kept, old):
    """Of cases that were not run anew, what the document said before."""
    cases = {}
    for name, result in found.items():
        cases.setdefault(f"`{result.get('executable of the machine', result.get('executable', ''))}`", []).append(name)
    before = {name: build for build, names in re.findall(r"^\* (`[0-9a-f]{12}`|" + UNKNOWN + r"): (.*)$", old, re.M) for name in names.split(", ")}
    for name in kept:
        cases.setdefault(before.get(name, UNKNOWN), []).append(name)
    return BUILDS + "".join(f"* {build}: {', '.join(sorted(names))}\n" for build, names in sorted(cases.items(), key=lambda pair: min(pair[1])))


def _old_rows(old, head):
    """The rows of a table of the document, by its columns."""
    columns = next(line for line in head.splitlines() if line.startswith("|"))
    lines = old.splitlines()
    rows = []
    for line in lines[lines.index(columns) + 2:] if columns in lines else []:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line[1:].rstrip().removesuffix("|").split(" | ")])
    return rows


def _section(head, rows, old, key):
    """key: how many columns say what a row is about; rows of the document about something else stay."""
    fresh = {tuple(row[:key]) for row in rows}
    rows = [row for row in _old_rows(old, head) if tuple(row[:key]) not in fresh] + rows
    return head + _lines(rows) if rows else ""


def _lines(rows):
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)


def _measured(found):
    rows = []
    for result in found:
        seconds = {}
        for dump in result.get("dumps", []):
            if "seconds" in dump:
                seconds[dump["dumper"]] = min(dump["seconds"], seconds.get(dump["dumper"], dump["seconds"]))
        for dumper, read in seconds.items():
            mapped = seconds.get(dumper.replace(" --non-mmap", ""))
            if " --non-mmap" in dumper and mapped is not None:
                rows.append([f"{result['kernel']} {result['release']}", dumper.replace(" --non-mmap", ""),
                             str(mapped), str(read)])
    return rows


def _options(found):
    return [[f"{result['kernel']} {result['release']}", str(result["options"]["compared"]),
             "all others" if not result["problems"] else "FAIL",
             ", ".join(f"`{re.sub('x{20,}', 'x…', words)}`" for words in result["options"]["differs"])]
            for result in found if "options" in result]


def _smallest(small):
    """Of each kernel, words and tools: the smallest that works and the largest that does not."""
    tried = {}
    for result in small:
        works = tried.setdefault((f"{result['kernel']} {result.get('release', '')}", result["capture-append"], result["loader"].split()[0]), ([], []))
        works[bool(result["problems"])].append(int(result["crashkernel"].removesuffix("M")))
    return [[kernel, words or "–", tools, f"{min(good)}M", f"{max(bad)}M" if bad else "–"]
            for (kernel, words, tools), (good, bad) in sorted(tried.items()) if good]


def _ways(found):
    return [[f"{result['kernel']} {result['release']}", " ".join(result["ways"]), f"{sum(not wrong for wrong in result['ways'].values())} of {len(result['ways'])}",
             "; ".join(result["problems"]).replace("|", "/") or "–"] for result in found if "ways" in result]


def _rows(result):
    if "ways" in result:
        return []
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
            _metadata(dump) + (" (none expected)" if "no-metadata" in result["expect"] else ""),
            str(dump.get("pmem user pages in the dump", "–")) + _unused(dump),
            _sum(dump.get("lost of")), _sum(dump.get("kept of")),
            ", ".join(readers) or "–", str(dump.get("seconds", "–")), verdict])
    return rows


def _live(found):
    """Dumps of running kernels beside the dump of the crash."""
    return [[f"{result['kernel']} {result['release']}", result["cpus"], f"`{live['dumper']}`", str(live["dumps"]), str(live["pages"]),
             str(live["missing"]), str(live["different"]), f"{min(live['seconds'], default=0)} to {max(live['seconds'], default=0)}"]
            for result in found if (live := result.get("live"))]


def _unused(dump):
    unused = dump.get("unused pages of the metadata area", 0)
    return f" ({unused} unused)" if unused else ""


def _metadata(dump):
    return f"{dump['metadata found']} of {dump['metadata pages']}" if "metadata found" in dump else "–"


def _sum(counts):
    if not counts:
        return "–"
    pairs = [[int(number) for number in text.split("/")] for text in counts.values()]
    return f"{sum(pair[0] for pair in pairs)} of {sum(pair[1] for pair in pairs)}"
