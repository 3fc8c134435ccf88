"""The readers that people use, on a dump: do they open it and find the machine's tasks and a struct page on pmem?"""
import hashlib
import json
import pathlib
import subprocess
import sys

PAGE = 4096

DRGN = r"""
import sys
import drgn
from drgn.helpers.linux.pid import for_each_task
program = drgn.Program()
program.set_core_dump(sys.argv[1])
program.load_debug_info([sys.argv[2]])
tasks = [task.comm.string_().decode() for task in for_each_task(program)]
print("tasks", len(tasks), "mapper", tasks.count("mapper"), "init", tasks.count("init") + tasks.count("busybox"))
from drgn import Object
for text in sys.argv[3:]:
    pfn = int(text, 0)
    vmemmap = program["vmemmap_base"].value_()
    page = Object(program, "struct page", address=vmemmap + pfn * program.type("struct page").size)
    print("page", hex(pfn), hex(page.flags.value_()), page.pgmap.type.value_())
"""


def libkdumpfile(path: pathlib.Path, dump, verdict):
    import kdumpfile
    try:
        context = kdumpfile.kdumpfile(str(path))
        pages = list(dump.pages())
        for pfn in pages[:: max(1, len(pages) // 500)]:
            data = context.read(kdumpfile.KDUMP_MACHPHYSADDR, pfn * PAGE, PAGE)
            if bytes(data) != dump.page(pfn):
                verdict.wrong(f"libkdumpfile reads pfn {pfn:#x} differently")
                return
        verdict.facts["libkdumpfile"] = "opens"
    except Exception as error:  # its exceptions have no common base but this
        verdict.wrong(f"libkdumpfile: {type(error).__name__}: {error}")


def drgn(path: pathlib.Path, truth, symbols: pathlib.Path, verdict, metadata: bool):
    """In a process of its own: with debug information drgn takes half a gigabyte, which should go back."""
    pfns, types = [], []
    if metadata:
        for namespace in truth.namespaces:
            whole = [pair for pair in namespace.required[1:] if pair[1] > pair[0]]
            if whole:
                pfns.append(hex(namespace.metadata_end // PAGE))
                types.append({"fsdax": "3", "devdax": "4"}[namespace.mode])
    done = subprocess.run([sys.executable, "-c", DRGN, str(path), str(symbols), *pfns], capture_output=True, text=True)
    if done.returncode:
        verdict.wrong("drgn: " + (done.stderr.strip().splitlines() or ["failed"])[-1])
        return
    verdict.facts["drgn"] = done.stdout.strip().splitlines()
    if "init 0" in done.stdout.splitlines()[0]:
        verdict.wrong("drgn finds no init among the tasks: " + done.stdout.splitlines()[0])
    # MEMORY_DEVICE_FS_DAX and MEMORY_DEVICE_GENERIC, by the pgmap of the first page of user data.
    found = [line.split()[-1] for line in verdict.facts["drgn"][1:]]
    if found != types:
        verdict.wrong(f"drgn finds device pages of types {found} on the pmem instead of {types}")


def vmcore_info(path: pathlib.Path, executable: pathlib.Path, truth, release: str, verdict):
    """Our own reader: does it name each namespace, and give the media's hashes?"""
    done = subprocess.run([str(executable), "info", "--json", str(path)], capture_output=True, text=True)
    if done.returncode:
        verdict.wrong("vmcore info: " + " ".join(done.stderr.strip().splitlines()[-1:]))
        return
    info = json.loads(done.stdout)
    if info["release"] != release:
        verdict.wrong(f"vmcore info gives release {info['release']}")
    pmem = info.get("pmem") or {"namespaces": [], "metadata": []}
    by_base = {int(space["base"], 16): space for space in pmem["namespaces"]}
    hashes = {span["start_pfn"]: span["sha256"] for span in pmem["metadata"]}
    panic = truth.memory("panic")
    for space in truth.namespaces:
        if space.mapping != "dev":
            continue
        found = by_base.get(space.base)
        # Of a namespace without any whole section the memmap is RAM, and nothing of it can be missing.
        if found is None or found["mode"] != space.mode or found["memmap"] not in ("complete", "none"):
            verdict.wrong(f"vmcore info on {space.name} ({space.mode}): {found}")
            continue
        for start, end in space.required[1:]:
            right = [hashlib.sha256(data).hexdigest() for data in space.right(start, panic.read(start, end - start))]
            if hashes.get(start // PAGE) not in right:
                verdict.wrong(f"vmcore info: SHA-256 of the memmap of {space.name} is not the media's")
    verdict.facts["vmcore info"] = f"{len(by_base)} namespaces"
