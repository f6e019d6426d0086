/* wire.h: connections between the processes of a run, and the words said on
 * them. Knows sockets; knows neither MPI nor what a word leads to. */
#ifndef BINDOT_WIRE_H
#define BINDOT_WIRE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum { WIRE_HOST = 64, WIRE_SECRET = 16, WIRE_ADDRESSES = 8 };

struct wire_address {
    socklen_t length;
    struct sockaddr_storage socket;
};

struct wire_card { /* how to reach a process: a plain value that others may carry */
    int rank;
    char host[WIRE_HOST];
    uint8_t asks[WIRE_SECRET], answers[WIRE_SECRET]; /* who does not know them is a stranger */
    int naddresses;
    struct wire_address addresses[WIRE_ADDRESSES]; /* the first: inside the node */
};

enum wire_kind { WIRE_HELLO = 1, WIRE_BYE, WIRE_LOST, WIRE_STOP, WIRE_END };

struct wire_word {
    uint32_t kind;
    int32_t rank;   /* HELLO: the speaker; LOST: who, -1 for the launcher */
    int32_t number; /* LOST: has somebody told the user? STOP: why; END: exit status */
    char host[WIRE_HOST];
    uint8_t secret[WIRE_SECRET]; /* HELLO: of the one who is called */
};

enum { WIRE_NEAR, WIRE_FAR, WIRE_DOORS };

/* Who this process is, without an address yet. */
void wire_card(struct wire_card *mine, int rank);
/* Opens the doors: for callers of this node and, if far, of others; -1 where there
 * is none. Adds the addresses to the card. -1: fail.h. */
int wire_listen(int doors[WIRE_DOORS], struct wire_card *mine, bool far);
/* A connection to that process, made and answered; -1: fail.h. far: it is on
 * another node. */
int wire_dial(const struct wire_card *to, const struct wire_card *mine, bool far);
/* One caller at a door: its connection, answered, and who it is; -1: a stranger. */
int wire_accept(int door, const struct wire_card *mine, struct wire_word *hello);

void wire_say(int fd, const struct wire_word *); /* never waits */
bool wire_hear(int fd, struct wire_word *);      /* false: the connection is over */

#endif
