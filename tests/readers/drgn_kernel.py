"""A crashed kernel as drgn sees it: what the comparisons with our reader share."""
import json
import math
import os
import pathlib
import re
import subprocess

import drgn
from drgn import container_of
from drgn.helpers.linux.cpumask import for_each_possible_cpu
from drgn.helpers.linux.fs import for_each_mount, mount_dst, mount_fstype, mount_src
from drgn.helpers.linux.idr import idr_for_each
from drgn.helpers.linux.list import list_for_each_entry
from drgn.helpers.linux.pid import for_each_task
from drgn.helpers.linux.rbtree import rbtree_inorder_for_each_entry
from drgn.helpers.linux import slab as slab_helpers
from drgn.helpers.linux.sched import task_cpu, task_state_to_char
from drgn.helpers.linux.xarray import xa_for_each

TYPES = ["struct page", "struct task_struct", "struct module", "struct file_operations", "struct list_head", "struct desc_struct", "enum zone_type", "gate_desc",
         "struct inode", "struct super_block", "struct mount", "struct sk_buff", "union fpregs_state", "irq_flow_handler_t", "refcount_t", "pgd_t", "size_t",
         "struct bpf_reg_state", "struct dev_pagemap", "struct thread_info", "unsigned long", "struct mm_struct", "struct irq_desc"]


# Those of TYPES that other architectures do not have.
X86_64 = ["struct desc_struct", "gate_desc", "union fpregs_state"]


def sample(program):
    """Objects of a living kernel: tasks and what hangs on them."""
    for name in TYPES:
        try:
            program.type(name)
        except LookupError:
            if name not in X86_64:
                raise
            continue
        yield f"type {name}"
    for name in ("init_uts_ns", "iomem_resource", "init_pid_ns", "boot_cpu_data", "init_css_set", "cgrp_dfl_root", "idt_table", "init_mm", "kobj_sysfs_ops", "zone_names",
                 "saved_command_line", "init_files", "def_chr_fops", "jiffies_64", "system_state", "init_net", "init_nsproxy"):
        try:
            item = program[name]
        except KeyError:
            continue
        yield f"object {item.address_:#x} {item.type_.type_name()}"
    for number, task in enumerate(for_each_task(program)):
        if number % 7 == 1 or task.mm:
            yield f"object {task.value_():#x} struct task_struct"
            yield f"object {task.cred.value_():#x} struct cred"
            yield f"object {task.signal.value_():#x} struct signal_struct"
            yield f"object {task.se.address_of_().value_():#x} struct sched_entity"
        if task.mm:
            yield f"object {task.mm.value_():#x} struct mm_struct"
            yield f"object {task.fs.value_():#x} struct fs_struct"
            yield f"object {task.files.value_():#x} struct files_struct"
            yield f"object {task.fs.pwd.dentry.value_():#x} struct dentry"
            yield f"object {task.fs.pwd.dentry.d_inode.value_():#x} struct inode"
    for module in list_for_each_entry("struct module", program["modules"].address_of_(), "list"):
        yield f"object {module.value_():#x} struct module"
    for block in list_for_each_entry("struct super_block", program["super_blocks"].address_of_(), "s_list"):
        yield f"object {block.value_():#x} struct super_block"


def tree(item):
    """A value as `vmcore print --json` has it."""
    kind = item.type_
    while kind.kind == drgn.TypeKind.TYPEDEF:
        kind = kind.type
    if kind.kind in (drgn.TypeKind.STRUCT, drgn.TypeKind.UNION):
        return {name: tree(item.member_(name)) for name in names(kind)} if kind.is_complete() else {}
    if kind.kind == drgn.TypeKind.ARRAY:
        if is_text(kind.type):
            text = bytes(item[index].value_() & 0xff for index in range(kind.length or 0)).partition(b"\0")[0]
            try:
                return text.decode()
            except UnicodeDecodeError:
                pass
        return [tree(item[index]) for index in range(kind.length or 0)]
    if kind.kind in (drgn.TypeKind.VOID, drgn.TypeKind.FUNCTION):
        return None
    if kind.kind == drgn.TypeKind.POINTER:
        return hex(item.value_())
    if kind.kind == drgn.TypeKind.FLOAT:
        return item.value_() if math.isfinite(item.value_()) else None
    if kind.kind == drgn.TypeKind.BOOL:
        return bool(item.value_())
    try:
        value = int(item.value_())
    except NotImplementedError:  # more than 64 bits: vector registers
        value = int.from_bytes(item.prog_.read(item.address_, drgn.sizeof(item)), "little")
    if kind.kind == drgn.TypeKind.ENUM and kind.enumerators:
        for enumerator in kind.enumerators:
            if enumerator.value == value:
                return enumerator.name
    return value if abs(value) < 1 << 53 else str(value)


