/* crowd: many readers of server-sent events in one thread (epoll, Linux). What they get, how late, and whether it is whole.
 *
 *   crowd HOST PORT STREAMS TARGETS
 *
 * TARGETS is a file of lines "PATH" or "PATH TOKEN"; stream i takes line i modulo their number, and sends the token as
 * a bearer. Then commands are read from standard input, one a line, and each is answered by one line of JSON:
 *
 *   open LIMIT_S    opens every stream; answered when each has had its first event, or was refused, or LIMIT_S later
 *   warm SECONDS    reads on
 *   measure SECONDS reads on and counts
 *   stall PERCENT   so many of the streams stop reading from here on, spread evenly
 *   resume AWAY_S   cuts every stream at once, comes back AWAY_S later with the last id of each; answered when each has
 *                   had its first event that was published after it began to reconnect, so all of what it had missed
 *   rest            lets every stream go
 *
 * Checked of each stream, over its reconnections: `seq` only grows, and `prev_seq` is the `seq` that its ticker had
 * last (`last_seq` of a snapshot counts as had). Fields are found by text, never by a parser: the first `"name":`.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define READ_BYTES (256 * 1024)
#define AT_ONCE 256             /* connections under way while opening */
#define RESUME_LIMIT_S 20.0
#define ID_BYTES 80
#define HINTS 64
#define BUCKET_BITS 7           /* 128 buckets to each power of two: quantiles are exact to 0.8 % */
#define BUCKETS (64 << BUCKET_BITS)

typedef struct {
    uint64_t counts[BUCKETS], count, max;
} Histogram;

typedef struct {
    const char *pattern;
    size_t length, hints[HINTS];                /* where it was found last, by the length of the text */
} Field;

enum { AT_TIMESTAMP, AT_RECEIVED, AT_PUBLISHED, TIMES };
static Field time_fields[TIMES] = {{"\"timestamp\":", 12, {0}}, {"\"received_us\":", 14, {0}}, {"\"published_us\":", 15, {0}}};
static const char *time_names[TIMES] = {"timestamp", "received_us", "published_us"};
static const uint64_t time_scale[TIMES] = {1000, 1, 1};    /* to microseconds */
static Field seq_field = {"\"seq\":", 6, {0}}, prev_field = {"\"prev_seq\":", 11, {0}}, last_field = {"\"last_seq\":", 11, {0}},
             ticker_field = {"\"ticker\":", 9, {0}};

enum { ABSENT, CONNECTING, HEAD, BODY, GONE };
enum { SIZE, SIZE_END, DATA, DATA_END };
enum { MESSAGE, SNAPSHOT, LINKED, OTHER };      /* LINKED: status and gap, in the chain of their ticker as ticks are */

typedef struct {
    uint64_t ticker, seq;
} Link;

typedef struct {
    int fd;
    uint8_t state, part, kind, chunked, stalled, slow, awaited;
    uint64_t left;                              /* bytes of this chunk that are still to come */
    char *kept;                                 /* an unfinished head or line */
    size_t kept_length, kept_room;
    char *data;                                 /* the data line of this event */
    size_t data_length, data_room;
    char next_id[ID_BYTES], id[ID_BYTES];
    uint64_t seq, events, dialled_us;
    Link *chain;
    uint32_t chain_length, chain_room;
} Stream;

typedef struct {
    uint64_t events, bytes, breaks, doubled;
} Tally;

static Histogram latency[TIMES], first_event;
static Tally quick, slow;
static Stream *streams;
static char **paths, **tokens;
static char *host;
static int port, stream_count, target_count, poller, under_way, opened, refused, ended, awaiting;
static bool measuring;
static uint64_t read_us;

static void die(const char *what) {
    perror(what);
    exit(2);
}

static double monotonic_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static uint64_t wall_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* ---- histograms ---- */

