"""Has each dump of a case judged, and says of each what is wrong with it."""
import re
import subprocess
import time

from . import cases, dumpfiles, judge, kernels, live, paths, readers, truth


def judge_all(case, folder, kernel, facts):
    """Fills facts["dumps"]; returns the problems."""
    if case["corrupt"]:
        return []
    machine_truth = truth.Truth(folder, len(case["nvdimm"]), cases.size(case["ram"]), kernel.arch)
    facts["namespaces"] = [f"{space.name} {space.mode} map={space.mapping} {space.size >> 20} MiB"
                           for space in machine_truth.namespaces]
    expectations = {word for line in case["expect"] for word in line.split()}
    symbols = kernels.debug(kernel)
    problems = []
    crash_dump = None
    facts["dumps"] = []
    for line, dump, log, exit_status, seconds in _dumps(case, folder):
        facts["dumps"].append({"dumper": line})
        if exit_status != 0:
            said = " ".join(log.strip().splitlines()[-1:])
            problems.append(f"{dump.name} ({line}): exit status {exit_status}: {said}")
            continue
        wanted = expectations | ({"whole-area"} if line.startswith("debian") else set())
        try:
            if " -F " in f" {line} ":
                flattened, dump = dump, dump.with_name(dump.name + ".rearranged")
                dumpfiles.rearrange(flattened, dump)
            if _level(line) == 31:
                crash_dump = crash_dump or dump
            verdict = judge.judge(dump, machine_truth, _level(line), wanted, symbols)
        except dumpfiles.DumpError as error:
            problems.append(f"{dump.name} ({line}): {error}")
            continue
        if line.startswith("vmcore") and "no-metadata" not in expectations and not _level(line) & 32:
            readers.vmcore_info(dump, paths.executable(), machine_truth, kernel.release, verdict)
            if kernel.name.startswith("stock"):  # ours are built without type information (BTF)
                readers.vmcore_pmem(dump, paths.executable(), machine_truth, verdict)
                if not case["qemu-dump"]:
                    readers.vmcore_bt(dump, paths.executable(), kernel.arch, verdict)
                    # Some ten seconds: one dump of each crash.
                    if _level(line) == 31 and not any("compared with drgn" in other for other in facts["dumps"]):
                        readers.drgn_comparison(dump, paths.executable(), machine_truth, symbols, verdict)
        judge.report(log, verdict, machine_truth, _level(line), expectations)
        facts["dumps"][-1].update({"seconds": seconds, **verdict.facts})
        problems += [f"{dump.name} ({line}): {problem}" for problem in verdict.problems]
    return problems + live.judge(case, machine_truth, crash_dump, facts)


def _dumps(case, folder):
    """(dumper, file, log, exit status or None, seconds) of each dump that the capture kernel, or else we, made."""
    if case["qemu-dump"]:
        yield from _dumps_here(case, folder)
        return
    for number, line in enumerate(case["dump"]):
        dump = folder / "out" / "second" / f"dump.{number}"
        status = dump.with_name(dump.name + ".status")
        log = dump.with_name(dump.name + ".log")
        said = log.read_text(errors="replace") if log.exists() else ""
        end = re.search(r"exit=(\d+) seconds=(\S+)", status.read_text() if status.exists() else "")
        yield line, dump, said, int(end[1]) if end else None, float(end[2]) if end else None


def _dumps_here(case, folder):
    """Of what QEMU wrote the dumps are made on the host."""
    for kind in case["qemu-dump"]:
        for number, line in enumerate(case["dump"]):
            who, *options = line.split()
            program = [str(paths.executable()), "makedumpfile"] if who == "vmcore" else ["makedumpfile"]
            dump = folder / f"{kind}-{number}.dump"
            started = time.monotonic()
            done = subprocess.run(["nice", "-n", "10", *program, *options, str(folder / f"{kind}.elf"), str(dump)],
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
            yield (f"{line} of QEMU's {kind} dump", dump, done.stdout + done.stderr, done.returncode,
                   round(time.monotonic() - started, 2))


def _level(line):
    level = re.search(r"-d ?(\d+)", line)
    return int(level[1]) if level else 0
