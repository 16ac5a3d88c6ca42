/* The simplest thing that keeps a POST durably: append its body to one file, fdatasync, answer 202.
 * A thread for each connection, keep-alive, HTTP/1.1 with Content-Length alone: what nginx's proxy
 * sends. append_server FILE prints its port. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

static int file;
static const char answer[] =
    "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"kept\": \"true\"}";

static int write_all(int fd, const char *bytes, size_t size) {
    while (size > 0) {
        ssize_t n = write(fd, bytes, size);
        if (n <= 0) return -1;
        bytes += n;
        size -= (size_t)n;
    }
    return 0;
}

static size_t content_length(const char *head) {
    const char *line = strcasestr(head, "\r\nContent-Length:");
    return line ? strtoul(line + 17, NULL, 10) : 0;
}

static void *serve(void *argument) {
    int fd = (int)(long)argument;
    size_t capacity = 1 << 20, used = 0;
    char *buffer = malloc(capacity + 1);
    for (;;) {
        char *end = NULL;
        size_t whole = 0;
        for (;;) {
            buffer[used] = 0;
            if ((end = memmem(buffer, used, "\r\n\r\n", 4)) != NULL) {
                *end = 0;
                whole = (size_t)(end - buffer) + 4 + content_length(buffer);
                *end = '\r';
                if (used >= whole) break;
            }
            if (used == capacity) goto over;
            ssize_t n = read(fd, buffer + used, capacity - used);
            if (n <= 0) goto over;
            used += (size_t)n;
        }
        size_t begin = (size_t)(end - buffer) + 4;
        if (write_all(file, buffer + begin, whole - begin) != 0 || fdatasync(file) != 0) abort();
        if (write_all(fd, answer, sizeof answer - 1) != 0) goto over;
        memmove(buffer, buffer + whole, used - whole);
        used -= whole;
    }
over:
    free(buffer);
    close(fd);
    return NULL;
}

int main(int count, char **words) {
    if (count != 2) return 2;
    file = open(words[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (file < 0 || bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 512) != 0)
        return 1;
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        int fd = accept(listener, NULL, NULL), one = 1;
        if (fd < 0) continue;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        pthread_t thread;
        if (pthread_create(&thread, NULL, serve, (void *)(long)fd) != 0) close(fd);
        else pthread_detach(thread);
    }
}
