"""Open files and mappings of processes: what drgn has for them, compared with `vmcore files` and `vmcore maps`."""
import os

from drgn.helpers.linux.fs import d_path, for_each_file
from drgn.helpers.linux.pid import for_each_task

from drgn_expressions import batch, for_each_vma

NAMED = ("file", "directory", "character", "block")


def compare(program, vmcore, dump, _folder, say):
    """Compares; `say` takes what was compared, drgn's and ours."""
    processes = [task for task in for_each_task(program) if task.mm and task.pid.value_() == task.tgid.value_()]
    answers = batch(vmcore, dump, ["files", *(f"maps {task.pid.value_()}" for task in processes)])
    ours = {process["pid"]: process["files"] for process in answers[0]["answer"]["processes"]}
    shift = program["PAGE_SHIFT"].value_()
    for task, maps in zip(processes, answers[1:]):
        pid = task.pid.value_()
        kinds = {file["descriptor"]: file["kind"] for file in ours[pid]}
        say("files", [(pid, fd, hex(file.value_()), file.f_flags.value_(), file.f_pos.value_(),
                       os.fsdecode(d_path(file.f_path)) if kinds.get(fd) in NAMED else None) for fd, file in for_each_file(task)],
            [(pid, file["descriptor"], file["address"], file["flags"], file["position"], file["path"] if file["kind"] in NAMED else None) for file in ours[pid]])
        say("mappings", [(pid, hex(area.value_()), hex(area.vm_start.value_()), hex(area.vm_end.value_()), area.vm_flags.value_(),
                          area.vm_pgoff.value_() << shift if area.vm_file else 0) for area in for_each_vma(task.mm)],
            [(pid, area["address"], area["start"], area["end"], area["flags"], area["offset"]) for area in maps["answer"]["areas"]])

