/* What stands in for a service: answers GET /health on port 8080 (or PORT) with the version it was built as.
 * make_repositories puts it, and its static binary, into each repository that it makes.
 *
 *   /service --self-test   says whether it is fit: not when a file /fail-test was built in.
 *   /service               serves, until SIGTERM; ends at once with 1 when a file /crash was built in.
 */
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static void stop(int signal)
{
    (void)signal;
    _exit(0);
}

static const char *environment(const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    return value && *value ? value : otherwise;
}

/* Prints what was built in as `path`, if anything was, and says whether. */
static int built_in(const char *path)
{
    char text[512];
    FILE *file = fopen(path, "r");
    if (!file)
        return 0;
    size_t length = fread(text, 1, sizeof text - 1, file);
    while (length && text[length - 1] == '\n')
        length--;
    text[length] = 0;
    fclose(file);
    fprintf(stderr, "%s: %s\n", path + 1, text);
    return 1;
}

static void answer(int connection)
{
    char request[2048], body[512], head[256];
    size_t length = 0;
    for (;;) {
        ssize_t got = read(connection, request + length, sizeof request - 1 - length);
        if (got <= 0)
            return;
        length += (size_t)got;
        request[length] = 0;
        if (strstr(request, "\r\n\r\n"))
            break;
        if (length == sizeof request - 1)
            return;
    }
    const char *status = "200 OK";
    if (!strncmp(request, "GET /health ", 12) || !strncmp(request, "GET /health?", 12)) {
        snprintf(body, sizeof body, "{\"version\":\"%s\",\"service\":\"%s\"}\n",
                 environment("VERSION", environment("REVISION", "")), environment("SERVICE", ""));
    } else {
        status = "404 Not Found";
        snprintf(body, sizeof body, "{\"error\":\"not found\"}\n");
    }
    int size = snprintf(head, sizeof head,
                        "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
                        status, strlen(body));
    if (write(connection, head, (size_t)size) == size)
        (void)!write(connection, body, strlen(body));
}

int main(int count, char **arguments)
{
    if (count > 1 && !strcmp(arguments[1], "--self-test")) {
        if (built_in("/fail-test")) {
            fputs("self-test: failed\n", stderr);
            return 1;
        }
        puts("self-test: passed");
        return 0;
    }
    signal(SIGTERM, stop);
    signal(SIGINT, stop);
    signal(SIGPIPE, SIG_IGN);
    if (built_in("/crash"))
        return 1;
    int one = 1, port = atoi(environment("PORT", "8080")), server = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((unsigned short)port) };
    setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (server < 0 || bind(server, (struct sockaddr *)&address, sizeof address) || listen(server, 64)) {
        perror("listen");
        return 1;
    }
    printf("%s %s listens on port %d\n", environment("SERVICE", "service"),
           environment("VERSION", environment("REVISION", "")), port);
    fflush(stdout);
    for (;;) {
        int connection = accept(server, NULL, NULL);
        if (connection < 0)
            continue;
        struct timeval patience = { .tv_sec = 2 };
        setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
        answer(connection);
        close(connection);
    }
}
