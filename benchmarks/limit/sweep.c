/* sweep: the limit that a fan-out can reach on this kernel with one send() for each event and socket (epoll, Linux).
 *
 *   sweep PORT FEED_PORT
 *
 * Whoever connects to PORT and sends a request head becomes a reader of everything; whoever connects to FEED_PORT writes
 * the events, each ended by a blank line. There is nothing else: no routes, no access, no filters, no ids, no memory of
 * what was said. A reader whose socket is full is cut off, since there is nowhere to keep what he missed.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define FILES 65536
#define FEED_BYTES (1 << 20)

enum { ABSENT, DOOR, FEED_DOOR, FEED, ASKING, READER };

static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
                           "Transfer-Encoding: chunked\r\n\r\n";
static uint8_t roles[FILES];
static int readers[FILES], place[FILES], reader_count, poller;
static char feed[FEED_BYTES];
static size_t feed_length;

static void die(const char *what) {
    perror(what);
    exit(2);
}

static void watch(int file, uint8_t role) {
    struct epoll_event wanted = {.events = EPOLLIN, .data.fd = file};
    if (file >= FILES || epoll_ctl(poller, EPOLL_CTL_ADD, file, &wanted)) die("epoll_ctl");
    roles[file] = role;
}

static void let_go(int file) {
    if (roles[file] == READER) {
        int last = readers[--reader_count];
        readers[place[file]] = last;
        place[last] = place[file];
    }
    roles[file] = ABSENT;
    close(file);
}

static void listen_at(int port, uint8_t role) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1, file = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(file, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(file, (struct sockaddr *)&address, sizeof address) || listen(file, 2048)) die("listen");
    watch(file, role);
}

static void welcome(int door, uint8_t role) {
    int on = 1, file;
    while ((file = accept4(door, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        setsockopt(file, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        watch(file, role);
    }
}

static void tell(const char *event, size_t length) {
    static char chunk[FEED_BYTES + 32];
    int size = snprintf(chunk, 32, "%zx\r\n", length);
    memcpy(chunk + size, event, length);
    memcpy(chunk + size + length, "\r\n", 2);
    ssize_t all = (ssize_t)((size_t)size + length + 2);
    for (int i = reader_count - 1; i >= 0; i--)
        if (send(readers[i], chunk, (size_t)all, MSG_DONTWAIT | MSG_NOSIGNAL) != all) let_go(readers[i]);
}

static void hear(int file) {
    ssize_t got = recv(file, feed + feed_length, sizeof feed - feed_length, 0);
    if (got <= 0) {
        feed_length = 0;
        let_go(file);
        return;
    }
    feed_length += (size_t)got;
    char *event = feed, *end;
    while ((end = memmem(event, feed_length - (size_t)(event - feed), "\n\n", 2))) {
        tell(event, (size_t)(end + 2 - event));
        event = end + 2;
    }
    feed_length -= (size_t)(event - feed);
    memmove(feed, event, feed_length);
}

static void ask(int file) {
    char request[8192];
    ssize_t got = recv(file, request, sizeof request, 0);
    if (got <= 0 || roles[file] == READER) {
        if (got <= 0) let_go(file);
        return;
    }
    if (!memmem(request, (size_t)got, "\r\n\r\n", 4)) return;
    if (send(file, head, sizeof head - 1, MSG_NOSIGNAL) < 0) {
        let_go(file);
        return;
    }
    roles[file] = READER;
    place[file] = reader_count;
    readers[reader_count++] = file;
}

int main(int count, char **arguments) {
    static struct epoll_event ready[1024];
    struct rlimit files;
    if (count != 3) {
        fprintf(stderr, "usage: sweep PORT FEED_PORT\n");
        return 2;
    }
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if ((poller = epoll_create1(0)) < 0) die("epoll_create1");
    listen_at(atoi(arguments[1]), DOOR);
    listen_at(atoi(arguments[2]), FEED_DOOR);
    printf("ready\n");
    fflush(stdout);
    for (;;) {
        int waiting = epoll_wait(poller, ready, 1024, -1);
        for (int i = 0; i < waiting; i++) {
            int file = ready[i].data.fd;
            if (roles[file] == DOOR) welcome(file, ASKING);
            else if (roles[file] == FEED_DOOR) welcome(file, FEED);
            else if (roles[file] == FEED) hear(file);
            else if (roles[file] != ABSENT) ask(file);
        }
    }
}
