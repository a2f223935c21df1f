/* SPDX-License-Identifier: MIT */
/* A whole program: checksums of every file below a directory, read by several threads.
 *
 *     walker --jobs--> workers --outcomes--> main --sorted--> standard output
 *
 * The first two queues are bounded, so that nobody runs too far ahead; only main writes. On Ctrl-C
 * a thread in sigwait() sets the event `stop`: from then on nothing is opened or read. With --pool
 * each job is a task of an executor, which has a queue and workers of its own; with --processes
 * these are processes, which get a path as plain bytes; the futures go through the first queue. */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include <dirent.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <thrum.h>
#include <thrum/processes.h>
#include <unistd.h>

enum { MAX_WORKERS = 3500, MAX_JOBS = 50000, MAX_OUTCOMES = 1000, CHUNK = 1 << 16 };

typedef struct entry {
    char *path; /* from malloc(); handed from queue to queue */
    enum { OTHER, SUMMED, FAILED, LINK } kind;
    int error; /* of FAILED */
    uint32_t crc;
    unsigned long long bytes;
    thrum_future *future; /* with --processes */
} entry;

typedef struct name {
    char text[4096]; /* the system takes no longer path */
} name;

typedef struct sum {
    uint32_t crc;
    unsigned long long bytes;
} sum;

static thrum_queue *directories, *jobs, *outcomes, *sorted; /* of entries */
static thrum_executor *pool; /* with --pool, in the place of `jobs` and `threads` */
static thrum_thread *threads[MAX_WORKERS + 1]; /* the workers, then NULL */
static thrum_event stop, walked;
static int caught; /* the signal: written before `stop` is set, read after */
static atomic_ullong bytes_found, bytes_read;
static unsigned long long count[LINK + 1], bytes; /* by kind; of SUMMED */
static thrum_deadline began;
static uint32_t table[8][256]; /* of add_bytes() */
static int workers, null, pooled, processes; /* options */

static const char help[] =
    "Usage: tree_sum [-j N] [-0] [-p | -P] [DIRECTORY]\n"
    "Prints checksum, size and path of every file below DIRECTORY (/usr/include), by path.\n\n"
    "  -j, --jobs=N   read N files at a time, 1 to 3500 (default: the CPUs allowed)\n"
    "  -0, --null     end each line with a zero byte, and print odd names as they are\n"
    "  -p, --pool     make every file a task of a pool, instead of a job for own threads\n"
    "  -P, --processes  the same on N processes, in which a crash costs one file\n"
    "      --help     print this\n\n"
    "A line is 'CRC SIZE PATH', as POSIX cksum has it. Newlines, carriage returns and backslashes\n"
    "in PATH become \\n, \\r, \\\\, and such a line begins with a backslash, as in sha256sum.\n"
    "Symbolic links are not followed. Ctrl-C prints the sums so far; again: ends at once.\n"
    "Exit code: 0; 1: something could not be read; 2: a wrong option; 128 + signal.\n";

static void check(const char *what, int code) {
    if (code == 0)
        return;
    fprintf(stderr, "tree_sum: %s: %s\n", what, thrum_strerror(code));
    _exit(1);
}

static void put(thrum_queue *queue, const entry *e) {
    check("path", e->path != NULL ? thrum_queue_put(queue, e) : -ENOMEM);
}

static void finish(entry *e, int kind, int error) {
    e->kind = kind;
    e->error = error;
    put(outcomes, e);
}

/* The checksum of POSIX cksum: polynomial 0x04c11db7, then the length; eight bytes at a time. */
static void make_table(void) {
    for (int i = 0; i < 8 * 256; i++) {
        uint32_t crc = i < 256 ? (uint32_t)i << 24 : table[i / 256 - 1][i % 256];
        for (int bit = 0; bit < 8; bit++)
            crc = crc << 1 ^ (crc >> 31 ? 0x04c11db7 : 0);
        table[i / 256][i % 256] = crc;
    }
}

