"""Where things are: this folder, the tree it belongs to, and the cache (ignored by git)."""
import hashlib
import os
import pathlib

from . import arch

VM = pathlib.Path(__file__).resolve().parent.parent
TREE = VM.parent.parent
CACHE = TREE / ".cache" / "vm"
CASES = VM / "cases"
GUEST = VM / "guest"
RESULTS = CACHE / "results"


def executable(machine: arch.Arch = arch.X86_64) -> pathlib.Path:
    """Our static executable for a machine: VMCORE_BIN or VMCORE_BIN_ARM64, else what ./build, or ./build --arch arm64, made."""
    if machine.name == arch.X86_64.name:
        return pathlib.Path(os.environ.get("VMCORE_BIN", TREE / "artifacts" / "bin" / "vmcore"))
    return pathlib.Path(os.environ.get("VMCORE_BIN_ARM64", TREE / "artifacts" / f"bin-{machine.debian}" / "vmcore"))


def executable_hash(machine: arch.Arch = arch.X86_64) -> str:
    """Tells one build from another."""
    program = executable(machine)
    return hashlib.sha256(program.read_bytes()).hexdigest()[:12] if program.exists() else ""


def timeout_scale() -> float:
    return float(os.environ.get("VMCORE_VM_TIMEOUT_SCALE", "1"))
