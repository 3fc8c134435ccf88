"""Judges the dump of a way: what our reader says, against what the module and the kernel said on the serial line."""
import functools
import json
import pathlib
import re
import subprocess

from . import paths, waylocks, waytitles

HUNG = ("hung_task: blocked tasks", ["panic", "watchdog", "kthread"])
WRITE = ["ways_write", "proc_reg_write", "vfs_write", "do_syscall_64"]
# What the log says is the cause, and functions on the stack of the task that panicked, in this order.
EXPECTED = {
    "null": (r"BUG: kernel NULL pointer dereference, address: 0000000000000018", ["ways_read_value", "ways_null", *WRITE]),
    "wild": (r"BUG: unable to handle page fault for address: 000000123456789a", ["ways_call_nowhere", "ways_wild", *WRITE]),
    "nullcall": (r"BUG: kernel NULL pointer dereference, address: 0000000000000000", ["ways_call_nowhere", "ways_null_call", *WRITE]),
    "bug": (r"kernel BUG at .*ways\.c:\d+!", ["ways_bug", *WRITE]),
    "warn": (r"Kernel panic - not syncing: .*panic_on_warn set", ["panic", "ways_warn", *WRITE]),
    "divide": (r"(Oops: )?divide error: 0000", ["ways_divide", *WRITE]),
    "panic": (r"Kernel panic - not syncing: ways: no way out of 42", ["panic", "ways_panic", *WRITE]),
    "list": (r"list_del corruption\. prev->next should be", ["ways_delete", "ways_corrupt_list", *WRITE]),
    "overflow": (r"BUG: .* stack guard page was hit", ["ways_recurse", "ways_recurse"]),
    "uaf": (r".*general protection fault, probably for non-canonical address 0x5a5a5a5a5a5a5a72", ["ways_read_value", "ways_use_after_free", *WRITE]),
    "irq": (r"BUG: kernel NULL pointer dereference, address: 0000000000000018", ["ways_read_value", "ways_timer_fires", "hrtimer_interrupt"]),
    "softlockup": (r"watchdog: BUG: soft lockup - CPU#1 stuck", ["panic", "watchdog_timer_fn", "ways_thread_spins", "kthread"]),
    "spinlock": (r"watchdog: BUG: soft lockup - CPU#\d stuck", ["panic", "watchdog_timer_fn", "kthread"]),
    "rcu": (r"rcu: INFO: rcu_preempt .*detected stalls on CPUs|rcu: INFO: rcu_preempt self-detected stall on CPU", ["panic"]),
    "nmi": (r"(Kernel panic - not syncing: )?NMI: Not continuing", ["panic", "nmi_panic"]),
    "mce": (r"Kernel panic - not syncing: .*[Mm]achine check", ["panic", "mce_panic"]),
    "oom": (r"Kernel panic - not syncing: Out of memory: system-wide panic_on_oom is enabled", ["panic", "out_of_memory"]),
    "init": (r"Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000300", ["panic", "do_exit", "do_syscall_64"]),
    "tasks": (r"Kernel panic - not syncing: sysrq triggered crash", ["panic", "sysrq_handle_crash", "write_sysrq_trigger", "vfs_write"]),
    "fake": (r"BUG: kernel NULL pointer dereference, address: 0000000000000018", ["ways_read_value", "ways_null", *WRITE]),
    "earlier": (r"(Oops: )?divide error: 0000", ["ways_divide", *WRITE]),
    "sysrq": (r"Kernel panic - not syncing: sysrq triggered crash", ["panic", "sysrq_handle_crash", "write_sysrq_trigger", "vfs_write"]),
}
_FRAME = re.compile(r" (\? )?([A-Za-z_][\w.]*\+0x[0-9a-f]+/0x[0-9a-f]+)(?: \[(\w+)\])?")
_RIP = re.compile(r"RIP: 0010:([A-Za-z_][\w.]*\+0x[0-9a-f]+/0x[0-9a-f]+)(?: \[(\w+)\])?")


