/* SPDX-License-Identifier: MIT */
/* The quota of control groups: where the process stands in which hierarchy (/proc/self/cgroup),
 * where that is mounted (/proc/self/mountinfo), and every group from there up to the mount. What
 * cannot be read counts for nothing. */
#include "base/quota.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "base/cpu.h"
#include "base/panic.h"

enum { PATH_SIZE = 4096, LINE_SIZE = 3 * PATH_SIZE, WORKERS_MAX = 3500 };

typedef struct places {
    const char *root;
    bool unified;             /* version 2 */
    char group[PATH_SIZE];    /* of the process, from the root of its hierarchy */
    char mounted[PATH_SIZE];  /* where the hierarchy is to be seen, and */
    char beginning[PATH_SIZE]; /* which of its groups that shows */
} places;

/* Writes `path` behind `folder`. Returns whether there was room for both. */
static bool join(char *whole, size_t size, const char *folder, const char *path) {
    int n = snprintf(whole, size, "%s%s", folder, path);
    return n >= 0 && (size_t)n < size;
}

static FILE *open_below(const char *root, const char *path) {
    char whole[PATH_SIZE];
    return join(whole, sizeof whole, root, path) ? fopen(whole, "re") : NULL;
}

static FILE *open_in(const char *root, const char *folder, const char *name) {
    char path[PATH_SIZE];
    return join(path, sizeof path, folder, name) ? open_below(root, path) : NULL;
}

static bool read_line(char *line, FILE *file) {
    if (!fgets(line, LINE_SIZE, file))
        return false;
    line[strcspn(line, "\n")] = '\0';
    return true;
}

/* Returns whether `name` stands in the list `names`, separated by commas. */
static bool has(const char *names, size_t length, const char *name) {
    size_t size = strlen(name);
    for (size_t at = 0; at + size <= length; at++)
        if (memcmp(names + at, name, size) == 0 && (at == 0 || names[at - 1] == ',') &&
            (at + size == length || names[at + size] == ','))
            return true;
    return false;
}

/* "4:cpu,cpuacct:/path", version 2: "0::/path". */
static bool find_group(places *it, char *line) {
    FILE *file = open_below(it->root, "/proc/self/cgroup");
    bool found = false;
    while (file && !found && read_line(line, file)) {
        char *names = strchr(line, ':');
        char *path = names ? strchr(names + 1, ':') : NULL;
        if (!path || strlen(path + 1) >= sizeof it->group)
            continue;
        size_t length = (size_t)(path - names - 1);
        found = it->unified ? length == 0 : has(names + 1, length, "cpu");
        if (found)
            strcpy(it->group, path + 1);
    }
    if (file)
        fclose(file);
    return found;
}

/* "36 25 0:31 /beginning /mounted options - cgroup2 source options": spaces in paths are
 * escaped. */
static bool find_mount(places *it, char *line) {
    FILE *file = open_below(it->root, "/proc/self/mountinfo");
    bool found = false;
    while (file && !found && read_line(line, file)) {
        char type[32] = "", options[256] = "";
        const char *rest = strstr(line, " - ");
        if (!rest || sscanf(rest, " - %31s %*s %255s", type, options) < 1 ||
            sscanf(line, "%*s %*s %*s %4095s %4095s", it->beginning, it->mounted) != 2)
            continue;
        found = it->unified ? strcmp(type, "cgroup2") == 0
                            : strcmp(type, "cgroup") == 0 && has(options, strlen(options), "cpu");
    }
    if (file)
        fclose(file);
    return found;
}

static bool read_number(const char *root, const char *folder, const char *name, long long *value) {
    char text[32] = "";
    FILE *file = open_in(root, folder, name);
    bool got = file && fscanf(file, "%31s", text) == 1 && sscanf(text, "%lld", value) == 1;
    if (file)
        fclose(file);
    return got;
}

/* Microseconds of CPU time in each `period`: "max 100000", "150000 100000". */
static bool read_unified(const char *root, const char *folder, long long *quota,
                         long long *period) {
    FILE *file = open_in(root, folder, "/cpu.max");
    bool got = file && fscanf(file, "%lld %lld", quota, period) == 2;
    if (file)
        fclose(file);
    return got;
}

static int quota_of(const places *it, const char *folder) {
    long long quota = -1, period = 0;
    bool got = it->unified ? read_unified(it->root, folder, &quota, &period)
                           : read_number(it->root, folder, "/cpu.cfs_quota_us", &quota) &&
                                 read_number(it->root, folder, "/cpu.cfs_period_us", &period);
    if (!got || quota <= 0 || period <= 0)
        return 0;
    long long cpus = (quota - 1) / period + 1;
    return cpus < WORKERS_MAX ? (int)cpus : WORKERS_MAX;
}

static int tighter(int a, int b) { return a == 0 || (b != 0 && b < a) ? b : a; }

static int quota_in(const char *root, bool unified) {
    static const char up[] = "/..";
    int cpus = 0;
    places *it = malloc(sizeof *it);
    char *line = malloc(LINE_SIZE);
    if (it)
        *it = (places){.root = root, .unified = unified};
    if (it && line && find_group(it, line) && find_mount(it, line)) {
        /* Inside a container the path may begin above what is mounted: then the mount is all there
         * is to see. */
        const char *below = it->group;
        size_t length = strlen(it->beginning);
        if (length > 1)
            below = strncmp(below, it->beginning, length) == 0 ? below + length : "";
        size_t mounted = strlen(it->mounted);
        if (strncmp(below, up, sizeof up - 1) == 0)
            below = "";
        bool whole = join(line, LINE_SIZE, it->mounted, below);
        for (char *end; whole && strlen(line) >= mounted; *end = '\0') {
            cpus = tighter(cpus, quota_of(it, line));
            end = strrchr(line, '/');
            if (!end || end == line)
                break;
        }
    }
    free(line);
    free(it);
    return cpus;
}

int thrum__quota_cpus(const char *root) {
    return tighter(quota_in(root, false), quota_in(root, true));
}

/* THRUM_MAX_WORKERS, 0 if it is not set or nonsense, which is said once. */
static int wanted(void) {
    static bool said; /* relaxed */
    const char *text = getenv("THRUM_MAX_WORKERS");
    if (!text || !*text)
        return 0;
    char *end;
    errno = 0;
    long n = strtol(text, &end, 10);
    if (errno == 0 && *end == '\0' && n >= 1 && n <= WORKERS_MAX)
        return (int)n;
    if (!thrum__load_relaxed(&said)) {
        thrum__store_relaxed(&said, true);
        thrum__complain("THRUM_MAX_WORKERS is \"%.64s\", not a number from 1 to %d: ignored", text,
                        WORKERS_MAX);
    }
    return 0;
}

int thrum__quota_workers(void) {
    int n = wanted();
    if (n > 0)
        return n;
    n = tighter(thrum__cpu_allowed(), thrum__quota_cpus(""));
    return n < WORKERS_MAX ? n : WORKERS_MAX;
}
