/* SPDX-License-Identifier: MIT */
/* What a child is started with. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "spawn.h"

void thrum__spawn_free_texts(char **texts) {
    for (char **text = texts; text && *text; text++)
        free(*text);
    free(texts);
}

char **thrum__spawn_texts(char *const *texts) {
    size_t n = 0;
    while (texts && texts[n])
        n++;
    char **made = calloc(n + 1, sizeof *made);
    for (size_t i = 0; made && i < n; i++)
        if (!(made[i] = strdup(texts[i]))) {
            thrum__spawn_free_texts(made);
            return NULL;
        }
    return made;
}

char **thrum__spawn_environment(void) { return thrum__spawn_texts(environ); }

static char *join(const char *folder, size_t size, const char *name) {
    char *path = malloc(size + strlen(name) + 2);
    if (path)
        sprintf(path, "%.*s/%s", (int)size, folder, name);
    return path;
}

/* Whole, so that it does not matter where the program is later. */
static char *from_here(const char *name) {
    char here[PATH_MAX];
    if (*name == '/' || !getcwd(here, sizeof here))
        return strdup(name);
    return join(here, strlen(here), name);
}

char *thrum__spawn_find(const char *name) {
    const char *folders = getenv("PATH"), *end;
    char *found = NULL;
    if (strchr(name, '/'))
        return access(name, X_OK) == 0 ? from_here(name) : NULL;
    for (folders = folders ? folders : "/usr/local/bin:/usr/bin:/bin"; !found; folders = end + 1) {
        end = strchrnul(folders, ':');
        char *path = end > folders ? join(folders, (size_t)(end - folders), name)
                                   : join(".", 1, name);
        if (!path)
            return NULL;
        if (access(path, X_OK) == 0)
            found = from_here(path);
        free(path);
        if (found || !*end)
            break;
    }
    if (!found)
        errno = ENOENT;
    return found;
}

int thrum__spawn_above(int fd) {
    if (fd < 0 || fd > STDERR_FILENO)
        return fd;
    int other = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1), error = errno;
    close(fd);
    errno = error;
    return other;
}
