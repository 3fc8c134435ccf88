// Puts known content into memory of a known kind and stays, so that a dump can be judged by what is in it.
//   mapper anon BYTES TEXT          small pages of anonymous memory
//   mapper thp BYTES TEXT           transparent huge pages
//   mapper hugetlb BYTES TEXT       hugetlbfs pages
//   mapper file PATH BYTES TEXT     a file, mapped shared: of a DAX file system its pages get mapping and index
//   mapper dax PATH BYTES TEXT      a device-dax device
//   mapper read PATH BYTES TEXT     maps what is there already and reads it
//   mapper clone PATH BYTES FROM    makes PATH share the blocks of FROM (reflink), and ends
//   mapper disk PATH BYTES TEXT     writes it to a block device past the page cache, and ends
// TEXT and the path or kind are written every 64 KiB ("TEXT /path"), other bytes are a pattern that
// repeats with it: no page is zero, and a sample still compresses well.
// It prints one line when the content is there, and never ends by itself.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MAP_SHARED_VALIDATE
#define MAP_SHARED_VALIDATE 3
#endif
#ifndef MAP_SYNC
#define MAP_SYNC 0x80000
#endif

static const size_t Stride = 65536;

static void die(const char *what)
{
    fprintf(stderr, "mapper: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void fill(unsigned char *at, size_t bytes, const char *text, const char *name)
{
    uint64_t state = 0;
    for (size_t i = 0; i + 8 <= bytes; i += 8) {
        if (i % Stride == 0)
            state = 0x9e3779b97f4a7c15ULL ^ bytes;
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        memcpy(at + i, &state, 8);
    }
    char line[256];
    for (size_t i = 0; i < bytes; i += Stride) {
        // The text is put together here and nowhere else: the program's own pages hold "%s %s", not the canary.
        int n = snprintf(line, sizeof line, "%s %s %zu\n", text, name, i / Stride);
        memcpy(at + i, line, (size_t)n + 1);
    }
    explicit_bzero(line, sizeof line);
}

// What fill() had in the stack below its caller and in registers: arm64's memcpy() uses vector registers, and whatever is called next with "..." saves them.
__attribute__((noinline)) static void forget(void)
{
    char below[16384];
    explicit_bzero(below, sizeof below);
#ifdef __aarch64__
    __asm__ volatile("movi v0.2d, #0\n movi v1.2d, #0\n movi v2.2d, #0\n movi v3.2d, #0\n movi v4.2d, #0\n movi v5.2d, #0\n"
                     "movi v6.2d, #0\n movi v7.2d, #0\n movi v16.2d, #0\n movi v17.2d, #0\n movi v18.2d, #0\n movi v19.2d, #0" ::
                         : "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v16", "v17", "v18", "v19");
#endif
}

// User data that is on the media only: nothing of it stays in RAM, so a canary in a dump came from the pmem.
static int fill_disk(const char *path, size_t bytes, const char *text)
{
    size_t chunk = 4 << 20;
    int fd = open(path, O_WRONLY | O_DIRECT);
    if (fd < 0)
        die(path);
    unsigned char *at = mmap(NULL, chunk, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        die("mmap");
    fill(at, chunk, text, path);
    forget();
    for (size_t done = 0; done < bytes;) {
        size_t want = bytes - done < chunk ? bytes - done : chunk;
        ssize_t n = pwrite(fd, at, want, (off_t)done);
        if (n <= 0)
            die("pwrite");
        done += (size_t)n;
    }
    explicit_bzero(at, chunk);
    fsync(fd);
    return 0;
}

static int clone_file(const char *path, const char *from)
{
    int source = open(from, O_RDONLY), target = open(path, O_RDWR | O_CREAT, 0644);
    if (source < 0 || target < 0 || ioctl(target, FICLONE, source))
        die("reflink");
    return 0;
}

static void read_all(const unsigned char *at, size_t bytes)
{
    volatile unsigned char seen = 0;
    for (size_t i = 0; i < bytes; i += 4096)
        seen ^= at[i];
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: mapper anon|thp|hugetlb BYTES TEXT | file PATH BYTES TEXT | dax PATH BYTES TEXT\n");
        return 2;
    }
    const char *kind = argv[1];
    int has_path = strcmp(kind, "anon") && strcmp(kind, "thp") && strcmp(kind, "hugetlb");
    if (has_path && argc < 5)
        return 2;
    const char *name = has_path ? argv[2] : kind;
    size_t bytes = strtoull(argv[has_path ? 3 : 2], NULL, 0);
    const char *text = argv[has_path ? 4 : 3];
    unsigned char *at;

    if (!strcmp(kind, "disk"))
        return fill_disk(name, bytes, text);
    if (!strcmp(kind, "clone"))
        return clone_file(name, text);
    if (has_path) {
        int dax = !strcmp(kind, "dax");
        int fd = open(name, dax ? O_RDWR : O_RDWR | O_CREAT, 0644);
        if (fd < 0)
            die(name);
        if (!dax && ftruncate(fd, (off_t)bytes))
            die("ftruncate");
        at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0);
        const char *how = "MAP_SYNC";
        if (at == MAP_FAILED) {
            at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
            how = "MAP_SHARED";
        }
        if (at == MAP_FAILED)
            die("mmap");
        printf("%s %s\n", name, how);
    } else {
        size_t huge = 2 << 20;
        int flags = MAP_PRIVATE | MAP_ANONYMOUS;
        size_t map = bytes;
        if (!strcmp(kind, "hugetlb"))
            flags |= MAP_HUGETLB;
        else if (!strcmp(kind, "thp"))
            map += huge;
        at = mmap(NULL, map, PROT_READ | PROT_WRITE, flags, -1, 0);
        if (at == MAP_FAILED)
            die("mmap");
        if (!strcmp(kind, "thp")) {
            at = (unsigned char *)(((uintptr_t)at + huge - 1) & ~(huge - 1));
            madvise(at, bytes, MADV_HUGEPAGE);
        } else if (!strcmp(kind, "anon")) {
            madvise(at, bytes, MADV_NOHUGEPAGE);
        }
    }
    if (!strcmp(kind, "read"))
        read_all(at, bytes);
    else
        fill(at, bytes, text, name);
    forget();
    printf("%s %zu bytes ready\n", name, bytes);
    fflush(stdout);
    for (;;)
        pause();
}