def names(kind):
    """Members with those of anonymous structs and unions; what else has no name is padding."""
    while kind.kind == drgn.TypeKind.TYPEDEF:
        kind = kind.type
    for member in kind.members:
        if member.name:
            yield member.name
        elif member.bit_field_size is None:
            yield from names(member.type)


def is_text(kind):
    return kind.kind == drgn.TypeKind.INT and kind.primitive in (drgn.PrimitiveType.C_CHAR, drgn.PrimitiveType.C_SIGNED_CHAR, drgn.PrimitiveType.C_UNSIGNED_CHAR)


def load(dump, vmlinux):
    program = drgn.Program()
    program.set_core_dump(str(dump))
    program.load_debug_info([str(vmlinux)])
    return program


def tasks(program):
    """Address, pid, tgid, pid of the parent, state, CPU, name of each task but the idle ones."""
    for task in for_each_task(program):
        yield (task.value_(), task.pid.value_(), task.tgid.value_(), task.real_parent.tgid.value_(), task_state_to_char(task), task_cpu(task),
               task.comm.string_().decode())


def run_queues(program, runqueues, offsets, cpus):
    """The run queue of each of some CPUs; where the variables are is told, since drgn has no symbols of its own here."""
    for cpu in cpus:
        yield cpu, drgn.Object(program, "struct rq", address=(runqueues + program.read_u64(offsets + 8 * cpu)) & (1 << 64) - 1)


def queued(queue):
    """Address and class of the tasks that wait for a CPU."""
    current = queue.curr.value_()
    if queue.stop and queue.stop.on_rq and queue.stop.value_() != current:
        yield queue.stop.value_(), "stop"
    for priority in queue.rt.active.queue:
        for task in list_for_each_entry("struct task_struct", priority.address_of_(), "rt.run_list"):
            if task.value_() != current:
                yield task.value_(), "real_time"
    for task in list_for_each_entry("struct task_struct", queue.cfs_tasks.address_of_(), "se.group_node"):
        delayed = task.se.type_.has_member("sched_delayed") and task.se.sched_delayed
        if task.value_() != current and not delayed:
            yield task.value_(), "fair"


def times(program, queues):
    """Of each task its times in nanoseconds: start, user, system, run; and at most how long it was in its state."""
    now = max(queue.clock.value_() for queue in queues.values())
    for task in for_each_task(program):
        arrival = task.sched_info.last_arrival.value_()
        yield (task.value_(), task.start_time.value_(), task.utime.value_(), task.stime.value_(), task.se.sum_exec_runtime.value_(),
               now - arrival if arrival else None)


def _slab_pages(program, pages):
    """Addresses of the struct pages that are of slabs, among the first of a machine. This drgn's own way needs the flag PG_slab, which 6.10 made a page type."""
    typed = program.type("struct slab").has_member("__page_type")
    kind = {value.name: value.value for value in program.type("enum pagetype").enumerators}["PGTY_slab"] if typed else 1 << program.constant("PG_slab")
    memmap, size, step = program["vmemmap_base"].value_(), program.type("struct page").size, 1 << 12
    for first in range(0, pages, step):
        data = bytearray()
        for address in range(memmap + first * size, memmap + (first + step) * size, 4096):
            try:
                data += program.read(address, 4096)
            except drgn.FaultError:
                data += bytes(4096)
        for at in range(0, len(data), size):
            if data[at + 51] == kind if typed else int.from_bytes(data[at:at + 8], "little") & kind:
                yield memmap + first * size + at


