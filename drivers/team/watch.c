#include "drivers/team/watch.h"

#include "drivers/fail.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

enum { LAUNCHER = -1, HEARD_US = 500000 };

enum place { BELL, PARENT, NEAR, FAR, OTHERS }; /* in the list of what is slept on */
enum role { CHILD, LEAD, NEXT, BEFORE };

struct peer {
    int fd; /* -1: it said goodbye */
    int rank;
    enum role role;
    char host[WIRE_HOST];
};

struct watch {
    struct watch_place place;
    struct ranks_fate fate;
    struct wire_card card;
    pthread_t thread;
    pthread_mutex_t lock; /* peers, npeers, hurried, over */
    struct peer *peers;
    size_t npeers, room;
    uint8_t family[WIRE_SECRET]; /* the same in all of a node but its first process */
    bool hurried, over;
    struct pollfd *fds; /* [OTHERS + room] */
};

static bool leads_node(const struct watch *w)
{
    return w->place.local == 0;
}

static void ring(struct watch *w)
{
    const uint64_t one = 1;
    while (write(w->fds[BELL].fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

/* Returns whether all are there now. */
static bool add_peer(struct watch *w, int fd, int rank, const char *host, enum role role)
{
    pthread_mutex_lock(&w->lock);
    struct peer *peer = &w->peers[w->npeers++];
    *peer = (struct peer){.fd = fd, .rank = rank, .role = role};
    memcpy(peer->host, host, sizeof peer->host);
    const bool all = w->npeers == w->room;
    pthread_mutex_unlock(&w->lock);
    ring(w);
    return all;
}

/* ---- words ---- */

/* To all but the one that it came from. */
static void tell(struct watch *w, const struct peer *from, const struct wire_word *word)
{
    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < w->npeers; i++)
        if (&w->peers[i] != from && w->peers[i].fd >= 0)
            wire_say(w->peers[i].fd, word);
    pthread_mutex_unlock(&w->lock);
}

/* Of the processes of a node whose first one is lost, one may speak: a name of the
 * kernel's can be taken once, and it is held until the others have tried. */
static bool claim(const struct watch *w)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    memcpy(name.sun_path + 1, w->family, sizeof w->family); /* a zero byte before it: no file */
    const socklen_t length = offsetof(struct sockaddr_un, sun_path) + 1 + sizeof w->family;
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd < 0 || bind(fd, (void *)&name, length) == 0;
}

/* Exactly one process tells the user: for one that is not the first of its node, the
 * first; for that one, the first of the next node, or whoever claims it. */
static bool should_tell(struct watch *w, int rank)
{
    if (rank == LAUNCHER)
        return leads_node(w);
    if (!leads_node(w))
        return w->place.nodes == 1 && claim(w);
    bool mine = false;
    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < w->npeers; i++)
        mine |= w->peers[i].rank == rank && w->peers[i].role != NEXT;
    pthread_mutex_unlock(&w->lock);
    return mine;
}

/* Word goes round before the user is told: a launcher may be quick to kill. */
static _Noreturn void end_lost(struct watch *w, const struct peer *from, struct wire_word word)
{
    char who[WIRE_HOST + 64];
    const bool mine = !word.number && should_tell(w, word.rank);
    word.number |= mine;
    tell(w, from, &word);
    if (word.rank == LAUNCHER)
        snprintf(who, sizeof who, "the launcher on %s", word.host);
    else
        snprintf(who, sizeof who, "rank %d on %s", word.rank, word.host);
    w->fate.lost(w->fate.of, mine ? who : NULL);
    if (mine)
        usleep(HEARD_US);
    _exit(EXIT_FAILURE);
}

static _Noreturn void end_quietly(struct watch *w, const struct peer *from,
                                  const struct wire_word *word)
{
    tell(w, from, word);
    _exit(word->number);
}

/* The lead stops the run; the others hand the wish on, once. */
static void hurry(struct watch *w, const struct peer *from, int why)
{
    pthread_mutex_lock(&w->lock);
    const bool again = w->hurried;
    w->hurried = true;
    pthread_mutex_unlock(&w->lock);
    if (w->place.rank == 0)
        w->fate.stop(w->fate.of, why);
    else if (!again)
        tell(w, from, &(struct wire_word){.kind = WIRE_STOP, .number = why});
}

static void leave_peer(struct watch *w, struct peer *peer)
{
    pthread_mutex_lock(&w->lock);
    close(peer->fd);
    peer->fd = -1;
    pthread_mutex_unlock(&w->lock);
}

static void hear(struct watch *w, struct peer *peer)
{
    struct wire_word word;
    if (!wire_hear(peer->fd, &word)) {
        word = (struct wire_word){.kind = WIRE_LOST, .rank = peer->rank};
        memcpy(word.host, peer->host, sizeof word.host);
    }
    word.host[WIRE_HOST - 1] = '\0';
    switch (word.kind) {
    case WIRE_LOST:
        end_lost(w, peer, word);
    case WIRE_END:
        end_quietly(w, peer, &word);
    case WIRE_STOP:
        hurry(w, peer, word.number);
        break;
    case WIRE_BYE:
        leave_peer(w, peer);
        break;
    }
}

/* ---- the thread ---- */

static void let_in(struct watch *w, enum place door)
{
    struct wire_word said;
    const int fd = wire_accept(w->fds[door].fd, &w->card, &said);
    if (fd < 0)
        return;
    if (!add_peer(w, fd, said.rank, said.host, door == NEAR ? CHILD : BEFORE))
        return;
    for (int i = NEAR; i <= FAR; i++) { /* everybody is here */
        close(w->fds[i].fd);
        w->fds[i].fd = -1;
    }
}