def judge(way: str, dump: pathlib.Path, serial: str):
    """Returns what is wrong, an empty list when nothing is, and the signature of the crash."""
    problems = []
    said = _of_first_kernel(serial.replace("\r", "").splitlines(), f"VMRIG way {way}")
    cause, functions = EXPECTED.get(way, HUNG)
    log, stacks = _ours("dmesg", dump).splitlines(), _stacks(dump)
    if not any(re.search(cause, line) for line in log):
        problems.append(f"dmesg does not say {cause}")
    # A message of several lines has the time only once in ours.
    texts = {_text(line) for line in log}
    missing = [line for line in said if _text(line) not in texts]
    if missing:
        problems.append(f"dmesg does not have {missing}")
    # What is logged last in an exception may not get to the serial line.
    lines = [_untimed(line) for line in log]
    own = stacks[0]
    if not own["panicked"]:
        problems.append("bt does not show the task that panicked")
    names = [name.split("+")[0].split(".")[0] for name in _frames(own)]
    if [name for name in _in_order(names, functions)] != functions:
        problems.append(f"bt shows {' '.join(names)}; expected {' '.join(functions)}")
    if way != "spinlock":  # two CPUs are locked up, and may write their traces at once
        problems += _traces(dump, own, lines)
    problems += _threads(dump, lines) + _locks(dump, lines)
    if way == "oom":
        problems += waylocks.memory_of_processes(json.loads(_ours("ps", dump, "--json"))["tasks"], lines, 4096)
    if "locks" in _commands():
        problems += waylocks.judge(way, json.loads(_ours("locks", dump, "--json")), lines)
    if "triage" not in _commands():
        return problems, None
    wrong, signature = waytitles.judge(way, _ours("triage", dump, "--json"), _ours("report", dump) if "report" in _commands() else None)
    return problems + wrong, signature


@functools.cache
def _commands():
    """The commands that our reader has."""
    done = subprocess.run([str(paths.executable()), "--help"], capture_output=True, text=True)
    return re.findall(r"^  (\w+) <", done.stdout, re.M)


def _untimed(line):
    return re.sub(r"^\[ *[0-9.]+\] ?", "", line)


def _text(line):
    return _untimed(line).strip()


def _of_first_kernel(lines, start):
    """The kernel's lines from the script's line on, up to where the time begins anew: the capture kernel."""
    said, last = [], 0.0
    start = lines.index(start) if start in lines else 0
    for number, line in enumerate(lines):
        time = re.match(r"\[ *(\d+\.\d+)\] ", line)
        if number > start and (line.startswith("VMRIG capture") or time and float(time[1]) < last - 1):
            break
        if time:
            last = float(time[1])
            if number > start:
                said.append(line)
    return said


def _ours(command, dump, *words):
    done = subprocess.run([str(paths.executable()), command, *words, str(dump)], capture_output=True, text=True, errors="replace")
    # 1 says that something of the answer is missing: a dead task has no stack any more.
    if done.returncode > 1 or not done.stdout:
        raise RuntimeError(f"vmcore {command} ends with {done.returncode}: {' '.join(done.stderr.strip().splitlines()[-1:])}")
    return done.stdout


def _stacks(dump, *tasks):
    done = subprocess.run([str(paths.executable()), "bt", "--json", str(dump), *tasks], capture_output=True, text=True)
    if done.returncode > 1 or not done.stdout:
        raise RuntimeError(f"vmcore bt {' '.join(tasks)}: {done.stderr.strip()}")
    return json.loads(done.stdout)["stacks"]


def _frames(stack):
    return [frame["symbol"] or "user" for frame in stack["frames"]]


def _in_order(names, wanted):
    """Of the wanted names those that are there, one behind the other."""
    rest = iter(names)
    return [name for name in wanted if name in rest]


