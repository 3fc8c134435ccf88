// Reads pages of a dump with libkdumpfile. Usage: kdumpfile DUMP REQUESTS     REQUESTS: physical addresses of pages, 8 bytes each
// Prints the seconds that the reads took, and the xor of the first 8 bytes of every page. The prototypes are those of libkdumpfile 0.5.
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

void *kdump_new(void);
int kdump_open_fdset(void *ctx, unsigned count, const int *descriptors);
int kdump_read(void *ctx, int space, uint64_t address, void *buffer, size_t *length);
const char *kdump_get_err(void *ctx);

int main(int count, char **words)
{
    enum { MachinePhysical = 1, Page = 4096 };
    static unsigned char page[Page];
    struct stat about;
    void *ctx = kdump_new();
    int dump = open(words[1], O_RDONLY), list = open(words[2], O_RDONLY);
    if (count != 3 || dump < 0 || list < 0 || fstat(list, &about) || kdump_open_fdset(ctx, 1, &dump)) {
        fprintf(stderr, "kdumpfile: cannot open: %s\n", ctx ? kdump_get_err(ctx) : "");
        return 1;
    }
    uint64_t *addresses = malloc(about.st_size), sum = 0, first;
    if (read(list, addresses, about.st_size) != about.st_size)
        return 1;
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (long i = 0; i < about.st_size / 8; i++) {
        size_t length = Page;
        if (kdump_read(ctx, MachinePhysical, addresses[i], page, &length) || length != Page) {
            fprintf(stderr, "kdumpfile: %lx: %s\n", (long)addresses[i], kdump_get_err(ctx));
            return 1;
        }
        memcpy(&first, page, 8);
        sum ^= first + i;
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%.6f %016lx\n", (end.tv_sec - start.tv_sec) + (end.tv_nsec - start.tv_nsec) / 1e9, (long)sum);
    return 0;
}
