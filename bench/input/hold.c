// Fills anonymous memory as programs do and stays: hold BYTES FILE. One part in two is the bytes of a file (text, code,
// packed data), the rest arrays of pointers and small numbers, noise, sparse pages and zero pages. Half of it may be huge pages.
//   hold BYTES FILE       prints "ready" and never ends
//   hold BYTES FILE free  ends at once: free pages that are not zero
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { Page = 4096, Cluster = 16 * Page };

static uint64_t state = 0x9e3779b97f4a7c15ULL;

static uint64_t next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void fill(unsigned char *at, unsigned kind)
{
    uint64_t *words = (uint64_t *)at;
    for (size_t i = 0; i < Cluster / 8; i++) {
        uint64_t random = next();
        if (kind == 0)
            words[i] = random;
        else if (kind == 1)
            words[i] = random & 1 ? 0 : random & 2 ? 0x7f3a00000000 + ((random >> 8 & 0xfffff) << 4) : random >> 8 & 0xff;
        else if (random % 97 == 0)
            words[i] = random >> 40;
    }
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    size_t bytes = strtoull(argv[1], NULL, 0) / (4 << 20) * (4 << 20);
    int fd = open(argv[2], O_RDONLY);
    unsigned char *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED || fd < 0) {
        perror(argv[2]);
        return 1;
    }
    madvise(at, bytes / 2, MADV_HUGEPAGE);
    madvise(at + bytes / 2, bytes / 2, MADV_NOHUGEPAGE);
    for (size_t i = 0; i < bytes; i += Cluster) {
        unsigned choice = next() % 16;
        if (choice < 8) {
            ssize_t n = read(fd, at + i, Cluster);
            if (n < Cluster)
                lseek(fd, 0, SEEK_SET);
        } else if (choice < 10) {
            fill(at + i, 0);
        } else if (choice < 13) {
            fill(at + i, 1);
        } else if (choice < 15) {
            fill(at + i, 2);
        } else {
            memset(at + i, 0, Cluster);
        }
    }
    puts("ready");
    fflush(stdout);
    if (argc > 3)
        return 0;
    for (;;)
        pause();
}