def slabs(program, pages):
    """Of each cache its address, name, slabs, places, and the addresses of the objects that are in use."""
    memmap, size, start = program["vmemmap_base"].value_(), program.type("struct page").size, program["page_offset_base"].value_()
    # Where no debug information brings the memmap, this drgn does not find it.
    # A panic takes the other CPUs off the list of those that are online; what they allocate from stays theirs.
    slab_helpers.for_each_online_cpu = for_each_possible_cpu
    slab_helpers.page_to_virt = lambda page: drgn.Object(program, "void *", value=start + ((page.value_() - memmap) // size << 12))
    caches = {cache.value_(): (cache, []) for cache in slab_helpers.for_each_slab_cache(program)}
    for address in _slab_pages(program, pages):
        slab = drgn.Object(program, "struct slab *", value=address)
        if slab.slab_cache.value_() in caches:
            caches[slab.slab_cache.value_()][1].append((drgn.Object(program, "struct page *", value=address), slab))
    for address, (cache, found) in caches.items():
        helper = slab_helpers._get_slab_cache_helper(cache)
        yield (address, cache.name.string_().decode(), len(found), sum(slab.objects.value_() for _, slab in found), sorted(
            item.value_() for page, slab in found for item in helper._page_objects(page, slab, program.pointer_type(program.type("void")))))


def worker_pools(program):
    """Of each pool its number, CPU, workers, those that are idle, what the others run (function and task), and the work that waits."""
    for number, entry in idr_for_each(program["worker_pool_idr"].address_of_()):
        pool = drgn.Object(program, "struct worker_pool *", value=entry.value_())
        yield (number, pool.cpu.value_(), pool.nr_workers.value_(), pool.nr_idle.value_(),
               [(worker.current_func.value_(), worker.task.value_()) for worker in list_for_each_entry("struct worker", pool.workers.address_of_(), "node")
                if worker.current_func],
               [(work.value_(), work.func.value_()) for work in list_for_each_entry("struct work_struct", pool.worklist.address_of_(), "entry")])


def _tags(tags, requests):
    for part, first in (("breserved_tags", 0), ("bitmap_tags", tags.nr_reserved_tags.value_())):
        bits = tags.member_(part).sb
        for bit in range(bits.depth.value_()):
            word = bits.map[bit >> bits.shift.value_()]
            if (word.word.value_() & ~word.cleared.value_()) >> (bit & (1 << bits.shift.value_()) - 1) & 1 and requests[first + bit]:
                yield requests[first + bit]


def disks(program, layouts):
    """Of each disk its address, name, and the address, state, length and sector of each request that it has."""
    place = layouts.offset if layouts else lambda name, member: drgn.offsetof(program.type(f"struct {name}"), member)
    # bpftool does not pad inodes and queues as BTF says.
    link = place("bdev_inode", "vfs_inode") + place("inode", "i_sb_list")
    head = program["blockdev_superblock"].value_() + place("super_block", "s_inodes")
    found, entry = {}, program.read_u64(head)
    while entry != head:
        disk = drgn.Object(program, "struct block_device", address=entry - link).bd_disk.read_()
        entry = program.read_u64(entry)
        if disk:
            found[disk.value_()] = disk
    for address, disk in sorted(found.items()):
        requests, at = {}, disk.queue.value_()
        table = drgn.Object(program, "struct xarray", address=at + place("request_queue", "hctx_table")).address_of_()
        for _, entry in xa_for_each(table) if program.read_u64(at + place("request_queue", "mq_ops")) else []:
            queue = drgn.Object(program, "struct blk_mq_hw_ctx *", value=entry.value_())
            both = [_tags(queue.tags, queue.tags.rqs), _tags(queue.sched_tags, queue.sched_tags.static_rqs) if queue.sched_tags else []]
            requests.update((request.value_(), request) for requests in both for request in requests if request.q == disk.queue)
        yield (address, disk.disk_name.string_().decode(), sorted(
            (at, request.state.value_(), request.member_("__data_len").value_(), request.member_("__sector").value_()) for at, request in requests.items()))


# Kind of a lock, as ours has it: its type; the list in it; the waiter's type, link and task.
LOCKS = {
    "mutex": ("struct mutex", "wait_list", "struct mutex_waiter", "list", "task"),
    "rw_semaphore": ("struct rw_semaphore", "wait_list", "struct rwsem_waiter", "list", "task"),
    "semaphore": ("struct semaphore", "wait_list", "struct semaphore_waiter", "list", "task"),
    "completion": ("struct completion", "wait.task_list", "struct swait_queue", "task_list", "task"),
    "simple_wait_queue": ("struct swait_queue_head", "task_list", "struct swait_queue", "task_list", "task"),
    "wait_queue": ("struct wait_queue_head", "head", "struct wait_queue_entry", "entry", "private"),
}


def waiters(program, kind, address):
    """The owner of a lock, without its flags, and the tasks in its list."""
    name, head, waiter, link, task = LOCKS[kind]
    lock = drgn.Object(program, name, address=address)
    item = lock
    for part in head.split("."):
        item = item.member_(part)
    held = kind == "mutex" or (kind == "rw_semaphore" and lock.count.counter.value_() & 1)
    return (lock.owner.counter.value_() & (1 << 64) - 8 if held else 0,
            [entry.member_(task).value_() for entry in list_for_each_entry(waiter, item.address_of_(), link)])


def mounts(program):
    """Address, source, target, type and device number of the mounts of the first process, in the order of /proc/mounts."""
    first = next(task for task in for_each_task(program) if task.pid == 1)
    space = first.nsproxy.mnt_ns
    # Kernels from 6.8 on have a tree, by age, in a structure without a name since 6.13; this drgn knows only their list.
    tree = not space.type_.type.has_member("list")
    # What lies above the root of the first process is not in its /proc/mounts: 7.x has an empty file system below everything.
    top = container_of(first.fs.root.mnt, "struct mount", "mnt")
    for mount in rbtree_inorder_for_each_entry("struct mount", space.mounts.address_of_(), "mnt_node") if tree else for_each_mount(program):
        above = mount
        while above != top and above.mnt_parent != above:
            above = above.mnt_parent
        if above != top:
            continue
        device = mount.mnt.mnt_sb.s_dev.value_()
        yield (mount.value_(), os.fsdecode(mount_src(mount)), os.fsdecode(mount_dst(mount)), os.fsdecode(mount_fstype(mount)), f"{device >> 20}:{device & 0xfffff}")


# Variables that drgn's helpers and the comparisons start from. BTF has the types of variables of each CPU only.
VARIABLES = {
    "init_task": "struct task_struct {}",
    "init_pid_ns": "struct pid_namespace {}",
    "modules": "struct list_head {}",
    "super_blocks": "struct list_head {}",
    "slab_caches": "struct list_head {}",
    "worker_pool_idr": "struct idr {}",
    "blockdev_superblock": "struct super_block *{}",
    "__per_cpu_offset": "unsigned long {}[64]",
    "__cpu_possible_mask": "struct cpumask {}",
    "nr_cpu_ids": "unsigned int {}",
    "init_uts_ns": "struct uts_namespace {}",
    "task_state_array": "const char *const {}[9]",
    "vmemmap_base": "unsigned long {}",
    "page_offset_base": "unsigned long {}",
    "init_mm": "struct mm_struct {}",
    "iomem_resource": "struct resource {}",
    "jiffies_64": "unsigned long long {}",
    "init_css_set": "struct css_set {}",
    "init_net": "struct net {}",
    "init_nsproxy": "struct nsproxy {}",
    "init_files": "struct files_struct {}",
    "boot_cpu_data": "struct cpuinfo_x86 {}",
    "idt_table": "gate_desc {}[256]",
    "system_state": "enum system_states {}",
    "kobj_sysfs_ops": "const struct sysfs_ops {}",
    "def_chr_fops": "const struct file_operations {}",
}


def _note(dump, key):
    """A line of vmcoreinfo: text near the start of the file, of whatever format."""
    with open(dump, "rb") as file:
        found = re.search(rb"\n" + key.encode() + rb"=([0-9a-f]+)\n", file.read(16 << 20))
    return found[1].decode() if found else None


class Layouts:
    """Where BTF has each member, to be compared with where it lies once bpftool has written the types as C: its padding is not always right."""

    def __init__(self, btf):
        raw = subprocess.run(["/usr/sbin/bpftool", "-j", "btf", "dump", "file", str(btf)], check=True, capture_output=True).stdout
        self.types = {item["id"]: item for item in json.loads(raw)["types"]}
        self.named = {}
        for item in self.types.values():
            if item["kind"] in ("STRUCT", "UNION") and item["name"] != "(anon)":
                self.named.setdefault((item["kind"], item["name"]), item["id"])
        self.known = {}

    def offset(self, name, member):
        """Where a member of a structure is, in bytes."""
        return next(item["bits_offset"] for item in self.types[self.named["STRUCT", name]]["members"] if item["name"] == member) // 8

    def faithful(self, kind):
        """True if drgn's type, and all that lies within it, has the layout that BTF gives."""
        while kind.kind in (drgn.TypeKind.TYPEDEF, drgn.TypeKind.ARRAY):
            kind = kind.type
        if kind.kind not in (drgn.TypeKind.STRUCT, drgn.TypeKind.UNION) or kind.tag is None:
            return True
        key = ("STRUCT" if kind.kind == drgn.TypeKind.STRUCT else "UNION", kind.tag)
        if key not in self.known:
            self.known[key] = key in self.named and self._same(kind, self.types[self.named[key]])
        return self.known[key]

    def _same(self, kind, item):
        while item["kind"] in ("TYPEDEF", "CONST", "VOLATILE", "RESTRICT", "ARRAY"):
            item = self.types.get(item["type_id"])
            if item is None:
                return True
        while kind.kind in (drgn.TypeKind.TYPEDEF, drgn.TypeKind.ARRAY):
            kind = kind.type
        if kind.kind not in (drgn.TypeKind.STRUCT, drgn.TypeKind.UNION):
            return True
        if not kind.is_complete():
            return item["kind"] == "FWD"
        if item["kind"] not in ("STRUCT", "UNION") or kind.size != item["size"]:
            return False
        # Padding is written as bit-fields without name.
        members = [member for member in kind.members if member.name or member.bit_field_size is None]
        theirs = [member for member in item["members"] if member["name"] != "(anon)" or not member.get("bitfield_size")]
        if [(member.name or "(anon)", member.bit_offset) for member in members] != [(member["name"], member["bits_offset"]) for member in theirs]:
            return False
        return all(self.faithful(member.type) if _tag(member.type) else self._same(member.type, self.types[other["type_id"]])
                   for member, other in zip(members, theirs) if other["type_id"])


def _tag(kind):
    while kind.kind in (drgn.TypeKind.TYPEDEF, drgn.TypeKind.ARRAY):
        kind = kind.type
    return kind.kind in (drgn.TypeKind.STRUCT, drgn.TypeKind.UNION) and kind.tag


def char_option(release, machine):
    """How gcc is to take plain char for a kernel: since 6.2 the kernel's Makefile has -funsigned-char; before, the machine decides. The C that bpftool makes of BTF does not say it."""
    numbers = [int(number) for number in release.split("-")[0].split("+")[0].split(".")[:2]]
    return "-fsigned-char" if machine == "x86_64" and numbers < [6, 2] else "-funsigned-char"


def vmlinux_from_btf(dump, vmcore, target, kallsyms=None):
    """Makes what stands in for a vmlinux with debug information, which is a download of 1 GB, from the BTF in the dump: bpftool writes it as C, gcc compiles
    that, and the variables that are needed are placed where kallsyms has them. So drgn gets its types without any code of ours."""
    target = pathlib.Path(target)
    addresses = {}
    if kallsyms:
        for line in pathlib.Path(kallsyms).read_text().splitlines():
            address, _, name = line.split()[:3]
            addresses.setdefault(name, int(address, 16))
    names = [name for name in ["__start_BTF", "__stop_BTF", *VARIABLES] if name not in addresses]
    if names:
        answer = subprocess.run([str(vmcore), "symbol", "--json", str(dump), *names], capture_output=True, text=True).stdout
        for symbol in json.loads(answer)["symbols"]:
            addresses.setdefault(symbol["name"], int(symbol["address"], 16))
    start, end = addresses["__start_BTF"], addresses["__stop_BTF"]
    btf, header, source = (target.with_suffix(suffix) for suffix in (".btf", ".h", ".c"))
    btf.write_bytes(subprocess.run([str(vmcore), "read", "--format", "raw", str(dump), hex(start), str(end - start)], check=True, capture_output=True).stdout)
    with open(header, "w") as out:
        subprocess.run(["/usr/sbin/bpftool", "btf", "dump", "file", str(btf), "format", "c"], check=True, stdout=out)
    compiler, comment = ["gcc", "-mcmodel=kernel"], "#"
    info = json.loads(subprocess.run([str(vmcore), "info", "--json", str(dump)], check=True, capture_output=True).stdout)
    if info["machine"] == "aarch64":
        compiler, comment = ["aarch64-linux-gnu-gcc"], "//"
    build, offset = _note(dump, "BUILD-ID"), int(_note(dump, "KERNELOFFSET") or "0", 16)
    text, places = f'#include "{header.name}"\n', []
    for name, declaration in VARIABLES.items():
        # Of another architecture the same name has another type.
        if name in addresses and not (name == "boot_cpu_data" and comment != "#"):
            text += f'__attribute__((section(".place.{name},\\"aw\\",%nobits{comment}"))) {declaration.format(name)};\n'
            places.append(f"-Wl,--section-start=.place.{name}={addresses[name] - offset:#x}")
    # By this section drgn knows a kernel.
    source.write_text(text + '__asm__(".pushsection .init.text,\\"ax\\"\\nnop\\n.popsection");\n')
    subprocess.run([*compiler, char_option(info["release"], info["machine"]), "-g", "-w", "-fno-eliminate-unused-debug-types", "-ffreestanding", "-fno-pie", "-no-pie", "-nostdlib", "-static",
                    str(source), "-o", str(target), f"-Wl,--build-id=0x{build}", "-Wl,-e,0", *places], check=True)
    return target
