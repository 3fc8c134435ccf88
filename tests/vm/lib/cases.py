"""A case file: "key = value" lines, '#' starts a comment; a key of LISTS may come several times."""
import dataclasses
import pathlib
import re

LISTS = {"nvdimm", "namespace", "work", "dump", "expect", "qemu-dump", "kdump", "kdump-expect"}
DEFAULTS = {
    "title": "",
    "kernel": "stock-6.1",
    "ram": "1024M",
    "crashkernel": "192M",
    "cpus": "2",
    "cpu": "",  # the architecture's
    "loader": "vmcore -c",
    "align": "2M",
    "reload": "yes",
    "append": "",
    "capture-append": "",
    "capture-drivers": "no",
    "raw": "no",
    "corrupt": "",
    "vmcoreinfo-device": "no",
    "expect-load": "",
    "expect-capture": "",
    "expect-devices": "",
    "firmware": "bios",
    "lean": "no",
    "options": "no",
    "live": "",
    "ways": "",
    "kdump-after": "",
    "kdump-disk": "1G",
}
KEYS = set(DEFAULTS) | LISTS


class CaseError(Exception):
    pass


@dataclasses.dataclass
class Case:
    name: str
    values: dict
    lists: dict

    def __getitem__(self, key):
        return self.lists[key] if key in LISTS else self.values[key]

    def yes(self, key) -> bool:
        return self.values[key] == "yes"


def size(text: str) -> int:
    """Bytes of "448M", "1G", "4096"."""
    match = re.fullmatch(r"(\d+)([KMG]?)", text)
    if not match:
        raise CaseError(f"not a size: {text}")
    return int(match[1]) << {"": 0, "K": 10, "M": 20, "G": 30}[match[2]]


def read(path: pathlib.Path) -> Case:
    values, lists = dict(DEFAULTS), {key: [] for key in LISTS}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        line = line.split("#", 1)[0].strip()
        if not line:
            continue
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals or key not in KEYS:
            raise CaseError(f"{path}:{number}: not a key of a case: {line}")
        if key in LISTS:
            lists[key].append(value)
        else:
            values[key] = value
    return Case(path.stem, values, lists)
