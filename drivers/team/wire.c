#include "drivers/team/wire.h"

#include "drivers/fail.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    CONNECT_S = 3, /* an address may lead nowhere */
    ANSWER_S = 30, /* a process may wait for a core */
    QUIET_S = 30,  /* the kernel asks a silent node whether it is there, */
    AGAIN_S = 10,  /* and again, */
    TRIES = 3      /* so often */
};

void wire_card(struct wire_card *mine, int rank)
{
    *mine = (struct wire_card){.rank = rank};
    gethostname(mine->host, sizeof mine->host - 1);
    /* So few bytes come whole or, before the system has any, after a wait. */
    while (getrandom(mine->asks, sizeof mine->asks, 0) < 0 ||
           getrandom(mine->answers, sizeof mine->answers, 0) < 0)
        ;
}

static int near_door(struct wire_card *mine)
{
    struct sockaddr_un any = {.sun_family = AF_UNIX};
    struct wire_address *own = &mine->addresses[0];
    own->length = sizeof own->socket;
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    /* No name but the family: the kernel finds a free one, outside the file system. */
    if (fd < 0 || bind(fd, (void *)&any, sizeof any.sun_family) < 0 || listen(fd, SOMAXCONN) < 0 ||
        getsockname(fd, (void *)&own->socket, &own->length) < 0) {
        fail("no socket for the processes of this node: %s", strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    mine->naddresses = 1;
    return fd;
}

/* Every address of this host that another one could call. */
static void list_addresses(struct wire_card *mine, in_port_t port)
{
    struct ifaddrs *all;
    if (getifaddrs(&all) < 0)
        return;
    for (const struct ifaddrs *i = all; i && mine->naddresses < WIRE_ADDRESSES; i = i->ifa_next) {
        struct wire_address *to = &mine->addresses[mine->naddresses];
        if (!i->ifa_addr || !(i->ifa_flags & IFF_UP) || i->ifa_flags & IFF_LOOPBACK)
            continue;
        if (i->ifa_addr->sa_family == AF_INET) {
            struct sockaddr_in *four = memcpy(&to->socket, i->ifa_addr, sizeof *four);
            four->sin_port = port;
            to->length = sizeof *four;
        } else if (i->ifa_addr->sa_family == AF_INET6) {
            struct sockaddr_in6 *six = memcpy(&to->socket, i->ifa_addr, sizeof *six);
            if (IN6_IS_ADDR_LINKLOCAL(&six->sin6_addr))
                continue;
            six->sin6_port = port;
            to->length = sizeof *six;
        } else
            continue;
        mine->naddresses++;
    }
    freeifaddrs(all);
}

static int far_door(struct wire_card *mine)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT};
    struct sockaddr_in any4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
    struct sockaddr_storage own;
    socklen_t length = sizeof own;
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), off = 0;
    bool bound = fd >= 0 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) == 0 &&
                 bind(fd, (void *)&any, sizeof any) == 0;
    if (!bound) { /* a kernel without the sixth version */
        if (fd >= 0)
            close(fd);
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        bound = fd >= 0 && bind(fd, (void *)&any4, sizeof any4) == 0;
    }
    if (!bound || listen(fd, SOMAXCONN) < 0 || getsockname(fd, (void *)&own, &length) < 0) {
        fail("no socket for the other nodes: %s", strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    /* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): getsockname has filled it */
    list_addresses(mine, ((struct sockaddr_in *)&own)->sin_port); /* the same place in both */
    return fd;
}

int wire_listen(int doors[WIRE_DOORS], struct wire_card *mine, bool far)
{
    doors[WIRE_FAR] = -1;
    doors[WIRE_NEAR] = near_door(mine);
    if (doors[WIRE_NEAR] < 0)
        return -1;
    if (far)
        doors[WIRE_FAR] = far_door(mine);
    return far && doors[WIRE_FAR] < 0 ? -1 : 0;
}

/* Waiting has an end while two processes get to know each other. */
static void set_patience(int fd, int seconds)
{
    const struct timeval time = {.tv_sec = seconds};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time); /* also of connect */
}

/* A process that dies closes its connection; a node that dies does not. */
static void ask_if_silent(int fd)
{
    const int on = 1, quiet = QUIET_S, again = AGAIN_S, tries = TRIES;
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &quiet, sizeof quiet);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &again, sizeof again);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &tries, sizeof tries);
}

static struct wire_word hello(const struct wire_card *mine, const uint8_t *secret)
{
    struct wire_word word = {.kind = WIRE_HELLO, .rank = mine->rank};
    memcpy(word.host, mine->host, sizeof word.host);
    memcpy(word.secret, secret, sizeof word.secret);
    return word;
}

static bool is_hello(const struct wire_word *word, const uint8_t *secret)
{
    return word->kind == WIRE_HELLO && !memcmp(word->secret, secret, sizeof word->secret);
}

static int dial_address(const struct wire_address *at, const struct wire_card *to,
                        const struct wire_card *mine)
{
    const int fd = socket(at->socket.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    const struct wire_word question = hello(mine, to->asks);
    struct wire_word answer;
    set_patience(fd, CONNECT_S);
    if (connect(fd, (const void *)&at->socket, at->length) == 0) {
        set_patience(fd, ANSWER_S);
        wire_say(fd, &question);
        if (wire_hear(fd, &answer) && is_hello(&answer, to->answers)) {
            set_patience(fd, 0);
            return fd;
        }
        wire_say(fd, &(struct wire_word){.kind = WIRE_BYE}); /* whoever it is: no death */
    }
    close(fd);
    return -1;
}

int wire_dial(const struct wire_card *to, const struct wire_card *mine, bool far)
{
    for (int i = far ? 1 : 0; i < (far ? to->naddresses : 1); i++) {
        const int fd = dial_address(&to->addresses[i], to, mine);
        if (fd < 0)
            continue;
        if (far)
            ask_if_silent(fd);
        return fd;
    }
    return fail("rank %d on %s cannot be reached from %s", to->rank, to->host, mine->host);
}

int wire_accept(int door, const struct wire_card *mine, struct wire_word *said)
{
    const int fd = accept4(door, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return -1;
    set_patience(fd, ANSWER_S);
    if (!wire_hear(fd, said) || !is_hello(said, mine->asks)) {
        close(fd);
        return -1;
    }
    said->host[WIRE_HOST - 1] = '\0';
    set_patience(fd, 0);
    ask_if_silent(fd);
    const struct wire_word answer = hello(mine, mine->answers);
    wire_say(fd, &answer);
    return fd;
}

void wire_say(int fd, const struct wire_word *word)
{
    while (send(fd, word, sizeof *word, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EINTR)
        ;
}

bool wire_hear(int fd, struct wire_word *word)
{
    size_t got = 0;
    while (got < sizeof *word) {
        const ssize_t n = recv(fd, (char *)word + got, sizeof *word - got, 0);
        if (n == 0 || (n < 0 && errno != EINTR))
            return false;
        got += n > 0 ? (size_t)n : 0;
    }
    return true;
}
