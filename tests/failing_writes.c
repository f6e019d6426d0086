/* For LD_PRELOAD: the k-th call that changes a file fails, once or from then on.
 *
 *   FAILING_AT=k       1, 2, ...; 0: none
 *   FAILING_EVER=1     every later call too: the disk stays full
 *   FAILING_UNDER=dir  only files whose names begin so: MPI writes, too
 *   FAILING_ERRNO=n    instead of ENOSPC
 *   FAILING_LOCK=n     flock fails with that number
 *   FAILING_PIPE=n     pipe2 fails with that number
 *   FAILING_HOW=error      ENOSPC
 *               short      writes only: half of the bytes
 *               interrupt  writes only: EINTR
 *               old        no fault, but a kernel without renameat2
 *   FAILING_LOG=file   at exit, of a process with such calls: a letter per call, as
 *                      w(rite) p(write) t(runcate) f(sync) d(atasync) r(ename)
 *
 * Raw system calls: what is replaced here cannot be called. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static char calls[4096];
static long ncalls;

static int is_how(const char *word)
{
    const char *how = getenv("FAILING_HOW");
    return how && !strcmp(how, word);
}

/* Is this one of the files that are meant? */
static int is_under(int fd)
{
    const char *under = getenv("FAILING_UNDER");
    char link[64], path[4096];
    if (!under || fd < 0)
        return 1;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t n = readlink(link, path, sizeof path);
    return n > 0 && !strncmp(path, under, strlen(under));
}

/* 0: go on; 1: fail with errno set; 2: do only half. */
static int fails(char call, int fd)
{
    const char *at = getenv("FAILING_AT"), *number = getenv("FAILING_ERRNO");
    if (!is_under(fd))
        return 0;
    if (ncalls < (long)sizeof calls)
        calls[ncalls] = call;
    ncalls++;
    if (!at || !atol(at) || (getenv("FAILING_EVER") ? ncalls < atol(at) : ncalls != atol(at)))
        return 0;
    if (is_how("short"))
        return 2;
    errno = is_how("interrupt") ? EINTR : number ? atoi(number) : ENOSPC;
    return 1;
}

static int refuses(char call, int fd)
{
    return fails(call, fd) == 1 && errno != EINTR;
}

__attribute__((destructor)) static void log_write(void)
{
    const char *path = getenv("FAILING_LOG");
    if (!path || !ncalls)
        return;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    syscall(SYS_write, fd, calls, ncalls < (long)sizeof calls ? ncalls : (long)sizeof calls);
    syscall(SYS_close, fd);
}

ssize_t write(int fd, const void *bytes, size_t n)
{
    int how = fd > STDERR_FILENO ? fails('w', fd) : 0;
    return how == 1 ? -1 : syscall(SYS_write, fd, bytes, how && n > 1 ? n / 2 : n);
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t offset)
{
    int how = fails('p', fd);
    return how == 1 ? -1 : syscall(SYS_pwrite64, fd, bytes, how && n > 1 ? n / 2 : n, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t offset)
{
    return pwrite(fd, bytes, n, offset);
}

int ftruncate(int fd, off_t length)
{
    return refuses('t', fd) ? -1 : (int)syscall(SYS_ftruncate, fd, length);
}

int ftruncate64(int fd, off64_t length)
{
    return ftruncate(fd, length);
}

int fsync(int fd)
{
    return refuses('f', fd) ? -1 : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return refuses('d', fd) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
    if (is_how("old"))
        errno = ENOSYS;
    return is_how("old") || refuses('r', -1)
               ? -1
               : (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, flags);
}

/* Does that variable tell a call to fail? Then errno is set. */
static int is_told(const char *variable)
{
    const char *number = getenv(variable);
    if (number)
        errno = atoi(number);
    return !!number;
}

int flock(int fd, int operation)
{
    return is_told("FAILING_LOCK") ? -1 : (int)syscall(SYS_flock, fd, operation);
}

int pipe2(int ends[2], int flags)
{
    return is_told("FAILING_PIPE") ? -1 : (int)syscall(SYS_pipe2, ends, flags);
}
