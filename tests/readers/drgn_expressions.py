"""Expressions of `vmcore print`: what they have to be by drgn (of what is in a dump) and by gcc (of arithmetic)."""
import json
import pathlib
import random
import shlex
import subprocess

import drgn
from drgn import container_of
from drgn.helpers.linux.list import hlist_for_each_entry, list_for_each_entry
from drgn.helpers.linux.pid import for_each_task
from drgn.helpers.linux.rbtree import rbtree_inorder_for_each_entry
from drgn.helpers.linux.xarray import xa_for_each

import drgn_kernel

TYPES = ["int", "unsigned int", "long", "unsigned long", "long long", "unsigned long long", "char", "unsigned char", "short", "unsigned short"]
ARITHMETIC = 300


def batch(vmcore, dump, commands):
    """The answers of many commands on one opened dump."""
    done = subprocess.run([vmcore, "exec", dump], input="".join(command + "\n" for command in commands), capture_output=True, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def printed(expression):
    return "print " + shlex.quote(expression)


def values(answer):
    """Values of an expression, one or several."""
    if answer["answer"] is None:
        return answer["error"]
    many = answer["answer"]["values"]
    return answer["answer"]["value"] if many is None else [item["value"] if item["error"] is None else item["error"] for item in many]


def for_each_vma(mm):
    """The areas of a process. drgn has this from 0.0.25 on; Debian's is older, so its maple tree (lib/maple_tree.c) is walked here. Their number is the
    one that the kernel counts."""
    program, areas = mm.prog_, []

    def walk(entry, top):
        kind, address = entry >> 3 & 0xf, entry & ~0xff
        node = drgn.Object(program, "struct maple_arange_64" if kind == 3 else "struct maple_range_64", address=address)
        for index in range(len(node.slot)):
            pivot = node.pivot[index].value_() if index < len(node.pivot) else top
            if index and not pivot or pivot > top:
                pivot = top
            slot = node.slot[index].value_()
            if kind > 1 and slot:
                walk(slot, pivot)
            elif slot:
                areas.append(drgn.Object(program, "struct vm_area_struct *", value=slot))
            if pivot == top:
                break

    root = mm.mm_mt.ma_root.value_()
    if root & 3 == 2:
        walk(root, (1 << 64) - 1)
    elif root:
        areas.append(drgn.Object(program, "struct vm_area_struct *", value=root))
    assert len(areas) == mm.map_count.value_(), (len(areas), mm.map_count.value_())
    return areas


def address(pointer):
    return f"{pointer.value_():#x}"


def of_dump(program, symbol):
    """Expressions, and what drgn has for them. `symbol` gives the address of a variable that this drgn does not know."""
    tree = drgn_kernel.tree
    modules = list(list_for_each_entry("struct module", program["modules"].address_of_(), "list"))
    yield "list_for_each(modules, struct module, list)", [address(module) for module in modules]
    yield "list_for_each(modules, struct module, list)->name", [tree(module.name) for module in modules]
    yield "list_for_each(modules, struct module, list)->state == 0", [int(module.state.value_() == 0) for module in modules]
    tasks = list(list_for_each_entry("struct task_struct", program["init_task"].tasks.address_of_(), "tasks"))
    yield "list_for_each(init_task.tasks, struct task_struct, tasks)->pid", [tree(task.pid) for task in tasks]
    yield "list_for_each(init_task.tasks, struct task_struct, tasks)->flags & 0x200000", [task.flags.value_() & 0x200000 for task in tasks]
    yield "list_for_each(init_task.tasks, struct task_struct, tasks)->prio - 120", [task.prio.value_() - 120 for task in tasks]
    first = program["init_task"].tasks.next
    yield "container_of(init_task.tasks.next, struct task_struct, tasks)", address(container_of(first, "struct task_struct", "tasks"))
    yield "container_of(init_task.tasks.next, struct task_struct, tasks)->comm", tree(container_of(first, "struct task_struct", "tasks").comm)
    blocks = list(list_for_each_entry("struct super_block", program["super_blocks"].address_of_(), "s_list"))
    yield ("list_for_each(list_for_each(super_blocks, struct super_block, s_list)->s_mounts, struct mount, mnt_instance)->mnt_id",
           [tree(mount.mnt_id) for block in blocks for mount in list_for_each_entry("struct mount", block.s_mounts.address_of_(), "mnt_instance")])
    kind = blocks[0].s_type
    yield (f"hlist_for_each(((struct super_block *){address(blocks[0])})->s_type->fs_supers, struct super_block, s_instances)",
           [address(block) for block in hlist_for_each_entry("struct super_block", kind.fs_supers.address_of_(), "s_instances")])
    areas = symbol("vmap_area_root")
    if areas:
        tree_root = drgn.Object(program, "struct rb_root", address=areas)
        yield ("rb_for_each(vmap_area_root, struct vmap_area, rb_node)->va_start",
               [tree(area.va_start) for area in rbtree_inorder_for_each_entry("struct vmap_area", tree_root.address_of_(), "rb_node")])
    space = program["init_task"].nsproxy.mnt_ns
    if space.type_.type.has_member("mounts") and not space.type_.type.has_member("list"):
        yield ("rb_for_each(init_task.nsproxy->mnt_ns->mounts, struct mount, mnt_node)->mnt_id",
               [tree(mount.mnt_id) for mount in rbtree_inorder_for_each_entry("struct mount", space.mounts.address_of_(), "mnt_node")])
    processes = [task for task in for_each_task(program) if task.mm]
    for task in processes[:3]:
        text = f"((struct task_struct *){address(task)})->mm"
        yield f"mt_for_each({text}->mm_mt, struct vm_area_struct)->vm_end - 1", [area.vm_end.value_() - 1 for area in for_each_vma(task.mm)]
        yield (f"xa_for_each({text}->exe_file->f_mapping->i_pages, struct page)",
               [address(entry) for _, entry in xa_for_each(task.mm.exe_file.f_mapping.i_pages.address_of_()) if not entry.value_() & 3])
    queues, offsets = symbol("runqueues"), symbol("__per_cpu_offset")
    cpus = [cpu for cpu in range(64) if drgn.Object(program, "unsigned long", address=symbol("__cpu_possible_mask")).value_() >> cpu & 1]
    yield "per_cpu(runqueues).nr_switches", [tree(queue.nr_switches) for _, queue in drgn_kernel.run_queues(program, queues, offsets, cpus)]
    yield "per_cpu(runqueues, 0).curr->pid", tree(next(drgn_kernel.run_queues(program, queues, offsets, [0]))[1].curr.pid)
    for name in ("struct task_struct", "struct page", "struct module", "struct super_block", "pgd_t"):
        yield f"sizeof({name})", drgn.sizeof(program.type(name))
    for name, member in (("struct task_struct", "tasks.prev"), ("struct module", "list"), ("struct mount", "mnt.mnt_sb"), ("struct file", "f_mapping")):
        yield f"offsetof({name}, {member})", drgn.offsetof(program.type(name), member)
    task = program["init_task"]
    yield "init_task.prio + init_task.policy", task.prio.value_() + task.policy.value_()
    yield "init_task.flags >> 3 | 1", task.flags.value_() >> 3 | 1
    yield "&init_task.tasks == init_task.tasks.prev->next", 1
    yield "&init_task.comm[3] - &init_task.comm[1]", 2


def _number(pick):
    value = pick.choice([0, 1, 2, 7, 31, 127, 128, 255, 256, 32767, 65535, 65536, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 63) - 1,
                         pick.getrandbits(8), pick.getrandbits(31), pick.getrandbits(40)])
    text = hex(value) if pick.random() < 0.4 else str(value)
    return text + pick.choice(["", "", "", "U", "L", "UL", "LL", "ULL"])