/* What to sleep on: places without a descriptor are passed over. */
static size_t list_peers(struct watch *w)
{
    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < w->npeers; i++)
        w->fds[OTHERS + i] = (struct pollfd){.fd = w->peers[i].fd, .events = POLLIN};
    const size_t n = OTHERS + w->npeers;
    pthread_mutex_unlock(&w->lock);
    return n;
}

/* Asked after each sleep: an ended connection may be the answer to our own goodbye. */
static bool is_over(struct watch *w)
{
    pthread_mutex_lock(&w->lock);
    const bool over = w->over;
    pthread_mutex_unlock(&w->lock);
    return over;
}

static void lose_launcher(struct watch *w)
{
    struct wire_word word = {.kind = WIRE_LOST, .rank = LAUNCHER};
    memcpy(word.host, w->card.host, sizeof word.host);
    end_lost(w, NULL, word);
}

static void *stand_watch(void *of)
{
    struct watch *w = of;
    for (;;) {
        const size_t n = list_peers(w);
        const int ready = poll(w->fds, n, -1);
        if (is_over(w))
            return NULL;
        if (ready < 0)
            continue;
        for (size_t i = OTHERS; i < n; i++)
            if (w->fds[i].revents)
                hear(w, &w->peers[i - OTHERS]);
        for (int door = NEAR; door <= FAR; door++)
            if (w->fds[door].revents)
                let_in(w, (enum place)door);
        if (w->fds[PARENT].revents)
            lose_launcher(w);
        uint64_t times;
        if (w->fds[BELL].revents && read(w->fds[BELL].fd, &times, sizeof times) < 0)
            continue;
    }
}

/* Signals belong to the thread that works. */
static int start_thread(struct watch *w)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int r = pthread_create(&w->thread, NULL, stand_watch, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r == 0)
        pthread_setname_np(w->thread, "bindot-watch"); /* for top and ps */
    return r ? fail("no thread to watch the other processes: %s", strerror(r)) : 0;
}

/* ---- life ---- */

/* A descriptor of the parent, readable when it is gone; an older kernel has none,
 * and kills without a word. */
static int parent_descriptor(void)
{
    const pid_t parent = getppid();
    const int fd = (int)syscall(SYS_pidfd_open, parent, 0);
    if (fd < 0 && errno == ENOSYS)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it died meanwhile */
        raise(SIGKILL);
    return fd;
}

static size_t count_peers(const struct watch_place *p)
{
    return p->local > 0 ? 1 : (size_t)(p->locals - 1) + (p->nodes > 1 ? 2 : 0);
}

static int open_doors(struct watch *w)
{
    int doors[WIRE_DOORS];
    if (!leads_node(w) || !w->room)
        return 0;
    const int r = wire_listen(doors, &w->card, w->place.nodes > 1);
    w->fds[NEAR].fd = doors[WIRE_NEAR];
    w->fds[FAR].fd = doors[WIRE_FAR];
    return r;
}

int watch_open(struct watch **out, const struct watch_place *place, const struct ranks_fate *fate,
               struct wire_card *mine)
{
    struct watch *w = calloc(1, sizeof *w);
    if (!w)
        return fail("out of memory");
    *w = (struct watch){.place = *place, .fate = *fate, .room = count_peers(place)};
    pthread_mutex_init(&w->lock, NULL);
    wire_card(&w->card, place->rank);
    w->peers = calloc(w->room + 1, sizeof *w->peers);
    w->fds = calloc(OTHERS + w->room, sizeof *w->fds);
    int r = w->peers && w->fds ? 0 : fail("out of memory");
    assert(r != 0 || w->fds);
    for (int i = 0; r == 0 && i < OTHERS; i++)
        w->fds[i] = (struct pollfd){.fd = -1, .events = POLLIN};
    if (r == 0 && (w->fds[BELL].fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0)
        r = fail("no descriptor to watch the other processes: %s", strerror(errno));
    if (r == 0 && place->launched)
        w->fds[PARENT].fd = parent_descriptor();
    if (r == 0)
        r = open_doors(w);
    if (r == 0)
        r = start_thread(w);
    *mine = w->card;
    *out = r == 0 ? w : NULL; /* what is open stays so: the run goes on without a watch */
    return r;
}

int watch_join(struct watch *w, const struct wire_card *lead, const struct wire_card *next)
{
    const struct wire_card *const to = leads_node(w) ? next : lead;
    if (leads_node(w) && w->place.nodes == 1)
        return 0;
    const int fd = wire_dial(to, &w->card, leads_node(w));
    if (fd < 0)
        return -1;
    memcpy(w->family, to->asks, sizeof w->family);
    add_peer(w, fd, to->rank, to->host, leads_node(w) ? NEXT : LEAD);
    return 0;
}

void watch_close(struct watch **watch)
{
    struct watch *w = *watch;
    if (!w)
        return;
    *watch = NULL;
    pthread_mutex_lock(&w->lock);
    w->over = true;
    pthread_mutex_unlock(&w->lock);
    tell(w, NULL, &(struct wire_word){.kind = WIRE_BYE});
    ring(w);
    pthread_join(w->thread, NULL);
    for (size_t i = 0; i < OTHERS; i++)
        if (w->fds[i].fd >= 0)
            close(w->fds[i].fd);
    for (size_t i = 0; i < w->npeers; i++)
        if (w->peers[i].fd >= 0)
            close(w->peers[i].fd);
    pthread_mutex_destroy(&w->lock);
    free(w->peers);
    free(w->fds);
    free(w);
}

void watch_hurry(struct watch *w, int why)
{
    hurry(w, NULL, why);
}

void watch_leave(struct watch *w, int status)
{
    end_quietly(w, NULL, &(struct wire_word){.kind = WIRE_END, .number = status});
}