static uint32_t add_bytes(uint32_t crc, const uint8_t *p, size_t n) {
    for (; n >= 8; p += 8, n -= 8)
        crc = table[7][p[0] ^ crc >> 24] ^ table[6][p[1] ^ (crc >> 16 & 255)] ^
              table[5][p[2] ^ (crc >> 8 & 255)] ^ table[4][p[3] ^ (crc & 255)] ^
              table[3][p[4]] ^ table[2][p[5]] ^ table[1][p[6]] ^ table[0][p[7]];
    for (; n > 0; p++, n--)
        crc = crc << 8 ^ table[0][*p ^ crc >> 24];
    return crc;
}

/* Returns 0 or an errno, which means nothing once `stop` is set. */
static int read_file(const char *path, sum *s) {
    uint8_t chunk[CHUNK];
    ssize_t n = 1;
    int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    int fd = thrum_event_is_set(&stop) ? -1 : open(path, flags);
    while (fd >= 0 && !thrum_event_is_set(&stop) && (n = read(fd, chunk, sizeof(chunk))) > 0) {
        s->crc = add_bytes(s->crc, chunk, (size_t)n);
        s->bytes += (unsigned)n;
        bytes_read += (unsigned)n;
    }
    int error = n == 0 ? 0 : thrum_event_is_set(&stop) ? ECANCELED : errno;
    for (unsigned long long length = s->bytes; length > 0; length >>= 8)
        s->crc = add_bytes(s->crc, (uint8_t[]){length & 255}, 1);
    s->crc = ~s->crc;
    if (fd >= 0)
        close(fd);
    return error;
}

static void finish_file(entry *e, const sum *s, int error) {
    e->crc = s->crc;
    e->bytes = s->bytes;
    finish(e, error == 0 ? SUMMED : thrum_event_is_set(&stop) ? OTHER : FAILED, error);
}

THRUM_TASK(void, sum_file, (entry, e)) {
    sum s = {0};
    int error = read_file(e.path, &s);
    finish_file(&e, &s, error);
}

/* In another process, which has a `stop` of its own that nobody sets. */
THRUM_TASK(sum, sum_there, (name, path)) {
    sum s = {0};
    int error = read_file(path.text, &s);
    if (error != 0)
        thrum_raise(-error, "%s", path.text);
    return s;
}

static void submit_there(entry *e) {
    name path;
    if (snprintf(path.text, sizeof(path.text), "%s", e->path) >= (int)sizeof(path.text)) {
        finish(e, FAILED, ENAMETOOLONG);
        return;
    }
    check("task", sum_there_submit(pool, &e->future, path));
    put(jobs, e);
}

/* One of those who wait for results. A task that is cancelled while it runs costs its process. */
static void *gather(void *arg) {
    for (entry e; thrum_queue_get(jobs, &e) == 0; thrum_future_free(e.future)) {
        thrum_waitable any[] = {thrum_future_waitable(e.future), thrum_event_waitable(&stop)};
        sum s = {0};
        int which = 0;
        check("wait", thrum_wait_any(any, 2, THRUM_NEVER, &which));
        if (which == 1)
            thrum_future_cancel(e.future);
        int code = sum_there_result(e.future, &s);
        bytes_read += s.bytes;
        finish_file(&e, &s, -code);
    }
    return arg;
}

static void *work(void *arg) {
    entry e;
    while (thrum_queue_get(jobs, &e) == 0)
        sum_file(e);
    return arg;
}

static void found(const char *directory, int fd, const char *name) {
    struct stat st;
    entry e = {0};
    const char *slash = directory[strlen(directory) - 1] == '/' ? "" : "/";
    check("path", asprintf(&e.path, "%s%s%s", directory, slash, name) < 0 ? -ENOMEM : 0);
    if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        finish(&e, FAILED, errno);
    } else if (S_ISDIR(st.st_mode)) {
        put(directories, &e);
    } else if (S_ISREG(st.st_mode)) {
        bytes_found += (unsigned long long)st.st_size;
        if (processes)
            submit_there(&e);
        else if (pool != NULL)
            check("task", sum_file_submit(pool, NULL, e));
        else
            put(jobs, &e);
    } else {
        finish(&e, S_ISLNK(st.st_mode) ? LINK : OTHER, 0);
    }
}