def traces(lines):
    """(PID, frames) of each call trace that the kernel wrote, without what it marks as a guess."""
    pid, frames, inside = None, [], False
    for line in lines:
        header = re.search(r" PID: (\d+) Comm: |^task:.* pid:(\d+) ", line)
        if header:
            pid, frames, inside = int(header[1] or header[2]), [], False
        rip, frame = _RIP.match(line), _FRAME.fullmatch(line)
        if line == "Call Trace:":
            inside = True
        elif rip and (inside or not frames):
            frames.append(rip[1] + (f" [{rip[2]}]" if rip[2] else ""))
        elif inside and frame and not frame[1]:
            frames.append(frame[2] + (f" [{frame[3]}]" if frame[3] else ""))
        elif line == " </TASK>" and inside:
            yield pid, frames
            pid, frames, inside = None, [], False


def _traces(dump, own, lines):
    """Our stacks against the kernel's own, function by function, offset by offset."""
    problems, seen = [], {}
    for pid, frames in traces(lines):
        seen[pid] = frames
    panicked = own["task"]["pid"] if own["task"] else None
    stacks = {stack["task"]["pid"]: stack for stack in _stacks(dump, "-a") if stack["task"]}
    for pid, theirs in seen.items():
        # A task may have died of what it was shown for, or have run on.
        if pid not in stacks or not theirs or (stacks[pid]["task"]["on_cpu"] and pid != panicked):
            continue
        ours = [name for name in _frames(own if pid == panicked else stacks[pid]) if name != "user"]
        # A panic prints its trace before it stops the machine: below panic() both are the same.
        at = [next((i for i, name in enumerate(names) if name.startswith("panic+")), -1) + 1 for names in (theirs, ours)]
        theirs, ours = theirs[at[0]:], ours[at[1]:]
        shown = len(theirs) if len(theirs) < 60 else 20  # of an endless recursion the kernel's has no end either
        if theirs[:shown] != [name for name in ours if "+" in name][:shown]:
            problems.append(f"bt of PID {pid}: {' '.join(ours)}; the kernel's own: {' '.join(theirs)}")
    # Where the kernel showed all tasks, some have run on.
    return problems if len(problems) > len(seen) // 20 else []


def _threads(dump, lines):
    """Each thread of the module is there, at its address, asleep or running as the module said."""
    problems = []
    text = "\n".join(lines)
    threads = re.findall(r"ways: thread (\d+) (\S+) at ([0-9a-f]{16}) runs (\S+)", text)
    if not threads:
        return problems
    tasks = {task["pid"]: task for task in json.loads(_ours("ps", dump, "--json"))["tasks"]}
    for pid, name, address, entry in threads:
        task = tasks.get(int(pid))
        if task is None or task["name"] != name or task["address"] != f"0x{address}":
            problems.append(f"ps shows {task} instead of PID {pid} {name} at {address}")
            continue
        if re.search(rf"ways: {pid} {name} spins|spinlock \S+ at \S+ is held by {pid} |{pid} {name} waits for spinlock", text):
            state = "R"
        elif re.search(rf"ways: {pid} {name} waits for ", text):
            state = "D"
        else:
            state = "S"
        if task["state"] != state or task["on_cpu"] != (state == "R"):
            problems.append(f"ps shows {name} in state {task['state']}, on_cpu={task['on_cpu']}, expected {state}")
        frames = [frame.split("+")[0].split(".")[0] for frame in _frames(_stacks(dump, pid)[0])]
        if entry.split()[0] not in frames:
            problems.append(f"bt of {name} shows {' '.join(frames)}, not {entry}")
    return problems


def _locks(dump, lines):
    """The addresses that the module gave are those of the symbols."""
    problems = []
    for name, address in sorted(set(re.findall(r" (ways_\w+) at ([0-9a-f]{16})", "\n".join(lines)))):
        if f"{name} [ways]" not in _symbol(dump, address):
            problems.append(f"symbol {address}: {_symbol(dump, address)} instead of {name}")
    return problems


def _symbol(dump, address):
    done = subprocess.run([str(paths.executable()), "symbol", str(dump), f"0x{address}"], capture_output=True, text=True)
    return (done.stdout + done.stderr).strip()
