"""What the guest finds on its data disk, in /data/in: the kernel to load, the tools, the case."""
import shutil
import subprocess

from . import cases, kernels, paths

# Both kernels: without KVM on a busy host the timer interrupt may come too late for the kernel's check of the IO-APIC,
# and the kernel would panic ("IO-APIC + timer doesn't work").
SLOW_HOST = "no_timer_check"
# Added to the first kernel's command line for the capture kernel; the loader adds its own words.
CAPTURE_COMMAND_LINE = ("nr_cpus=1 reset_devices panic=1 loglevel=5 transparent_hugepage=never "
                        f"{SLOW_HOST}")


def write(case, folder, kernel, capture):
    inside = folder / "in"
    (inside / "tools").mkdir(parents=True)
    (folder / "out").mkdir()
    shutil.copy(kernel.image, inside / "vmlinuz")
    shutil.copy(capture, inside / "capture.img")
    program = paths.executable(kernel.arch)
    if program.exists():
        shutil.copy(program, inside / "tools" / "vmcore")
        (inside / "tools" / "vmcore").chmod(0o755)
        for name in ("kexec", "makedumpfile"):
            (inside / "tools" / name).symlink_to("vmcore")
    if case["kdump"]:
        _kdump(case, inside, kernel)
    for script in paths.GUEST.glob("*.sh"):
        shutil.copy(script, inside)
    words = {
        "LOADER": case["loader"],
        "ALIGN": case["align"],
        "LABELS": "" if case["firmware"] == "tree" else "yes",
        "PAGE": str(kernel.arch.page),
        "RELOAD": case["reload"],
        "CAPTURE_COMMAND_LINE": f"console={kernel.arch.console} {CAPTURE_COMMAND_LINE} {case['capture-append']}".strip(),
        "CAPTURE_DRIVERS": "yes" if case.yes("capture-drivers") else "",
        "RAW": "yes" if case.yes("raw") else "",
        "STAY": "yes" if case["qemu-dump"] else "",
        "OPTIONS": "yes" if case.yes("options") else "",
        "LIVE": case["live"],
        "KDUMP": "yes" if case["kdump"] else "",
        "LEAN": "yes" if case.yes("lean") else "",
    }
    (inside / "case.env").write_text("".join(f"{name}='{value}'\n" for name, value in words.items()))
    (inside / "namespaces").write_text("".join(_namespace(line) + "\n" for line in case["namespace"]))
    work = [line.split() for line in case["work"]]
    (inside / "work").write_text("".join(f"{kind} {cases.size(amount)}\n" for kind, amount in work))
    (inside / "dumps").write_text("".join(line + "\n" for line in case["dump"]))


def _kdump(case, inside, kernel):
    """For "vmcore kdump load": its configuration, and the modules as a package installs them, with depmod's lists of those that are here."""
    (inside / "kdump.conf").write_text("".join(line + "\n" for line in [*case["kdump"], "kernel = /data/in/vmlinuz"]))
    # It has what is done before a crash; the smaller one hands that over.
    reader = paths.executable(kernel.arch).with_name("vmcore-reader")
    if reader.exists():
        shutil.copy(reader, inside / "tools" / "vmcore-reader")
    (inside / "kdump-after").write_text(case["kdump-after"] + "\n")
    base = inside / "base"
    modules = base / "lib" / "modules" / kernel.release
    for path in kernel.order(kernels.CAPTURE):
        (modules / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(kernel.modules / path, modules / path)
    for file in kernel.modules.glob("modules.[ob]*"):
        shutil.copy(file, modules)
    subprocess.run(["depmod", "-b", str(base), kernel.release], check=True, stderr=subprocess.DEVNULL)
    shutil.move(modules, inside / "modules")
    shutil.rmtree(base)


def _namespace(line):
    words = line.split()
    late = "late" in words
    words = [word for word in words if word != "late"] + ["idle"]
    region, mode, mapping, amount, uses = words[:5]
    amount = amount if amount == "rest" else str(cases.size(amount))
    return "\t".join([region, mode, mapping, amount, uses] + (["late"] if late else []))
