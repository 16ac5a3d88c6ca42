/* Posts prepared requests as fast as they are answered.
 *
 *   post_many PORT CONNECTIONS FILE
 *
 * FILE: requests one after another, each after its length as 8 decimal digits and a newline. Each
 * connection is kept alive, sends the next request that nobody took and waits for its answer. Prints
 * seconds, median, 99th percentile and longest time of an answer in milliseconds, and how many
 * answers had which status: "1.234 0.8 2.1 9.0 202:9998 200:2". */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { most = 1 << 20 };
static const char *starts[most];
static size_t sizes[most];
static double times[most];
static int statuses[most];
static int count, port;
static atomic_int next_one;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int connect_to(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        perror("connect");
        exit(1);
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

/* The status of one answer; -1 when the connection ended before it. */
static int read_answer(int fd, char *buffer, size_t capacity, int *closes) {
    size_t used = 0;
    for (;;) {
        ssize_t n = read(fd, buffer + used, capacity - used - 1);
        if (n <= 0) return -1;
        used += (size_t)n;
        buffer[used] = 0;
        char *end = strstr(buffer, "\r\n\r\n");
        if (!end) continue;
        const char *length = strcasestr(buffer, "\r\nContent-Length:");
        size_t body = length ? strtoul(length + 17, NULL, 10) : 0;
        if (used < (size_t)(end - buffer) + 4 + body) continue;
        *closes = strcasestr(buffer, "\r\nConnection: close") != NULL;
        return atoi(buffer + 9);
    }
}

static void *post(void *unused) {
    (void)unused;
    char *buffer = malloc(1 << 16);
    int fd = connect_to(), mine;
    while ((mine = atomic_fetch_add(&next_one, 1)) < count) {
        double begin = now();
        int closes = 0;
        for (size_t sent = 0; sent < sizes[mine];) {
            ssize_t n = send(fd, starts[mine] + sent, sizes[mine] - sent, MSG_NOSIGNAL);
            if (n <= 0) break;
            sent += (size_t)n;
        }
        statuses[mine] = read_answer(fd, buffer, 1 << 16, &closes);
        times[mine] = now() - begin;
        if (closes || statuses[mine] < 0) {
            close(fd);
            fd = connect_to();
        }
    }
    close(fd);
    free(buffer);
    return NULL;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int words, char **word) {
    if (words != 4) return 2;
    port = atoi(word[1]);
    int threads = atoi(word[2]), file = open(word[3], O_RDONLY);
    struct stat info;
    if (file < 0 || fstat(file, &info) != 0) return 1;
    char *bytes = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
    for (char *at = bytes; at < bytes + info.st_size && count < most; ++count) {
        sizes[count] = strtoul(at, NULL, 10);
        starts[count] = at + 9;
        at += 9 + sizes[count];
    }
    pthread_t *thread = calloc((size_t)threads, sizeof *thread);
    double begin = now();
    for (int i = 0; i < threads; ++i) pthread_create(&thread[i], NULL, post, NULL);
    for (int i = 0; i < threads; ++i) pthread_join(thread[i], NULL);
    double seconds = now() - begin;
    qsort(times, (size_t)count, sizeof times[0], compare);
    printf("%.3f %.2f %.2f %.2f", seconds, times[count / 2] * 1e3, times[count * 99L / 100] * 1e3,
           times[count - 1] * 1e3);
    for (int status = -1; status < 600; ++status) {
        int n = 0;
        for (int i = 0; i < count; ++i) n += statuses[i] == status;
        if (n) printf(" %d:%d", status, n);
    }
    printf("\n");
    return 0;
}
