/* An SMTP server that takes everything and does as little as it can: where smtp-sink is the limit, this one is not.
 *
 * Offers PIPELINING, answers many commands with one write, and looks at a message only for its final dot.
 * Usage: light_sink PORT, on 127.0.0.1.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOM = 1 << 18, MOST = 4096 };

struct client {
    int fd;
    int in_message;     /* between DATA and the final dot */
    size_t held;        /* octets of an unfinished line, or of a possible final dot, in `kept` */
    char kept[1024];
};

static struct client clients[MOST];
static char input[ROOM + 1024], output[1 << 16];
static size_t pending;

static void reply(const char *text) {
    size_t length = strlen(text);
    if (pending + length <= sizeof output) {
        memcpy(output + pending, text, length);
        pending += length;
    }
}

/* Answers one command; returns 0 when the connection ends. */
static int command(struct client *client, const char *line) {
    if (!strncasecmp(line, "EHLO", 4)) reply("250-light\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 0\r\n");
    else if (!strncasecmp(line, "DATA", 4)) { client->in_message = 1; reply("354 go ahead\r\n"); }
    else if (!strncasecmp(line, "QUIT", 4)) { reply("221 bye\r\n"); return 0; }
    else reply("250 ok\r\n");
    return 1;
}

/* Goes through what came; returns 0 when the connection ends. */
static int read_client(struct client *client) {
    memcpy(input, client->kept, client->held);
    ssize_t count = recv(client->fd, input + client->held, ROOM, 0);
    if (count <= 0) return count < 0 && (errno == EAGAIN || errno == EINTR);
    char *at = input, *end = input + client->held + count;
    while (at < end) {
        if (client->in_message) {
            char *dot = memmem(at, end - at, "\r\n.\r\n", 5);
            if (!dot) { at = end - at > 4 ? end - 4 : at; break; }
            client->in_message = 0;
            reply("250 2.0.0 taken\r\n");
            at = dot + 5;
        } else {
            char *newline = memchr(at, '\n', end - at);
            if (!newline) break;
            if (!command(client, at)) return 0;
            at = newline + 1;
        }
    }
    client->held = end - at;
    if (client->held > sizeof client->kept) return 0;
    memcpy(client->kept, at, client->held);
    return 1;
}

int main(int count, char **words) {
    int yes = 1, server = socket(AF_INET, SOCK_STREAM, 0), poll = epoll_create1(0);
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(count > 1 ? atoi(words[1]) : 0)};
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(server, (struct sockaddr *)&here, sizeof here) || listen(server, 512)) return perror("light_sink"), 1;
    struct epoll_event event = {.events = EPOLLIN, .data.fd = server}, events[256];
    epoll_ctl(poll, EPOLL_CTL_ADD, server, &event);
    for (;;) {
        int ready = epoll_wait(poll, events, 256, -1);
        for (int number = 0; number < ready; number++) {
            int fd = events[number].data.fd, alive = 1;
            pending = 0;
            if (fd == server) {
                fd = accept4(server, NULL, NULL, SOCK_NONBLOCK);
                if (fd < 0) continue;
                if (fd >= MOST) { close(fd); continue; }
                clients[fd] = (struct client){.fd = fd};
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
                event.data.fd = fd;
                epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
                reply("220 light ESMTP\r\n");
            } else alive = read_client(&clients[fd]);
            if (pending && send(fd, output, pending, MSG_NOSIGNAL) < 0) alive = 0;
            if (!alive) close(fd);
        }
    }
}