static void note(Histogram *histogram, uint64_t value_us) {
    unsigned bucket = (unsigned)value_us;
    if (value_us >> (BUCKET_BITS + 1)) {
        unsigned shift = 63 - (unsigned)__builtin_clzll(value_us) - BUCKET_BITS;
        bucket = (shift << BUCKET_BITS) + (unsigned)(value_us >> shift);
    }
    histogram->counts[bucket]++;
    histogram->count++;
    if (value_us > histogram->max) histogram->max = value_us;
}

static uint64_t quantile(const Histogram *histogram, double share) {
    uint64_t rank = (uint64_t)(share * (double)histogram->count), seen = 0;
    for (unsigned bucket = 0; bucket < BUCKETS; bucket++) {
        seen += histogram->counts[bucket];
        if (seen > rank) {
            if (bucket < (2u << BUCKET_BITS)) return bucket;
            unsigned shift = (bucket >> BUCKET_BITS) - 1;
            return (uint64_t)(bucket - (shift << BUCKET_BITS)) << shift;
        }
    }
    return histogram->max;
}

static void print_histogram(const char *name, const Histogram *histogram) {
    printf("\"%s\":{\"count\":%" PRIu64 ",\"p50\":%" PRIu64 ",\"p90\":%" PRIu64 ",\"p99\":%" PRIu64 ",\"p999\":%" PRIu64
           ",\"max\":%" PRIu64 "}",
           name, histogram->count, quantile(histogram, .5), quantile(histogram, .9), quantile(histogram, .99),
           quantile(histogram, .999), histogram->max);
}

/* ---- fields ---- */

/* Where a field's value begins. Events of one kind and length look alike: the place of the last one is tried first. */
static const char *value_of(Field *field, const char *text, size_t length) {
    size_t *hint = &field->hints[length % HINTS];
    if (*hint + field->length < length && !memcmp(text + *hint, field->pattern, field->length))
        return text + *hint + field->length;
    const char *found = memmem(text, length, field->pattern, field->length);
    if (!found) return NULL;
    *hint = (size_t)(found - text);
    return found + field->length;
}

/* The data line is followed by a line end in its buffer, so a number always ends. */
static bool number_of(Field *field, const char *text, size_t length, uint64_t *number) {
    const char *at = value_of(field, text, length);
    if (!at) return false;
    while (*at == ' ') at++;
    if (*at < '0' || *at > '9') return false;
    for (*number = 0; *at >= '0' && *at <= '9'; at++) *number = *number * 10 + (uint64_t)(*at - '0');
    return true;
}

static uint64_t ticker_of(const char *text, size_t length) {
    const char *at = value_of(&ticker_field, text, length), *end = text + length;
    if (!at) return 1;
    uint64_t hash = 14695981039346656037u;      /* FNV-1a */
    while (at < end && (*at == ' ' || *at == '"')) at++;
    for (; at < end && *at != '"'; at++) hash = (hash ^ (uint8_t)*at) * 1099511628211u;
    return hash ? hash : 1;
}

static Link *link_of(Stream *stream, uint64_t ticker, bool *is_new) {
    for (uint32_t i = 0; i < stream->chain_length; i++)
        if (stream->chain[i].ticker == ticker) {
            *is_new = false;
            return &stream->chain[i];
        }
    if (stream->chain_length == stream->chain_room) {
        stream->chain_room = stream->chain_room ? stream->chain_room * 2 : 2;
        stream->chain = realloc(stream->chain, stream->chain_room * sizeof *stream->chain);
        if (!stream->chain) die("realloc");
    }
    *is_new = true;
    stream->chain[stream->chain_length] = (Link){ticker, 0};
    return &stream->chain[stream->chain_length++];
}

/* ---- one event ---- */

static void check(Stream *stream, Tally *tally, const char *text, size_t length) {
    uint64_t seq = 0, before = 0;
    bool is_new, has_seq = number_of(&seq_field, text, length, &seq);
    if (stream->kind == SNAPSHOT) {
        bool has_last = number_of(&last_field, text, length, &seq);
        Link *link = link_of(stream, ticker_of(text, length), &is_new);
        link->seq = has_last ? seq : 0;
        return;
    }
    if (!has_seq) return;
    bool has_before = number_of(&prev_field, text, length, &before);
    Link *link = link_of(stream, ticker_of(text, length), &is_new);
    if (seq <= stream->seq) tally->doubled++;
    else {
        if (!is_new && link->seq != (has_before ? before : 0)) tally->breaks++;
        stream->seq = seq;
    }
    link->seq = seq;
}

