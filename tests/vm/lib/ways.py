"""Cases with ways: a machine for each of them, which crashes or hangs as guest/ways.c and guest/ways.sh say."""
import pathlib
import re
import shutil
import subprocess

from . import apt, cases, contents, initramfs, kernels, machine, paths, waytitles, wayverdicts


_CAUSE = re.compile(r"BUG:|INFO:|Oops|kernel BUG|WARNING|watchdog:|rcu:|general protection|list_del|divide error|sysrq:|mce:|NMI|Kernel panic|"
                    r".*invoked oom")


def module(kernel: kernels.Kernel) -> pathlib.Path:
    """guest/ways.c for a kernel of Debian, built with Debian's headers, which are unpacked and not installed."""
    root = _headers(kernel)
    source = paths.GUEST / "ways.c"
    folder = paths.CACHE / "ways" / kernel.name
    target = folder / "ways.ko"
    # BUG_ON names the source without the folders of this machine.
    makefile = f"obj-m := ways.o\nccflags-y := -fno-optimize-sibling-calls -Wno-infinite-recursion -fmacro-prefix-map={folder}/=\n"
    if not target.exists() or (folder / source.name).read_bytes() != source.read_bytes() or (folder / "Makefile").read_text() != makefile:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        shutil.copy(source, folder)
        (folder / "Makefile").write_text(makefile)
        done = subprocess.run(["make", "-C", str(root), f"M={folder}", "CONFIG_DEBUG_INFO_BTF_MODULES=", "modules"], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{source.name} for {kernel.release}: {done.stderr[-500:]}")
        subprocess.run(["strip", "--strip-debug", str(target)], check=True)
    return target


def _headers(kernel):
    root = paths.CACHE / "headers" / kernel.name
    folder = root / "usr" / "src" / f"linux-headers-{kernel.release}"
    if not folder.exists():
        common = f"linux-headers-{kernel.release.removesuffix('-amd64')}-common"
        depends = apt.dependencies(f"linux-headers-{kernel.release}")
        for package in [f"linux-headers-{kernel.release}", common, next(name for name in depends if name.startswith("linux-kbuild-"))]:
            kernels.unpack(apt.download(package), root)
        makefile = folder / "Makefile"
        makefile.write_text(makefile.read_text().replace("/usr/src/", "../"))
    return folder


def run(case: cases.Case, folder: pathlib.Path, facts: dict, seconds: float):
    """Each way in a machine of its own. Leaves WAY.kdump, WAY.log (the serial line) and WAY.txt (what is true)."""
    kernel = kernels.get(case["kernel"])
    facts["release"] = kernel.release
    capture = initramfs.capture(kernel, False, False)
    first = initramfs.ways(kernel)
    built = module(kernel)
    problems = []
    for way in case["ways"].split():
        try:
            said = _one(case, way, folder, kernel, first, capture, built, seconds)
        except (machine.Timeout, OSError, RuntimeError, subprocess.CalledProcessError) as error:
            said = [f"{type(error).__name__}: {error}"]
        problems += [f"{way}: {problem}" for problem in said]
        print(f"  {way}: {'; '.join(said) or 'crashed'}", flush=True)
    return problems + _judged(case, folder, facts)


def again(case: cases.Case, folder: pathlib.Path, facts: dict):
    """Judges once more what a run with --keep, or one that failed, has left."""
    return [f"{way}: no dump is left" for way in case["ways"].split() if not (folder / f"{way}.kdump").exists()] + _judged(case, folder, facts)


def _judged(case, folder, facts):
    problems = []
    facts["ways"], facts["signatures"] = {}, {}
    for way in case["ways"].split():
        dump, serial = folder / f"{way}.kdump", folder / f"{way}.log"
        if not dump.exists():
            facts["ways"][way] = ["no dump"]
            continue
        try:
            wrong, signature = wayverdicts.judge(way, dump, serial.read_text(errors="replace"))
            if signature:
                facts["signatures"][way] = signature
        except (RuntimeError, ValueError, KeyError) as error:
            wrong = [f"{type(error).__name__}: {error}"]
        facts["ways"][way] = wrong
        problems += [f"{way}: {problem}" for problem in wrong]
    return problems + waytitles.compare(facts["signatures"], waytitles.of_other_runs(folder))


def _one(case, way, folder, kernel, first, capture, built, seconds):
    place = folder / way
    place.mkdir()
    contents.write(case, place / "contents", kernel, capture)
    inside = place / "contents" / "in"
    shutil.copy(built, inside)
    shutil.move(inside / "ways.sh", inside / "first.sh")
    with open(inside / "case.env", "a") as file:
        file.write(f"WAY='{way}'\n")
    command_line = (f"console={kernel.arch.console} crashkernel={case['crashkernel']} loglevel=7 mitigations=off panic=10 "
                    f"{contents.SLOW_HOST} {case['append']}").strip()
    vm = machine.Machine(place, case, kernel, first, command_line)
    vm.disks(place / "contents", (256 << 20) + cases.size(case["ram"]))
    shutil.rmtree(place / "contents")
    actions = {
        # By the module's word: once a CPU is deaf, the script may not get on.
        "with interrupts off": lambda vm, line: vm.command("inject-nmi"),
        # An uncorrected error of CPU 1 in bank 1, with context lost and with an address.
        "VMRIG inject mce": lambda vm, line: vm.command(
            "human-monitor-command", **{"command-line": "mce 1 1 0xbe00000000000134 0x5 0x12345000 0x8c"}),
    }
    try:
        end = vm.run(actions, seconds)
        vm.collect()
    finally:
        for name in ("data.img", "swap.img", "raw.img", "truth.img", "ram.mem", "qmp"):
            (place / name).unlink(missing_ok=True)
        if vm.log.exists():
            shutil.copy(vm.log, folder / f"{way}.log")
    serial = vm.log.read_text(errors="replace")
    said = re.findall(r"VMRIG (.*)", serial)
    problems = [text for text in said if "fail" in text]
    dump = place / "out" / "second" / "dump.0"
    if end != "guest-shutdown" or "done" not in said or not dump.exists():
        return problems + [f"no dump: {end}"]
    dump.rename(folder / f"{way}.kdump")
    (folder / f"{way}.txt").write_text(_truth(way, kernel, serial))
    return problems


def _truth(way, kernel, serial):
    """What is true: what the module said of itself, and the kernel's own words from there to the crash kernel."""
    serial = serial.replace("\r", "")
    after = serial.partition(f"VMRIG way {way}\n")[2].partition("VMRIG capture kernel is up")[0]
    lines = [re.sub(r"^\[ *[0-9.]+\] (\[.*?\] )?", "", line) for line in after.splitlines()]
    own = [line.removeprefix("ways: ") for line in lines if line.startswith("ways: ")]
    panic = [line for line in lines if line.startswith("Kernel panic")] or [""]
    first = next((line for line in lines if _CAUSE.match(line)), "")
    return "\n".join([f"way: {way}", f"kernel: {kernel.release}", f"first words: {first}", f"panic: {panic[0]}", *own]) + "\n"
