"""Where things are: this folder, the tree it belongs to, and the cache (ignored by git)."""
import hashlib
import os
import pathlib

VM = pathlib.Path(__file__).resolve().parent.parent
TREE = VM.parent.parent
CACHE = TREE / ".cache" / "vm"
CASES = VM / "cases"
GUEST = VM / "guest"
RESULTS = CACHE / "results"


def executable() -> pathlib.Path:
    """Our static executable: VMCORE_BIN, else what ./build made."""
    return pathlib.Path(os.environ.get("VMCORE_BIN", TREE / "artifacts" / "bin" / "vmcore"))


def executable_hash() -> str:
    """Tells one build from another."""
    program = executable()
    return hashlib.sha256(program.read_bytes()).hexdigest()[:12] if program.exists() else ""


def timeout_scale() -> float:
    return float(os.environ.get("VMCORE_VM_TIMEOUT_SCALE", "1"))
