"""The readers that people use, on a dump: do they open it and find the machine's tasks and a struct page on pmem?"""
import json
import pathlib
import subprocess
import sys

from . import paths

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
            data = context.read(kdumpfile.KDUMP_MACHPHYSADDR, pfn * dump.page_size, dump.page_size)
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
                pfns.append(hex(namespace.metadata_end // truth.page))
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
        for pfn, right in space.told(panic):
            if hashes.get(pfn) not in right:
                verdict.wrong(f"vmcore info: SHA-256 of the memmap of {space.name} is not the media's")
    verdict.facts["vmcore info"] = f"{len(by_base)} namespaces"


def vmcore_bt(path: pathlib.Path, executable: pathlib.Path, arch, verdict):
    """Our stack of the task that panicked: walked by the kernel's tables, not guessed, from sysrq up to the call out of user mode."""
    done = subprocess.run([str(executable), "bt", "--json", str(path)], capture_output=True, text=True)
    if done.returncode:
        verdict.wrong("vmcore bt: " + " ".join(done.stderr.strip().splitlines()[-1:]))
        return
    stack = json.loads(done.stdout)["stacks"][0]
    frames = [(frame["symbol"] or "user").split("+")[0] for frame in stack["frames"]]
    wanted = list(arch.stack)
    if stack["method"] != arch.method or [name for name in frames if name in wanted] != wanted:
        verdict.wrong(f"vmcore bt ({stack['method']}): {' '.join(frames)}")
    verdict.facts["vmcore bt"] = f"{len(frames)} frames"


def drgn_comparison(path: pathlib.Path, executable: pathlib.Path, truth, symbols, verdict):
    """Tasks, mounts, symbols, types and values that our reader shows, against drgn's and /proc/kallsyms of the machine. Where there is no debug
    information, drgn has the types from the kernel's BTF by way of bpftool and gcc."""
    command = [str(paths.TREE / "tests" / "readers" / "compare-drgn"), str(path), str(executable), "--kallsyms", str(truth.folder / "out" / "first" / "kallsyms")]
    done = subprocess.run(command + (["--vmlinux", str(symbols)] if symbols else []), capture_output=True, text=True)
    lines = (done.stdout + done.stderr).strip().splitlines() or ["compare-drgn failed"]
    verdict.facts["compared with drgn"] = lines[-1]
    if done.returncode:
        verdict.wrong("differs from drgn: " + "; ".join(lines[-4:]))


def vmcore_pmem(path: pathlib.Path, executable: pathlib.Path, truth, verdict):
    """Our reverse map: every file and device that a process has mapped, with all of its pages and every sharer, and who maps it. And the mounts."""
    first = truth.folder / "out" / "first"
    done = subprocess.run([str(executable), "pmem", "--json", str(path)], capture_output=True, text=True)
    mounts = subprocess.run([str(executable), "mounts", "--json", str(path)], capture_output=True, text=True)
    for name, run in (("pmem", done), ("mounts", mounts)):
        if run.returncode:
            verdict.wrong(f"vmcore {name}: " + " ".join(run.stderr.strip().splitlines()[-1:]))
            return
    answer = json.loads(done.stdout)
    mapped = {}
    for line in (first / "mappers").read_text().splitlines() if (first / "mappers").exists() else []:
        words = line.split()
        if words[0].startswith(("/mnt/", "/dev/dax")) and words[-1] == "ready":
            mapped[words[0]] = int(words[1]) // truth.page
    # A file and its clone. Up to 6.2 a shared page names the file that was read last; since 6.3 it has a count, and names none.
    shared = {name for name in mapped if name.endswith("/shared") or (name.endswith("/small") and name[:-5] + "shared" in mapped)}
    files = {file["path"]: file for file in answer["files"]}
    for name, pages in mapped.items():
        file = files.get(name, {"pages": 0, "shared_pages": 0, "ranges": [], "shared_ranges": []})
        if file["pages"] + file["shared_pages"] != pages or (name not in shared and file["shared_pages"]):
            verdict.wrong(f"vmcore pmem: {name} has {file['pages']} pages and {file['shared_pages']} shared ones, expected {pages}")
        covered = sorted(index for part in file["ranges"] + file["shared_ranges"]
                         for index in range(part["file_page"], part["file_page"] + part["pages"]))
        if covered != list(range(pages)):
            verdict.wrong(f"vmcore pmem: the ranges of {name} are not its {pages} pages")
        for part in file["ranges"] + file["shared_ranges"]:
            if not _holds(truth, name, part, pages, name in shared):
                verdict.wrong(f"vmcore pmem: page {part['file_page']} of {name} is not at pfn {part['pfn']:#x}")
        areas = [area for process in answer["processes"] for area in process["areas"] if area["path"] == name]
        if [(int(area["end"], 16) - int(area["start"], 16)) // truth.page for area in areas] != [pages] * (2 if name in shared and name.endswith("/small") else 1):
            verdict.wrong(f"vmcore pmem: {name} is mapped {len(areas)} times: {areas}")
    if set(files) - set(mapped):
        verdict.wrong(f"vmcore pmem: files that nobody mapped: {sorted(map(str, set(files) - set(mapped)))}")
    counts = {run["count"] for space in answer["namespaces"] for run in space["shared"]}
    if counts != ({2} if shared and not answer["release"].startswith("6.1.") else set()):
        verdict.wrong(f"vmcore pmem: share counts {sorted(counts)}")
    for space in answer["namespaces"]:
        if space["damage"]:
            verdict.wrong(f"vmcore pmem: {space['name']}: {space['damage']}")
    ours = [(item["source"], item["target"], item["type"]) for item in json.loads(mounts.stdout)["mounts"]]
    theirs = [tuple(line.split()[:3]) for line in (first / "mounts").read_text().splitlines()]
    if ours != theirs:
        verdict.wrong(f"vmcore mounts: {ours} instead of {theirs}")
    verdict.facts["vmcore pmem"] = f"{len(mapped)} mapped files, {sum(mapped.values())} pages, {len(shared)} of them sharing blocks"


def _holds(truth, name, part, pages, shared):
    """Is the file's text where the range says it is? Each 64 KiB it holds its path and the number of the piece."""
    panic, step = truth.memory("panic"), 65536 // truth.page
    start = name.replace("/shared", "/small") if shared else name
    for index in range(-(-part["file_page"] // step) * step, part["file_page"] + part["pages"], step):
        page = panic.page(part["pfn"] + index - part["file_page"])
        if page is None or f" {start} {index // step}\n".encode() not in page[:256]:
            return False
    return True
