"""One cycle: build the machine of a case, let it crash, collect what it left, have it judged."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import time
import traceback

from . import cases, dumpfiles, initramfs, judge, kernels, machine, paths, truth

# Added to the first kernel's command line for the capture kernel; the loader adds its own words.
CAPTURE_COMMAND_LINE = "console=ttyS0 nr_cpus=1 reset_devices panic=1 loglevel=5 transparent_hugepage=never"
SECONDS = float(os.environ.get("VMCORE_VM_SECONDS", "300"))


def run(case: cases.Case, folder: pathlib.Path, keep: bool):
    """Returns what is wrong with the result: an empty list when nothing is."""
    started = time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    facts = {"case": case.name, "title": case["title"], "kernel": case["kernel"], "loader": case["loader"],
             "crashkernel": case["crashkernel"], "ram": case["ram"], "drivers": case["capture-drivers"],
             "corrupt": case["corrupt"], "expect": case["expect"]}
    try:
        problems = _cycle(case, folder, facts)
    except Exception as error:  # one broken case must not end the others
        (folder / "traceback").write_text(traceback.format_exc())
        problems = [f"{type(error).__name__}: {error}"]
    for name in ("data.img", "swap.img", "raw.img", "truth.img", "ram.mem", "qmp"):
        (folder / name).unlink(missing_ok=True)
    facts["seconds"] = round(time.monotonic() - started)
    facts["problems"] = problems
    (folder / "result.json").write_text(json.dumps(facts, indent=1) + "\n")
    if not keep and not problems:
        second = folder / "out" / "second"
        for path in [*folder.glob("*.mem*"), folder / "vmcore", *second.glob("dump.[0-9]"),
                     *second.glob("*.rearranged")]:
            path.unlink(missing_ok=True)
    return problems


def _cycle(case, folder, facts):
    ours = any(line.startswith("vmcore") for line in [case["loader"], *case["dump"]])
    if ours and not paths.executable().exists():
        raise FileNotFoundError(f"{paths.executable()} is not there: run ./build")
    kernel = kernels.get(case["kernel"])
    debian = any(line.split()[0] == "debian" for line in case["dump"])
    drivers = case.yes("capture-drivers")
    facts["release"] = kernel.release
    capture = initramfs.capture(kernel, debian, drivers)
    _contents(case, folder / "contents", kernel, capture)
    command_line = (f"console=ttyS0 crashkernel={case['crashkernel']} loglevel=5 mitigations=off panic=10 "
                    f"{case['append']}").strip()
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
        for wanted in case["qemu-dump"]:
            vm.command("dump-guest-memory", paging=wanted == "paging", protocol=f"file:{folder / wanted}.elf")
        return not case["qemu-dump"]

    def panic(vm, line):
        vm.copy_memory("panic", ram=True)

    facts["end"] = vm.run({"VMRIG before the panic": before, "sysrq: Trigger a crash": panic}, 120 if case["corrupt"] else SECONDS)
    serial = vm.log.read_text(errors="replace")
    facts["said"] = re.findall(r"VMRIG (.*)", serial)
    vm.collect()
    problems = [said for said in facts["said"] if re.search("fail|cannot|no reflink|no system-ram", said)]
    _page_flags(folder)
    raw = re.search(r"VMRIG vmcore size=(\d+)", serial)
    if raw:
        machine.sparse_copy(folder / "raw.img", folder / "vmcore", int(raw[1]))
    return problems + _end(case, folder, facts) + _judge(case, folder, kernel, facts)


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
    if case["corrupt"]:
        if facts["end"] != "guest-reset" or "capture kernel is up" in facts["said"]:
            problems.append(f"with a corrupted segment the machine did not reset: {facts['end']}")
    elif facts["end"] != "guest-shutdown" or "done" not in facts["said"]:
        problems.append(f"the capture kernel did not come to its end: {facts['end']}")
    return problems


def _page_flags(folder):
    """kpageflags and kpagecount, which the guest wrote to a disk of their own."""
    flags = folder / "truth.img"
    for name, start in (("kpageflags", 0), ("kpagecount", 64 << 20)):
        with open(flags, "rb") as file:
            file.seek(start)
            (folder / "out" / "first" / name).write_bytes(file.read(_max_pfn(folder) * 8))


def _max_pfn(folder):
    """The end of what kpageflags covers: the last RAM or pmem of the machine."""
    last = 0
    for line in (folder / "out" / "first" / "iomem").read_text().splitlines():
        if "System RAM" in line or "Persistent Memory" in line:
            last = max(last, int(line.split()[0].split("-")[1], 16) + 1)
    return last >> 12


def _judge(case, folder, kernel, facts):
    if case["qemu-dump"] or case["corrupt"]:
        return []
    machine_truth = truth.Truth(folder, len(case["nvdimm"]), cases.size(case["ram"]))
    facts["namespaces"] = [f"{space.name} {space.mode} map={space.mapping} {space.size >> 20} MiB"
                           for space in machine_truth.namespaces]
    expectations = {word for line in case["expect"] for word in line.split()}
    symbols = kernels.debug(kernel)
    problems = []
    facts["dumps"] = []
    for number, line in enumerate(case["dump"]):
        dump = folder / "out" / "second" / f"dump.{number}"
        status = dump.with_name(dump.name + ".status")
        log = dump.with_name(dump.name + ".log")
        facts["dumps"].append({"dumper": line})
        if not status.exists():
            problems.append(f"dump {number} ({line}): the dumper did not come to its end")
            continue
        exit_status = re.search(r"exit=(\d+) seconds=(\S+)", status.read_text())
        if exit_status[1] != "0":
            said = log.read_text(errors="replace").strip().splitlines()[-1:]
            problems.append(f"dump {number} ({line}): exit status {exit_status[1]}: {' '.join(said)}")
            continue
        if " -F " in f" {line} ":
            flattened, dump = dump, dump.with_name(dump.name + ".rearranged")
            dumpfiles.rearrange(flattened, dump)
        wanted = expectations | ({"whole-area"} if line.startswith("debian") else set())
        verdict = judge.judge(dump, machine_truth, _level(line), wanted, symbols)
        judge.report(log.read_text(errors="replace"), verdict, machine_truth, _level(line))
        facts["dumps"][-1].update({"seconds": float(exit_status[2]), **verdict.facts})
        problems += [f"dump {number} ({line}): {problem}" for problem in verdict.problems]
    return problems


def _level(line):
    level = re.search(r"-d ?(\d+)", line)
    return int(level[1]) if level else 0


def _contents(case, folder, kernel, capture):
    """What the guest finds in /data."""
    inside = folder / "in"
    (inside / "tools").mkdir(parents=True)
    (folder / "out").mkdir()
    shutil.copy(kernel.image, inside / "vmlinuz")
    shutil.copy(capture, inside / "capture.img")
    if paths.executable().exists():
        shutil.copy(paths.executable(), inside / "tools" / "vmcore")
        (inside / "tools" / "vmcore").chmod(0o755)
        for name in ("kexec", "makedumpfile"):
            (inside / "tools" / name).symlink_to("vmcore")
    for script in paths.GUEST.glob("*.sh"):
        shutil.copy(script, inside)
    words = {
        "LOADER": case["loader"],
        "ALIGN": case["align"],
        "RELOAD": case["reload"],
        "CAPTURE_COMMAND_LINE": f"{CAPTURE_COMMAND_LINE} {case['capture-append']}".strip(),
        "CAPTURE_DRIVERS": "yes" if case.yes("capture-drivers") else "",
        "RAW": "yes" if case.yes("raw") else "",
        "STAY": "yes" if case["qemu-dump"] else "",
        "LEAN": "yes" if case.yes("lean") else "",
    }
    (inside / "case.env").write_text("".join(f"{name}='{value}'\n" for name, value in words.items()))
    (inside / "namespaces").write_text("".join(_namespace(line) + "\n" for line in case["namespace"]))
    work = [line.split() for line in case["work"]]
    (inside / "work").write_text("".join(f"{kind} {cases.size(amount)}\n" for kind, amount in work))
    (inside / "dumps").write_text("".join(line + "\n" for line in case["dump"]))


def _namespace(line):
    words = line.split()
    late = "late" in words
    words = [word for word in words if word != "late"] + ["idle"]
    region, mode, mapping, amount, uses = words[:5]
    amount = amount if amount == "rest" else str(cases.size(amount))
    return "\t".join([region, mode, mapping, amount, uses] + (["late"] if late else []))
