"""One cycle: build the machine of a case, let it crash, collect what it left, have it judged."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import time
import traceback

from . import arch, cases, contents, initramfs, kdump, kernels, machine, paths, verdicts, ways

SECONDS = float(os.environ.get("VMCORE_VM_SECONDS", "300"))


def run(case: cases.Case, folder: pathlib.Path, keep: bool):
    """Returns what is wrong with the result: an empty list when nothing is."""
    started = time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    facts = {"case": case.name, "title": case["title"], "kernel": case["kernel"], "loader": case["loader"],
             "crashkernel": case["crashkernel"], "capture-append": case["capture-append"], "ram": case["ram"], "cpus": case["cpus"],
             "executable": paths.executable_hash(), "drivers": case["capture-drivers"], "corrupt": case["corrupt"], "expect": case["expect"]}
    try:
        problems = ways.run(case, folder, facts, SECONDS) if case["ways"] else _cycle(case, folder, facts)
    except Exception as error:  # one broken case must not end the others
        (folder / "traceback").write_text(traceback.format_exc())
        problems = [f"{type(error).__name__}: {error}"]
    for name in ("data.img", "swap.img", "raw.img", "truth.img", "ram.mem", "qmp", "dumps.img", "spare.img"):
        (folder / name).unlink(missing_ok=True)
    facts["seconds"] = round(time.monotonic() - started)
    facts["problems"] = problems
    (folder / "result.json").write_text(json.dumps(facts, indent=1) + "\n")
    if not keep and not problems:
        first, second = folder / "out" / "first", folder / "out" / "second"
        for path in [*folder.glob("*.mem*"), *folder.glob("*.kdump"), folder / "vmcore", *folder.glob("*.elf"), *folder.glob("*.dump"),
                     *second.glob("dump.[0-9]"), *second.glob("*.rearranged"), *(path for path in first.glob("live.*") if not path.suffixes[1:])]:
            path.unlink(missing_ok=True)
    return problems


def again(case: cases.Case, folder: pathlib.Path):
    """Judges once more what a run with --keep, or one that failed, has left."""
    facts = json.loads((folder / "result.json").read_text())
    if case["ways"]:
        problems = ways.again(case, folder, facts)
    else:
        problems = _said(case, facts) + _end(case, folder, facts) + verdicts.judge_all(
            case, folder, kernels.get(case["kernel"]), facts)
    facts["problems"] = problems
    (folder / "result.json").write_text(json.dumps(facts, indent=1) + "\n")
    return problems


def _said(case, facts):
    # Without ACPI there is no NFIT.
    right = "insmod nfit.ko failed" if case["firmware"] == "tree" else None
    return [said for said in facts["said"] if re.search("fail|cannot|no reflink|no system-ram", said) and said != right]


def _cycle(case, folder, facts):
    ours = any(line.startswith("vmcore") for line in [case["loader"], *case["dump"]])
    kernel = kernels.get(case["kernel"])
    for program in {paths.executable(), paths.executable(kernel.arch)} if ours else ():
        if not program.exists():
            raise FileNotFoundError(f"{program} is not there: run ./build, or ./build --arch {kernel.arch.debian}")
    facts["machine"] = kernel.arch.name
    if kernel.arch is not arch.X86_64:
        facts["executable of the machine"] = paths.executable_hash(kernel.arch)
    debian = any(line.split()[0] == "debian" for line in case["dump"])
    drivers = case.yes("capture-drivers")
    facts["release"] = kernel.release
    capture = initramfs.capture(kernel, debian, drivers)
    contents.write(case, folder / "contents", kernel, capture)
    command_line = (f"console={kernel.arch.console} crashkernel={case['crashkernel']} loglevel=5 mitigations=off panic=10 "
                    f"{contents.SLOW_HOST} {case['append']}").strip()
    vm = machine.Machine(folder, case, kernel, initramfs.first(kernel, case["reload"] == "udev"), command_line)
    ram = cases.size(case["ram"])
    vm.disks(folder / "contents", (1 << 30) + ram * (1 + len(case["dump"])))
    shutil.rmtree(folder / "contents")

    def before(vm, line):
        vm.copy_memory("before", ram=False)
        if case["corrupt"]:
            region = re.search(r"crash kernel region +([0-9a-f]+)-([0-9a-f]+)", vm.log.read_text(errors="replace"))
            segment = {"kernel": kernel.image, "initrd": capture}[case["corrupt"]]
            vm.corrupt(segment, int(region[1], 16), int(region[2], 16) + 1)
        if case["qemu-dump"]:
            vm.copy_memory("panic", ram=True)
        for wanted in case["qemu-dump"]:
            vm.command("dump-guest-memory", paging=wanted == "paging", protocol=f"file:{folder / wanted}.elf")
        return not case["qemu-dump"]

    def panic(vm, line):
        vm.copy_memory("panic", ram=True)
        facts["panic"] = time.monotonic()

    facts["end"] = vm.run({"VMRIG before the panic": before, "sysrq: Trigger a crash": panic}, SECONDS)
    facts["seconds from panic to end"] = round(time.monotonic() - facts.pop("panic"), 1) if "panic" in facts else None
    serial = vm.log.read_text(errors="replace")
    facts["said"] = re.findall(r"VMRIG (.*)", serial)
    vm.collect()
    if case["kdump"]:
        kdump.collect(case, folder, facts)
    _page_flags(folder, kernel.arch.page)
    raw = re.search(r"VMRIG vmcore size=(\d+)", serial)
    if raw:
        machine.sparse_copy(folder / "raw.img", folder / "vmcore", int(raw[1]))
    return _said(case, facts) + _end(case, folder, facts) + verdicts.judge_all(case, folder, kernel, facts)


def _end(case, folder, facts):
    """Did the machine load, crash and end as it should?"""
    if case["qemu-dump"]:
        return []
    problems = []
    log = (folder / "out" / "load.log").read_text(errors="replace")
    for load in [said for said in facts["said"] if said.startswith("load ")]:
        if load != "load exit=0 loaded=1":
            problems.append(f"{load}: {' '.join(log.strip().splitlines()[-2:])}")
    if case["expect-load"] and case["expect-load"] not in log:
        problems.append(f"the loader does not say {case['expect-load']!r}")
    if case.yes("options"):
        problems += _options(folder, facts)
    if case["expect-capture"]:
        dmesg = folder / "out" / "second" / "dmesg"
        if not dmesg.exists() or case["expect-capture"] not in dmesg.read_text(errors="replace"):
            problems.append(f"the capture kernel does not say {case['expect-capture']!r}")
    if case["expect-devices"]:
        found = (folder / "out" / "second" / "pmem-devices").read_text().split()
        missing = [name for name in case["expect-devices"].split() if name not in found]
        if case["expect-devices"] == "none" and found or case["expect-devices"] != "none" and missing:
            problems.append(f"the capture kernel has the devices {' '.join(found) or 'none'}, expected {case['expect-devices']}")
    if case["corrupt"]:
        if facts["end"] != "guest-reset" or "capture kernel is up" in facts["said"]:
            problems.append(f"with a corrupted segment the machine did not reset: {facts['end']}")
    elif case["kdump"]:
        problems += kdump.judge(case, folder, facts)
    elif facts["end"] != "guest-shutdown" or "done" not in facts["said"]:
        problems.append(f"the capture kernel did not come to its end: {facts['end']}")
    return problems


def _options(folder, facts):
    """Debian's kexec and ours must have done the same with the same options, but where the script says otherwise."""
    pattern = r"(same|print|differs) (none|loaded) debian=(\S+) ours=(\S+) (.*)"
    found = [re.fullmatch(pattern, line).groups() for line in (folder / "out" / "options").read_text().splitlines()]
    facts["options"] = {"compared": len(found), "differs": sorted({words for what, _, _, _, words in found if what == "differs"})}
    return [f"kexec {words} ({before}): Debian's {debian}, ours {ours}"
            for what, before, debian, ours, words in found if (debian != ours) != (what == "differs")]


def _page_flags(folder, page):
    """kpageflags and kpagecount, which the guest wrote to a disk of their own."""
    flags = folder / "truth.img"
    for name, start in (("kpageflags", 0), ("kpagecount", 64 << 20)):
        with open(flags, "rb") as file:
            file.seek(start)
            (folder / "out" / "first" / name).write_bytes(file.read(_max_pfn(folder, page) * 8))


def _max_pfn(folder, page):
    """The end of what kpageflags covers: the last RAM or pmem of the machine."""
    last = 0
    for line in (folder / "out" / "first" / "iomem").read_text().splitlines():
        if "System RAM" in line or "Persistent Memory" in line:
            last = max(last, int(line.split()[0].split("-")[1], 16) + 1)
    return last // page
