#include "drivers/trace/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void xfsz_ignore(struct sigaction *saved)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGXFSZ, &ignore, saved);
}

void xfsz_restore(const struct sigaction *saved)
{
    sigaction(SIGXFSZ, saved, NULL);
}

int directory_sync(const char *path)
{
    char *copy = strdup(path);
    if (!copy)
        return -1;
    int r = -1, fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(copy);
    if (fd < 0)
        return -1;
    if (!fsync(fd) || errno == EINVAL) /* some file systems sync no directory */
        r = 0;
    int saved = errno;
    close(fd);
    errno = saved;
    return r;
}

bool same_file(int fd, const char *name)
{
    struct stat open_one, named;
    return !fstat(fd, &open_one) && !stat(name, &named) && open_one.st_dev == named.st_dev &&
           open_one.st_ino == named.st_ino;
}
