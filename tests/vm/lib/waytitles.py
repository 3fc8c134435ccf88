"""Titles and signatures of the ways' dumps, by our reader."""
import json
import pathlib
import re

# What the report's first lines must say, whatever the kernel.
TITLES = {
    "null": r"NULL pointer dereference in ways_read_value", "fake": r"NULL pointer dereference in ways_read_value",
    "wild": r"page fault.* from ways_call_nowhere", "nullcall": r"NULL pointer dereference.* from ways_call_nowhere",
    "bug": r"kernel BUG at .*ways\.c:\d+ in ways_bug", "warn": r"WARNING.* in ways_warn", "divide": r"divide error in ways_divide",
    "panic": r"ways: no way out of 42", "list": r"list_del corruption in ways_delete", "overflow": r"stack overflow in ways_recurse",
    "uaf": r"general protection fault in ways_read_value", "irq": r"NULL pointer dereference in ways_read_value",
    "deadlock": r"hung task in ways_thread_(ab|ba)\b.*mutex", "earlier": r"divide error in ways_divide",
    "lost": r"hung task in ways_thread_lost\b.*completion", "chain": r"hung task in ways_thread_(root|middle|leaf)\b",
    "rwsem": r"hung task in ways_thread_(writer|reader)\b.*rwsem", "rwread": r"hung task in ways_thread_(writer|reader)\b.*rwsem",
    "rwstale": r"hung task in ways_thread_writer_after\b.*rwsem", "gone": r"hung task in ways_thread_waits_for_gone\b.*mutex",
    "sem": r"hung task in ways_thread_down\b.*semaphore", "flush": r"hung task in ways_(work_runs|thread_flushes)\b",
    "io": r"hung task in blkdev_fsync|hung task in .*submit_bio_wait", "dm": r"hung task in ",
    "softlockup": r"soft lockup in ways_thread_spins", "spinlock": r"soft lockup in ways_thread_(wants|keeps)", "rcu": r"RCU stall in ways_thread_reads",
    "nmi": r"NMI", "mce": r"machine check", "oom": r"Out of memory", "init": r"Attempted to kill init", "sysrq": r"sysrq", "tasks": r"sysrq",
}
# Ways that are one crash to who looks at what died; "io" and "dm" wait in functions that the compiler joined in one kernel and not in the other. A task
# that the watchdog finds first is chance where several hang.
ALIKE = [{"sysrq", "tasks"}, {"null", "fake"}, {"divide", "earlier"}, {"rwsem", "rwread"}]
CHANCE = {"io", "dm", "chain", "flush", "spinlock", "rwsem", "rwread", "deadlock"}


def judge(way: str, answer: str, report: str):
    """answer: of "vmcore triage --json"; report: the text of "vmcore report", or None. Returns problems and the signature."""
    lines = [json.loads(line) for line in answer.splitlines()]
    found = next(line for line in lines if line["line"] == "dump")
    problems = []
    if not re.search(TITLES[way], found["title"]):
        problems.append(f"triage calls it {found['title']!r}, expected {TITLES[way]}")
    if found["signature_partial"]:
        problems.append(f"the signature is partial: {found['reason']} {found['problems']}")
    if report is not None and not re.search(TITLES[way], "\n".join(report.splitlines()[:10])):
        problems.append(f"the report's first ten lines do not say {TITLES[way]}")
    return problems, found["signature"]


def compare(signatures: dict, others: dict):
    """signatures, others: way -> signature, of this run and of another kernel's. Different for different ways, equal for the same on two kernels."""
    problems = []
    for first in sorted(signatures):
        for second in sorted(signatures):
            if first < second and signatures[first] == signatures[second] and not any({first, second} <= group for group in ALIKE):
                problems.append(f"{first} and {second} have one signature")
        if first in others and first not in CHANCE and others[first] != signatures[first]:
            problems.append(f"{first} has the signature {signatures[first]}, on the other kernel {others[first]}")
    return problems


def of_other_runs(folder: pathlib.Path):
    """Signatures of the other cases with ways whose results are there."""
    found = {}
    for path in sorted(folder.parent.glob("ways-*/result.json")):
        if path.parent != folder:
            found.update(json.loads(path.read_text()).get("signatures", {}))
    return found