static void read_directory(entry *e) {
    DIR *directory = thrum_event_is_set(&stop) ? NULL : opendir(e->path);
    struct dirent *d = NULL;
    while (directory != NULL && (errno = 0, d = readdir(directory)) != NULL &&
           !thrum_event_is_set(&stop))
        if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
            found(e->path, dirfd(directory), d->d_name);
    finish(e, d != NULL || errno == 0 || thrum_event_is_set(&stop) ? OTHER : FAILED, errno);
    if (directory != NULL)
        closedir(directory);
}

static void *walk(void *root) {
    entry e = {.path = strdup(root)};
    put(directories, &e);
    while (thrum_queue_try_get(directories, &e) == 0)
        read_directory(&e);
    thrum_event_set(&walked);
    thrum_queue_shutdown(jobs, false); /* the workers end once it is empty */
    for (thrum_thread **t = threads; *t != NULL; t++) {
        thrum_thread_join(*t, NULL);
        thrum_thread_free(*t);
    }
    thrum_executor_free(pool); /* waits for its tasks */
    thrum_queue_shutdown(outcomes, false);
    return NULL;
}

static void *watch_signals(void *signals) {
    sigwait(signals, &caught);
    thrum_event_set(&stop);
    pthread_sigmask(SIG_UNBLOCK, signals, NULL); /* a second one ends the program at once */
    pause();
    return NULL;
}

static void draw(void) {
    double read = (double)bytes_read, known = (double)bytes_found;
    double rate = read * 1e9 / (double)(thrum_now().ns - began.ns);
    double left = rate > 0 && known > read ? (known - read) / rate : 0;
    fprintf(stderr, "\r\033[K%llu files, %.1f MB, %.1f MB/s, %s%.0f s left", count[SUMMED],
            read / 1e6, rate / 1e6, thrum_event_is_set(&walked) ? "" : "at least ", left);
}

static void collect(bool terminal) {
    thrum_deadline redraw = terminal ? thrum_in(0.1) : THRUM_NEVER;
    entry e;
    for (int rc; (rc = thrum_queue_get_until(outcomes, &e, redraw)) != -ESHUTDOWN;) {
        if (rc == 0) {
            count[e.kind]++;
            bytes += e.kind == SUMMED ? e.bytes : 0;
            if (e.kind == SUMMED || e.kind == FAILED)
                put(sorted, &e);
            else
                free(e.path);
        }
        if (thrum_now().ns >= redraw.ns) {
            draw();
            redraw = thrum_in(0.1);
        }
    }
    if (terminal)
        fputs("\r\033[K", stderr);
}

static int by_path(const void *a, const void *b) {
    return strcmp(((const entry *)a)->path, ((const entry *)b)->path);
}

static void print_path(FILE *out, const char *path, bool escape) {
    for (; *path != '\0'; path++)
        if (!escape || strchr("\n\r\\", *path) == NULL)
            putc(*path, out);
        else
            fprintf(out, "\\%c", *path == '\n' ? 'n' : *path == '\r' ? 'r' : '\\');
}

static void print_results(void) {
    entry e;
    while (thrum_queue_try_get(sorted, &e) == 0) {
        if (e.kind == FAILED) {
            fputs("tree_sum: ", stderr);
            print_path(stderr, e.path, true);
            fprintf(stderr, ": %s\n", strerror(e.error));
        } else {
            bool odd = !null && strpbrk(e.path, "\n\r\\") != NULL;
            printf("%s%lu %llu ", odd ? "\\" : "", (unsigned long)e.crc, e.bytes);
            print_path(stdout, e.path, odd);
            putchar(null ? '\0' : '\n');
        }
        free(e.path);
    }
    check("standard output", fflush(stdout) != 0 || ferror(stdout) ? -errno : 0);
}