def _expression(pick, depth):
    if depth == 0:
        return _number(pick)
    kind = pick.random()
    if kind < 0.15:
        return pick.choice("-~!") + "(" + _expression(pick, depth - 1) + ")"
    if kind < 0.35:
        return f"({pick.choice(TYPES)})({_expression(pick, depth - 1)})"
    name = pick.choice(["+", "-", "*", "&", "|", "^", "==", "!=", "<", "<=", ">", ">=", "&&", "||", "/", "%", "<<", ">>"])
    left, right = _expression(pick, depth - 1), _expression(pick, depth - 1)
    if name in "/%":
        right = f"(({right}) | 1)"
    if name in ("<<", ">>"):
        right = f"(({right}) & 31)"
    # Without parentheses precedence decides.
    return f"{left} {name} {right}" if pick.random() < 0.5 else f"({left} {name} {right})"


def arithmetic(folder, option):
    """Random expressions with their type and value, as gcc has them. It warns of overflows, and wraps as the kernel's flags ask for."""
    pick = random.Random(4711)
    texts = [_expression(pick, pick.randrange(1, 4)) for _ in range(ARITHMETIC)]
    names = ", ".join(f'{name}: "{name}"' for name in TYPES[:6] + ["char", "unsigned char", "short", "unsigned short"])
    source = pathlib.Path(folder) / "arithmetic.c"
    source.write_text("#include <stdio.h>\n#define SAY(x) printf(\"%s|%lld|%llu\\n\", _Generic((x), " + names + "), (long long)(x), (unsigned long long)(x))\n"
                      "int main(void) {\n" + "".join(f"SAY({text});\n" for text in texts) + "}\n")
    program = source.with_suffix("")
    subprocess.run(["gcc", "-w", "-O0", "-fwrapv", option, "-o", program, source], check=True)
    for text, line in zip(texts, subprocess.run([program], check=True, capture_output=True, text=True).stdout.splitlines()):
        kind, signed, unsigned = line.split("|")
        value = int(unsigned if kind.startswith("unsigned") else signed)
        yield text, kind, value if abs(value) < 1 << 53 else str(value)


def compare(program, vmcore, dump, folder, say):
    """Compares; `say` takes what was compared, drgn's and ours."""
    def symbol(name):
        answer = batch(vmcore, dump, ["symbol " + name])[0]["answer"]
        return int(answer["symbols"][0]["address"], 16) if answer and answer["symbols"] else 0

    wanted = list(of_dump(program, symbol))
    wanted = [(text, value if not isinstance(value, list) else list(value)) for text, value in wanted]
    found = batch(vmcore, dump, [printed(text) for text, _ in wanted])
    say("expressions", wanted, [(text, values(answer)) for (text, _), answer in zip(wanted, found)])
    machine = "aarch64" if program.platform.arch == drgn.Architecture.AARCH64 else "x86_64"
    calculated = list(arithmetic(folder, drgn_kernel.char_option(program["UTS_RELEASE"].string_().decode(), machine)))
    found = batch(vmcore, dump, [printed(text) for text, _, _ in calculated])
    say("calculations", calculated, [(text, answer["answer"] and answer["answer"]["type"], values(answer)) for (text, _, _), answer in zip(calculated, found)])