static void dispatch(Stream *stream) {
    const char *text = stream->data;
    size_t length = stream->data_length;
    Tally *tally = stream->slow ? &slow : &quick;
    if (*stream->next_id) memcpy(stream->id, stream->next_id, ID_BYTES);
    if (stream->kind != OTHER) check(stream, tally, text, length);
    if (stream->awaited == 1) {                 /* its first event since it was opened */
        stream->awaited = 0;
        awaiting--;
    }
    if (stream->kind == MESSAGE) {
        uint64_t told;
        stream->events++;
        if (measuring) tally->events++;
        if (measuring && !stream->slow)
            for (int i = 0; i < TIMES; i++)
                if (number_of(&time_fields[i], text, length, &told)) {
                    told *= time_scale[i];
                    note(&latency[i], read_us > told ? read_us - told : 0);
                }
        if (stream->awaited == 2 && number_of(&time_fields[AT_PUBLISHED], text, length, &told) && told >= stream->dialled_us) {
            stream->awaited = 0;
            awaiting--;
            note(&first_event, read_us - stream->dialled_us);
        }
    }
}

static void keep(char **buffer, size_t *length, size_t *room, const char *bytes, size_t count) {
    if (*length + count + 1 > *room) {
        *room = (*length + count + 1) * 2;
        if (!(*buffer = realloc(*buffer, *room))) die("realloc");
    }
    memcpy(*buffer + *length, bytes, count);
    *length += count;
    (*buffer)[*length] = '\n';
}

static void take_line(Stream *stream, const char *line, size_t length) {
    if (length && line[length - 1] == '\r') length--;
    if (!length) {
        if (stream->data_length) dispatch(stream);
        stream->data_length = 0;
        stream->kind = MESSAGE;
        *stream->next_id = 0;
    } else if (length > 5 && !memcmp(line, "data:", 5)) {
        keep(&stream->data, &stream->data_length, &stream->data_room, line + 5, length - 5);
    } else if (length > 3 && !memcmp(line, "id:", 3)) {
        const char *id = line + 3 + (line[3] == ' ');
        size_t count = length - (size_t)(id - line);
        if (count < ID_BYTES) {
            memcpy(stream->next_id, id, count);
            stream->next_id[count] = 0;
        }
    } else if (length > 6 && !memcmp(line, "event:", 6)) {
        const char *name = line + 6 + (line[6] == ' ');
        size_t count = length - (size_t)(name - line);
        if (count == 7 && !memcmp(name, "message", 7)) stream->kind = MESSAGE;
        else if (count == 8 && !memcmp(name, "snapshot", 8)) stream->kind = SNAPSHOT;
        else if ((count == 6 && !memcmp(name, "status", 6)) || (count == 3 && !memcmp(name, "gap", 3))) stream->kind = LINKED;
        else stream->kind = OTHER;
    }
}

static void take_text(Stream *stream, const char *bytes, size_t count) {
    while (count) {
        const char *end = memchr(bytes, '\n', count);
        if (!end) {
            keep(&stream->kept, &stream->kept_length, &stream->kept_room, bytes, count);
            return;
        }
        size_t length = (size_t)(end - bytes);
        if (stream->kept_length) {
            keep(&stream->kept, &stream->kept_length, &stream->kept_room, bytes, length);
            take_line(stream, stream->kept, stream->kept_length);
            stream->kept_length = 0;
        } else take_line(stream, bytes, length);
        bytes = end + 1;
        count -= length + 1;
    }
}

