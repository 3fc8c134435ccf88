// SPDX-License-Identifier: GPL-2.0
// Prints devm_memmap_vmcore_head as a dump tool would see it: "START END" in page frame numbers, one line an entry.
// Reads the running kernel through /proc/kcore; exit status 1 when the list cannot be followed.
#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int kcore;
static Elf64_Phdr segments[512];
static unsigned segmentCount;

static int readAt(uint64_t address, void *buffer, size_t size)
{
    for (unsigned i = 0; i < segmentCount; i++) {
        const Elf64_Phdr *s = &segments[i];
        if (s->p_type == PT_LOAD && address >= s->p_vaddr && address - s->p_vaddr + size <= s->p_memsz)
            return pread(kcore, buffer, size, s->p_offset + (address - s->p_vaddr)) == (ssize_t)size;
    }
    return 0;
}

static uint64_t symbol(const char *name)
{
    FILE *file = fopen("/proc/kallsyms", "r");
    char line[256], found[128];
    unsigned long long address;
    while (file && fgets(line, sizeof(line), file))
        if (sscanf(line, "%llx %*c %127s", &address, found) == 2 && strcmp(found, name) == 0)
            return address;
    return 0;
}

int main(void)
{
    Elf64_Ehdr header;
    kcore = open("/proc/kcore", O_RDONLY);
    if (kcore < 0 || pread(kcore, &header, sizeof(header), 0) != sizeof(header) || header.e_phnum > 512)
        return 1;
    segmentCount = header.e_phnum;
    if (pread(kcore, segments, segmentCount * sizeof(segments[0]), header.e_phoff) < 0)
        return 1;

    uint64_t head = symbol("devm_memmap_vmcore_head"), next;
    if (head == 0 || !readAt(head, &next, sizeof(next)))
        return 1;
    for (int count = 0; next != head; count++) {
        uint64_t record[5]; // next, prev, start, end, pgmap
        if (count > 256 || !readAt(next, record, sizeof(record)))
            return 1;
        printf("%llx %llx\n", (unsigned long long)record[2], (unsigned long long)record[3]);
        next = record[0];
    }
    return 0;
}
