#include "drivers/stop.h"

#include "drivers/fail.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t came;
static int ends[2]; /* of a pipe: a byte for each signal */

static struct {
    void (*late)(void *of);
    void *of;
} listener;

static void note(int number)
{
    const int before = errno;
    const unsigned char byte = (unsigned char)number;
    came = number;
    if (write(ends[1], &byte, 1) < 0) /* full: it has been told often enough */
        came = number;
    errno = before;
}

static void *listen_on(void *of)
{
    (void)of;
    struct pollfd more = {.fd = ends[0], .events = POLLIN};
    unsigned char number;
    for (;;) {
        if (read(ends[0], &number, 1) < 1 || number == SIGUSR1)
            continue;
        poll(&more, 1, STOP_PATIENCE_MS); /* or one more: whoever asks twice is in a hurry */
        listener.late(listener.of);
    }
    return NULL;
}

/* The signals themselves go to the threads that work: a handler costs them the
 * repetition that they are in, which is one to be dropped or the last. */
static int start_thread(void)
{
    sigset_t all, before;
    pthread_t thread;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int r = pthread_create(&thread, NULL, listen_on, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r)
        return fail("no thread to listen for signals: %s", strerror(r));
    pthread_setname_np(thread, "bindot-stop"); /* for top and ps */
    pthread_detach(thread);
    return 0;
}

int stop_listen(void (*late)(void *of), void *of)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGUSR1};
    listener.late = late;
    listener.of = of;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return fail("no pipe to listen for signals: %s", strerror(errno));
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    if (start_thread() < 0)
        return -1;
    struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaction(numbers[i], &action, NULL);
    return 0;
}

int stop_signal(void)
{
    return came;
}
