"""Locks and waits of a way's dump, by our reader, against what the module said on the serial line."""
import re

SAID = re.compile(r"ways: (\d+) \S+ waits for (mutex|completion|semaphore|rwsem \(for reading\)|rwsem \(for writing\)) (\w+) at ([0-9a-f]{16})")
HELD = re.compile(r"ways: (mutex|rwsem \(for writing\)) (\w+) at ([0-9a-f]{16}) is held by (\d+) ")
KINDS = {"mutex": "mutex", "completion": "completion", "semaphore": "semaphore", "rwsem (for reading)": "rw_semaphore", "rwsem (for writing)": "rw_semaphore"}


def judge(way, answer, lines):
    """answer: of "vmcore locks --json". Every wait is there; an owner is who holds the lock, or nobody where that has ended; circles are those of deadlocks."""
    problems, text = [], "\n".join(lines)
    locks = {int(lock["address"], 16): lock for lock in answer["locks"]}
    ended = {pid for pid in re.findall(r"ways: thread (\d+) \S+ ends and keeps it", text)}
    for pid, kind, name, address in SAID.findall(text):
        lock = locks.get(int(address, 16))
        waiters = [wait["task"]["pid"] for wait in lock["waits"]] if lock else None
        if lock is None or lock["kind"] != KINDS[kind] or int(pid) not in waiters or not (lock["symbol"] or "").startswith(name):
            problems.append(f"locks shows {lock and (lock['kind'], lock['symbol'], waiters)} instead of PID {pid} waiting for {kind} {name}")
    for kind, name, address, pid in HELD.findall(text):
        lock = locks.get(int(address, 16))
        owner = lock and lock["owner"] and str(lock["owner"]["pid"])
        if lock and owner != (None if pid in ended else pid):
            problems.append(f"locks says that {owner} holds {name}, which {pid} {'kept when it ended' if pid in ended else 'holds'}")
    for lock in answer["locks"]:
        if lock["owner"] and int(lock["address"], 16) not in {int(address, 16) for _, _, address, _ in HELD.findall(text)}:
            problems.append(f"locks says that {lock['owner']['name']} holds {lock['symbol'] or lock['address']}, of which the module said nothing")
    circles = [sorted(link["pid"] for link in cycle["links"]) for cycle in answer["cycles"]]
    wanted = [sorted(int(pid) for pid, *_ in SAID.findall(text))] if way == "deadlock" else []
    if circles != wanted:
        problems.append(f"locks shows the circles {circles} instead of {wanted}")
    return problems


def memory_of_processes(tasks, lines, page):
    """The table that the kernel writes when memory is out, against ps: PID -> pages mapped and resident."""
    problems, inside = [], False
    by_pid = {task["pid"]: task for task in tasks}
    for line in lines:
        if line.startswith("[  pid  ]"):
            inside = True
            continue
        row = re.fullmatch(r"\[ *(\d+)\] +\d+ +\d+ +(\d+) +(\d+) .*", line) if inside else None
        if row is None:
            inside = False
            continue
        pid, mapped, resident = (int(number) for number in row.groups())
        ours = by_pid.get(pid, {"virtual_size": None, "resident_size": None})
        # Each CPU may hold back some of the resident pages.
        if ours["virtual_size"] != mapped * page or abs((ours["resident_size"] or 0) // page - resident) > 256:
            problems.append(f"ps gives PID {pid} {ours['virtual_size']} and {ours['resident_size']} bytes, the kernel {mapped} and {resident} pages")
    return problems
