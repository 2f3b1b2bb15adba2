/* Lets calls on files of the data directory fail with EIO: preloaded into the binary by a test.
   FAIL_CALL: pwrite, fdatasync, fsync or write; FAIL_AFTER: that many calls go well; FAIL_TIMES: how many fail then;
   FAIL_UNDER: the directory whose files are meant. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_long made;

static int fails(const char *call, int fd) {
    const char *wanted = getenv("FAIL_CALL"), *under = getenv("FAIL_UNDER");
    const char *after = getenv("FAIL_AFTER"), *times = getenv("FAIL_TIMES");
    char link[64], path[4096];
    if (!wanted || !under || !after || !times || strcmp(wanted, call))
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path - 1);
    if (len < 0)
        return 0;
    path[len] = 0;
    if (strncmp(path, under, strlen(under)))
        return 0;
    long number = atomic_fetch_add(&made, 1) - atol(after);
    if (number < 0 || number >= atol(times))
        return 0;
    errno = EIO;
    return 1;
}

/* The function of that name that this one stands before. */
#define NEXT(name) __typeof__(&name) next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t at) {
    NEXT(pwrite64);
    return fails("pwrite", fd) ? -1 : next(fd, bytes, len, at);
}

ssize_t write(int fd, const void *bytes, size_t len) {
    NEXT(write);
    return fails("write", fd) ? -1 : next(fd, bytes, len);
}

int fdatasync(int fd) {
    NEXT(fdatasync);
    return fails("fdatasync", fd) ? -1 : next(fd);
}

int fsync(int fd) {
    NEXT(fsync);
    return fails("fsync", fd) ? -1 : next(fd);
}