/* Chunked transfer coding (RFC 9112, 7.1). False after the last chunk. */
static bool take_body(Stream *stream, const char *bytes, size_t count) {
    if (!stream->chunked) {
        take_text(stream, bytes, count);
        return true;
    }
    while (count) {
        if (stream->part == DATA) {
            size_t taken = count < stream->left ? count : (size_t)stream->left;
            take_text(stream, bytes, taken);
            bytes += taken;
            count -= taken;
            stream->left -= taken;
            if (!stream->left) stream->part = DATA_END;
            continue;
        }
        char byte = *bytes++;
        count--;
        if (stream->part == DATA_END) {
            if (byte == '\n') stream->part = SIZE;
        } else if (byte == '\n') {
            if (!stream->left) return false;
            stream->part = DATA;
        } else if (stream->part == SIZE) {
            int digit = byte >= '0' && byte <= '9' ? byte - '0' : (byte | 32) >= 'a' && (byte | 32) <= 'f' ? (byte | 32) - 'a' + 10 : -1;
            if (digit < 0) stream->part = SIZE_END;
            else stream->left = stream->left * 16 + (uint64_t)digit;
        }
    }
    return true;
}

/* ---- one connection ---- */

static void hang_up(Stream *stream, bool by_server) {
    if (stream->state == CONNECTING || stream->state == HEAD) {
        under_way--;
        refused++;
    } else if (stream->state == BODY && by_server) ended++;
    if (stream->awaited) {
        stream->awaited = 0;
        awaiting--;
    }
    close(stream->fd);
    stream->state = GONE;
}

static void watch(Stream *stream, int operation, uint32_t events) {
    struct epoll_event wanted = {.events = events, .data.ptr = stream};
    if (epoll_ctl(poller, operation, stream->fd, &wanted)) die("epoll_ctl");
}

static void dial(int number) {
    Stream *stream = &streams[number];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) die("inet_pton");
    int on = 1;
    stream->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (stream->fd < 0) die("socket");
    setsockopt(stream->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    stream->state = CONNECTING;
    stream->part = SIZE;
    stream->kind = MESSAGE;
    stream->left = stream->kept_length = stream->data_length = 0;
    *stream->next_id = 0;
    stream->stalled = 0;
    stream->dialled_us = wall_us();
    under_way++;
    if (connect(stream->fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS) {
        hang_up(stream, true);
        return;
    }
    watch(stream, EPOLL_CTL_ADD, EPOLLOUT);
}

static void ask(Stream *stream) {
    char request[8192];
    int number = (int)(stream - streams), error = 0;
    socklen_t size = sizeof error;
    getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    const char *token = tokens[number % target_count];
    int length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s:%d\r\nAccept: text/event-stream\r\n%s%s%s%s%s%s\r\n",
                          paths[number % target_count], host, port, token ? "Authorization: Bearer " : "", token ? token : "",
                          token ? "\r\n" : "", *stream->id ? "Last-Event-ID: " : "", stream->id, *stream->id ? "\r\n" : "");
    if (error || length >= (int)sizeof request || send(stream->fd, request, (size_t)length, MSG_NOSIGNAL) != length) {
        hang_up(stream, true);
        return;
    }
    stream->state = HEAD;
    watch(stream, EPOLL_CTL_MOD, EPOLLIN);
}

static void take(Stream *stream, char *bytes, size_t count) {
    if (stream->state == BODY) {
        if (!take_body(stream, bytes, count)) hang_up(stream, true);
        return;
    }
    keep(&stream->kept, &stream->kept_length, &stream->kept_room, bytes, count);
    char *head = stream->kept, *end = memmem(head, stream->kept_length, "\r\n\r\n", 4);
    if (!end) return;
    if (strncmp(head, "HTTP/1.1 200", 12)) {
        hang_up(stream, true);
        return;
    }
    *end = 0;
    stream->chunked = strcasestr(head, "\ntransfer-encoding: chunked") != NULL;
    stream->state = BODY;
    under_way--;
    opened++;
    size_t rest = stream->kept_length - (size_t)(end + 4 - head);
    char *copy = memcpy(malloc(rest + 1), end + 4, rest);
    stream->kept_length = 0;
    if (!take_body(stream, copy, rest)) hang_up(stream, true);
    free(copy);
}

