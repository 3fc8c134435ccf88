"""Cases in which all of kdump is ours: the initramfs, the init in it, what it leaves on a disk."""
import re
import shutil
import subprocess

# vde and vdf of the guest: the disk of the dumps, and a spare one.
DISKS = ("dumps", "spare")
UUIDS = {"dumps": "6b64756d-7000-4000-8000-000000000001", "spare": "6b64756d-7000-4000-8000-000000000002"}
MARK = "vmcore kdump capture 1\n"


def make_disks(folder, size):
    for name in DISKS:
        image = folder / f"{name}.img"
        with open(image, "wb") as file:
            file.truncate(size if name == "dumps" else 1 << 30)
        subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-U", UUIDS[name], str(image)], check=True, stdout=subprocess.DEVNULL)


def collect(case, folder, facts):
    """Takes what init left off the disks, and puts the whole dump where those of other cases are, so that it is judged as they are."""
    second = folder / "out" / "second"
    second.mkdir(parents=True, exist_ok=True)
    raw = any(line.replace(" ", "").startswith("target=raw") for line in case["kdump"])
    for name in DISKS[:1] if raw else DISKS:
        place = folder / name
        place.mkdir()
        # As on any machine that starts again: a journal may have to be replayed.
        subprocess.run(["e2fsck", "-fy", str(folder / f"{name}.img")], capture_output=True)
        subprocess.run(["debugfs", "-R", f"rdump / {place}", str(folder / f"{name}.img")], capture_output=True)
    serial = (folder / "serial.log").read_text(errors="replace").replace("\r", "")
    said = serial.partition("vmcore kdump: init of")[2]
    whole = [file for name in DISKS if (folder / name).exists() for file in sorted((folder / name).rglob("vmcore"))]
    dump = second / "dump.0"
    if raw:
        # The dump is the beginning of the disk.
        shutil.copy(folder / "spare.img", dump)
    elif whole:
        shutil.copy(whole[-1], dump)
        facts["kdump folder"] = str(whole[-1].parent.relative_to(folder))
    # Its report has the counts of pmem and not the hashes, which are for people who look for a fault (message level 8).
    (second / "dump.0.log").write_text("".join(line + "\n" for line in said.splitlines() if not line.lstrip().startswith("pmem ")))
    saved = "the dump is saved" in said
    (second / "dump.0.status").write_text(f"exit={0 if saved and dump.exists() else 1} seconds={facts['seconds from panic to end'] or 0}\n")
    facts["initramfs"] = (folder / "out" / "kdump.img").stat().st_size if (folder / "out" / "kdump.img").exists() else None
    facts["kdump said"] = re.findall(r"vmcore kdump: (.*)", serial)


def judge(case, folder, facts):
    """Did init do all that it should, and in the end start the machine again?"""
    problems = []
    said = "\n".join(facts["kdump said"])
    if facts["end"] != "guest-reset":
        problems.append(f"the machine did not start again: {facts['end']}")
    for words in case["kdump-expect"]:
        if words not in said:
            problems.append(f"init does not say {words!r}")
    if "internal error" in said:
        problems.append("init had an internal error")
    load = (folder / "out" / "load.log").read_text(errors="replace")
    if "crash kernel: loaded, and current" not in load:
        problems.append("'vmcore kdump status' does not say that it is loaded and current: " + " ".join(load.splitlines()[-6:]))
    wrong = [line for line in load.splitlines() if line.startswith("FAIL")]
    # A disk that is made too small for the dump must be found out beforehand.
    if [line for line in wrong if not line.startswith("FAIL room")] or bool(wrong) != (case["kdump-disk"] != "1G"):
        problems.append("'vmcore kdump test': " + ("; ".join(wrong) or "all right, though the target is too small"))
    if "kdump folder" not in facts:
        return problems
    place = folder / facts["kdump folder"]
    names = sorted(path.name for path in place.iterdir())
    if names != ["report.txt", "vmcore", "vmcore-dmesg.txt", "vmcore-kdump.log"]:
        problems.append(f"in the folder of the dump is {names}")
        return problems
    if not re.fullmatch(r"vmcore-\d{8}T\d{6}Z", place.name):
        problems.append(f"the folder of the dump is {place.name}")
    if place.stat().st_mode & 0o777 != 0o700 or any(path.stat().st_mode & 0o777 != 0o600 for path in place.iterdir()):
        problems.append("others may read the dump")
    if "sysrq: Trigger a crash" not in (place / "vmcore-dmesg.txt").read_text(errors="replace"):
        problems.append("vmcore-dmesg.txt does not hold the log of the panic")
    if not (place / "vmcore-kdump.log").read_text().startswith(MARK):
        problems.append("vmcore-kdump.log lacks its mark")
    if "sysrq" not in (place / "report.txt").read_text(errors="replace"):
        problems.append("report.txt does not say what the kernel died of")
    return problems