static char *parse(int argc, char **argv) {
    struct option names[] = {{"jobs", 1, 0, 'j'}, {"null", 0, 0, '0'}, {"pool", 0, 0, 'p'},
                             {"processes", 0, 0, 'P'}, {"help", 0, 0, 'h'}, {0}};
    char *end = "";
    long n = thrum_default_workers();
    for (int c; (c = getopt_long(argc, argv, "j:0pP", names, NULL)) != -1;)
        if (c == 'j')
            n = strtol(optarg, &end, 10);
        else if (c == '0')
            null = 1;
        else if (c == 'p' || c == 'P')
            pooled = c == 'p', processes = c == 'P';
        else
            exit(c == 'h' && fputs(help, stdout) >= 0 ? 0 : 2); /* getopt has said what is wrong */
    workers = *end == '\0' && n >= 1 && n <= MAX_WORKERS ? (int)n : 0;
    if (workers == 0 || argc - optind > 1) {
        fprintf(stderr, "tree_sum: %s (see --help)\n",
                workers == 0 ? "-j wants a number from 1 to 3500" : "one directory, please");
        exit(2);
    }
    return optind < argc ? argv[optind] : "/usr/include";
}

static thrum_thread *start(void *(*fn)(void *), void *arg) {
    thrum_thread *thread;
    check("thread", thrum_thread_start(&thread, fn, arg, &(thrum_thread_opts){.daemon = true}));
    return thread;
}

static void block_signals(sigset_t *signals) {
    sigemptyset(signals);
    sigaddset(signals, SIGINT);
    sigaddset(signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, signals, NULL); /* threads started later inherit it */
}

/* Ctrl-C is for all processes of a terminal: the workers leave it to main. */
static int prepare(void *arg) {
    sigset_t signals;
    (void)arg;
    make_table();
    block_signals(&signals);
    return 0;
}

static thrum_executor *new_pool(void) {
    thrum_executor_opts opts = {.max_workers = workers, .queue_limit = MAX_JOBS};
    if (processes) {
        opts.backend = thrum_processes;
        opts.queue_limit = MAX_OUTCOMES;
        opts.initializer = prepare;
    }
    return thrum_executor_new(&opts);
}

int main(int argc, char **argv) {
    static sigset_t signals;
    char *root = parse(argc, argv);
    block_signals(&signals);
    directories = thrum_queue_new(sizeof(entry), &(thrum_queue_opts){.order = THRUM_LIFO});
    jobs = thrum_queue_new(sizeof(entry), &(thrum_queue_opts){.maxsize = processes ? MAX_OUTCOMES
                                                                                   : MAX_JOBS});
    outcomes = thrum_queue_new(sizeof(entry), &(thrum_queue_opts){.maxsize = MAX_OUTCOMES});
    sorted = thrum_queue_new(sizeof(entry), &(thrum_queue_opts){.order = THRUM_PRIORITY,
                                                                .compare = by_path});
    if (pooled || processes)
        pool = new_pool();
    bool complete = directories && jobs && outcomes && sorted && (pool || !(pooled || processes));
    check("start", complete ? 0 : -errno);
    make_table();
    began = thrum_now();
    thrum_thread_free(start(watch_signals, &signals));
    for (int i = 0; !pooled && i < workers; i++)
        threads[i] = start(processes ? gather : work, NULL);
    thrum_thread *walker = start(walk, root);
    collect(isatty(STDERR_FILENO));
    thrum_thread_join(walker, NULL);
    thrum_thread_free(walker);
    bool stopped = thrum_event_is_set(&stop);
    double seconds = (double)(thrum_now().ns - began.ns) / 1e9;
    print_results();
    fprintf(stderr, "tree_sum: %llu files, %llu bytes in %.2f s, %.1f MB/s; %llu links not "
            "followed, %llu not read%s\n", count[SUMMED], bytes, seconds,
            (double)bytes / 1e6 / seconds, count[LINK], count[FAILED], stopped ? "; stopped" : "");
    for (int i = 0; i < 4; i++)
        thrum_queue_free((thrum_queue *[]){directories, jobs, outcomes, sorted}[i]);
    return stopped ? 128 + caught : count[FAILED] > 0;
}