static void turn(int timeout_ms) {
    static struct epoll_event ready[1024];
    static char bytes[READ_BYTES];
    int count = epoll_wait(poller, ready, 1024, timeout_ms);
    for (int i = 0; i < count; i++) {
        Stream *stream = ready[i].data.ptr;
        if (stream->state == GONE || stream->state == ABSENT) continue;
        if (stream->state == CONNECTING) {
            ask(stream);
            continue;
        }
        if (stream->stalled) {
            if (ready[i].events & (EPOLLERR | EPOLLHUP)) hang_up(stream, true);
            continue;
        }
        ssize_t got = recv(stream->fd, bytes, sizeof bytes, 0);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
        if (got <= 0) {
            hang_up(stream, true);
            continue;
        }
        read_us = wall_us();
        if (measuring) (stream->slow ? &slow : &quick)->bytes += (uint64_t)got;
        take(stream, bytes, (size_t)got);
    }
}

static void run_for(double seconds) {
    for (double end_s = monotonic_s() + seconds, left_s = seconds; left_s > 0; left_s = end_s - monotonic_s())
        turn(left_s > 0.02 ? 20 : (int)(left_s * 1000) + 1);
}

/* ---- commands ---- */

static void print_checks(void) {
    printf("\"opened\":%d,\"refused\":%d,\"ended\":%d,\"breaks\":%" PRIu64 ",\"doubled\":%" PRIu64 ",\"slow_events\":%" PRIu64
           ",\"slow_breaks\":%" PRIu64 ",\"slow_doubled\":%" PRIu64,
           opened, refused, ended, quick.breaks, quick.doubled, slow.events, slow.breaks, slow.doubled);
}

static void answer_checks(const char *format, ...) {
    va_list values;
    va_start(values, format);
    printf("{");
    vprintf(format, values);
    printf(",");
    print_checks();
    printf("}\n");
    va_end(values);
}

static void command_open(double limit_s) {
    double began_s = monotonic_s();
    int next = 0;
    opened = refused = ended = 0;
    for (int i = 0; i < stream_count; i++) {
        *streams[i].id = 0;
        streams[i].seq = streams[i].events = streams[i].chain_length = 0;
        streams[i].awaited = 1;
    }
    awaiting = stream_count;
    while (awaiting > 0 && monotonic_s() - began_s < limit_s) {
        while (next < stream_count && under_way < AT_ONCE) dial(next++);
        turn(20);
    }
    answer_checks("\"open_s\":%.3f,\"awaiting\":%d", monotonic_s() - began_s, awaiting);
}

static void command_measure(double seconds) {
    struct rusage before, after;
    memset(latency, 0, sizeof latency);
    quick = slow = (Tally){0};
    for (int i = 0; i < stream_count; i++) streams[i].events = 0;
    getrusage(RUSAGE_SELF, &before);
    double began_s = monotonic_s();
    measuring = true;
    run_for(seconds);
    measuring = false;
    double took_s = monotonic_s() - began_s;
    getrusage(RUSAGE_SELF, &after);
    uint64_t least = UINT64_MAX, most = 0;
    for (int i = 0; i < stream_count; i++)
        if (!streams[i].slow) {
            if (streams[i].events < least) least = streams[i].events;
            if (streams[i].events > most) most = streams[i].events;
        }
    double cpu_s = (double)(after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_stime.tv_sec) +
                   (double)(after.ru_utime.tv_usec - before.ru_utime.tv_usec + after.ru_stime.tv_usec - before.ru_stime.tv_usec) / 1e6;
    printf("{\"window_s\":%.6f,\"events\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"least\":%" PRIu64 ",\"most\":%" PRIu64
           ",\"cpu_s\":%.3f,\"latency_us\":{",
           took_s, quick.events, quick.bytes, least == UINT64_MAX ? 0 : least, most, cpu_s);
    for (int i = 0, said = 0; i < TIMES; i++)
        if (latency[i].count) {
            if (said++) printf(",");
            print_histogram(time_names[i], &latency[i]);
        }
    printf("},");
    print_checks();
    printf("}\n");
}

