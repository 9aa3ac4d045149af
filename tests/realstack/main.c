/* What stands in for a service: answers GET /health on port 8080 (or PORT) with the version it was built as.
 * make_repositories puts it, and its static binary, into each repository that it makes.
 *
 *   /service --self-test   says whether it is fit: not when a file /fail-test was built in.
 *   /service migrate       migrates what it doesn't have; fails when a file /fail-migration was built in.
 *   /service               serves, until SIGTERM; ends with 1 after a moment when a file /crash was built in, and answers 500 when
 *                          a file /unwell was.
 *
 * Where there is a folder /mesh, which containers share, it also listens on the socket /mesh/<NAME>/<host name>, and answers well
 * only when one of each service in NEEDS does: no container needs to know another's address.
 */
#include <dirent.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static struct sockaddr_un own = { .sun_family = AF_UNIX };

static void stop(int signal)
{
    (void)signal;
    if (*own.sun_path)
        unlink(own.sun_path);
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

/* Nobody is waited for longer than two seconds. */
static void be_patient(int connection)
{
    struct timeval patience = { .tv_sec = 2 };
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

static int answers_well(const char *path)
{
    static const char request[] = "GET /health HTTP/1.1\r\n\r\n";
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    char status[13] = "";
    int connection = socket(AF_UNIX, SOCK_STREAM, 0);
    be_patient(connection);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int is_well = !connect(connection, (struct sockaddr *)&address, sizeof address)
        && write(connection, request, sizeof request - 1) == sizeof request - 1
        && recv(connection, status, 12, MSG_WAITALL) == 12 && !strcmp(status, "HTTP/1.1 200");
    close(connection);
    return is_well;
}

/* One task of a service is enough: others may be on their way up or down. */
static int is_there(const char *service)
{
    char folder[64], path[108];
    snprintf(folder, sizeof folder, "/mesh/%.40s", service);
    DIR *tasks = opendir(folder);
    int found = 0;
    for (struct dirent *task; tasks && !found && (task = readdir(tasks));)
        if (*task->d_name != '.' && snprintf(path, sizeof path, "%s/%s", folder, task->d_name) < (int)sizeof path)
            found = answers_well(path);
    if (tasks)
        closedir(tasks);
    return found;
}

/* The first needed service that doesn't answer well; none when all do. */
static const char *missing(void)
{
    static char needs[512];
    snprintf(needs, sizeof needs, "%s", environment("NEEDS", ""));
    for (char *service = strtok(needs, " "); service; service = strtok(NULL, " "))
        if (!is_there(service))
            return service;
    return NULL;
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
    const char *status = "200 OK", *lost;
    if (strncmp(request, "GET /health ", 12) && strncmp(request, "GET /health?", 12)) {
        status = "404 Not Found";
        snprintf(body, sizeof body, "{\"error\":\"not found\"}\n");
    } else if (built_in("/unwell")) {
        status = "500 Internal Server Error";
        snprintf(body, sizeof body, "{\"error\":\"unwell\"}\n");
    } else if ((lost = missing())) {
        status = "503 Service Unavailable";
        snprintf(body, sizeof body, "{\"error\":\"%s does not answer\"}\n", lost);
    } else {
        snprintf(body, sizeof body, "{\"version\":\"%s\",\"service\":\"%s\"}\n",
                 environment("VERSION", environment("REVISION", "")), environment("SERVICE", ""));
    }
    int size = snprintf(head, sizeof head,
                        "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
                        status, strlen(body));
    if (write(connection, head, (size_t)size) == size)
        (void)!write(connection, body, strlen(body));
}

static int on_port(void)
{
    int one = 1, port = atoi(environment("PORT", "8080")), server = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((unsigned short)port) };
    setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (server < 0 || bind(server, (struct sockaddr *)&address, sizeof address) || listen(server, 64)) {
        perror("listen");
        exit(1);
    }
    printf("%s %s listens on port %d\n", environment("SERVICE", "service"),
           environment("VERSION", environment("REVISION", "")), port);
    fflush(stdout);
    return server;
}

/* None where containers share no folder. */
static int on_mesh(void)
{
    char host[48] = "", folder[64];
    snprintf(folder, sizeof folder, "/mesh/%.40s", environment("NAME", "service"));
    if (access("/mesh", W_OK) || (mkdir(folder, 0755) && access(folder, W_OK)) || gethostname(host, sizeof host - 1))
        return -1;
    snprintf(own.sun_path, sizeof own.sun_path, "%s/%.40s", folder, host);
    int server = socket(AF_UNIX, SOCK_STREAM, 0);
    unlink(own.sun_path);
    return bind(server, (struct sockaddr *)&own, sizeof own) || listen(server, 64) ? -1 : server;
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
    if (count > 1 && !strcmp(arguments[1], "migrate")) {
        if (built_in("/fail-migration"))
            return 1;
        puts("migrated");
        return 0;
    }
    signal(SIGTERM, stop);
    signal(SIGINT, stop);
    signal(SIGPIPE, SIG_IGN);
    if (built_in("/crash")) {
        usleep(300000);
        return 1;
    }
    struct pollfd servers[] = { { .fd = on_port(), .events = POLLIN }, { .fd = on_mesh(), .events = POLLIN } };
    for (;;) {
        if (poll(servers, 2, -1) <= 0)
            continue;
        for (int at = 0; at < 2; at++) {
            int connection = servers[at].revents & POLLIN ? accept(servers[at].fd, NULL, NULL) : -1;
            if (connection < 0)
                continue;
            be_patient(connection);
            answer(connection);
            close(connection);
        }
    }
}