static void command_stall(double percent) {
    int stalled = 0;
    for (int i = 0; i < stream_count; i++) {
        bool chosen = (int)((i + 1) * percent / 100) != (int)(i * percent / 100);
        streams[i].slow = chosen;
        if (chosen && streams[i].state == BODY) {
            streams[i].stalled = 1;
            watch(&streams[i], EPOLL_CTL_MOD, 0);   /* an end by reset is still told */
            stalled++;
        }
    }
    answer_checks("\"stalled\":%d", stalled);
}

static void let_go(void) {
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    for (int i = 0; i < stream_count; i++)
        if (streams[i].state != GONE && streams[i].state != ABSENT) {
            setsockopt(streams[i].fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
            close(streams[i].fd);
            streams[i].state = GONE;
            streams[i].awaited = 0;
        }
    under_way = awaiting = 0;
}

static void command_resume(double away_s) {
    memset(&first_event, 0, sizeof first_event);
    quick = slow = (Tally){0};
    opened = refused = ended = 0;
    let_go();
    run_for(away_s);
    double began_s = monotonic_s();
    awaiting = stream_count;
    for (int i = 0; i < stream_count; i++) {
        streams[i].awaited = 2;
        streams[i].events = 0;
        dial(i);
    }
    while (awaiting > 0 && monotonic_s() - began_s < RESUME_LIMIT_S) turn(20);
    uint64_t events = 0;
    for (int i = 0; i < stream_count; i++) events += streams[i].events;
    printf("{\"all_s\":%.6f,\"awaiting\":%d,\"events\":%" PRIu64 ",", monotonic_s() - began_s, awaiting, events);
    print_histogram("complete_us", &first_event);
    printf(",");
    print_checks();
    printf("}\n");
}

static void read_targets(const char *name) {
    FILE *file = fopen(name, "r");
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    if (!file) die(name);
    while ((length = getline(&line, &room, file)) > 0) {
        if (line[length - 1] == '\n') line[--length] = 0;
        if (!length) continue;
        paths = realloc(paths, (size_t)(target_count + 1) * sizeof *paths);
        tokens = realloc(tokens, (size_t)(target_count + 1) * sizeof *tokens);
        if (!paths || !tokens) die("realloc");
        char *copy = strdup(line), *space = strchr(copy, ' ');
        if (space) *space++ = 0;
        paths[target_count] = copy;
        tokens[target_count++] = space;
    }
    free(line);
    fclose(file);
}

int main(int count, char **arguments) {
    char line[128];
    if (count < 5) {
        fprintf(stderr, "usage: crowd HOST PORT STREAMS TARGETS\n");
        return 2;
    }
    host = arguments[1];
    port = atoi(arguments[2]);
    stream_count = atoi(arguments[3]);
    read_targets(arguments[4]);
    if (stream_count < 1 || target_count < 1) return 2;
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    streams = calloc((size_t)stream_count, sizeof *streams);
    poller = epoll_create1(0);
    if (!streams || poller < 0) die("epoll_create1");
    setvbuf(stdout, NULL, _IOLBF, 0);
    while (fgets(line, sizeof line, stdin)) {
        char command[32] = "";
        double number = 0;
        sscanf(line, "%31s %lf", command, &number);
        if (!strcmp(command, "open")) command_open(number);
        else if (!strcmp(command, "warm")) {
            run_for(number);
            answer_checks("\"warmed_s\":%g", number);
        } else if (!strcmp(command, "measure")) command_measure(number);
        else if (!strcmp(command, "stall")) command_stall(number);
        else if (!strcmp(command, "resume")) command_resume(number);
        else if (!strcmp(command, "rest")) {
            let_go();
            answer_checks("\"rested\":%d", stream_count);
        } else return 2;
    }
    return 0;
}
