/* SPDX-License-Identifier: MIT */
/* How lines of the log reach their file. Loggers and readers here are foreign threads, which block
 * for real on both kinds of strand. */
#include "spec.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sanitizers.h"

enum { LOGGERS = 8, LINES = 400, LONG = 200000, ROOM = 65536, ENORMOUS = 1 << 26 };

static struct {
    int ends[2];
    int n;
    int next[LOGGERS];
    char big[LONG + 1];
    char text[LONG + 100];
} s;

static void open_pipe(void) {
    memset(&s, 0, sizeof s);
    memset(s.big, 'x', LONG);
    assert_int_equal(pipe(s.ends), 0);
    assert_int_equal(fcntl(s.ends[1], F_SETPIPE_SZ, ROOM), ROOM);
}

static void close_log(void) {
    assert_int_equal(thrum_log_config(NULL), 0);
    close(s.ends[0]);
    close(s.ends[1]);
}

static void config(int fd, const char *format) {
    assert_int_equal(
        thrum_log_config(&(thrum_log_opts){.format = format, .fd = fd, .level = THRUM_INFO}), 0);
}

/* Reads to the end of file. Returns how many bytes. */
static size_t read_all(void) {
    size_t used = 0;
    ssize_t n;
    while ((n = read(s.ends[0], s.text + used, sizeof s.text - 1 - used)) > 0)
        used += (size_t)n;
    assert_int_equal(n, 0);
    s.text[used] = '\0';
    return used;
}

/* Reads bytes `from` to `to` of what was logged. */
static void read_part(size_t from, size_t to) {
    ssize_t n;
    for (size_t used = from; used < to; used += (size_t)n) {
        n = read(s.ends[0], s.text + used, to - used);
        assert_true(n > 0);
    }
}

/* Waits until a logger has filled the pipe, and so is within its write. */
static void until_pipe_is_full(void) {
    for (int used = 0; used < ROOM;) {
        assert_int_equal(ioctl(s.ends[0], FIONREAD, &used), 0);
        sched_yield();
    }
}

static pthread_t start(void *(*fn)(void *), void *arg) {
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, fn, arg), 0);
    return thread;
}

static void join(pthread_t thread) { assert_int_equal(pthread_join(thread, NULL), 0); }

static void a_line_is_one_write(void **state) {
    static const int sizes[] = {1, 900, 1000, 1013, 1014, 1015, 1024, 1025, 5000, 100000};
    (void)state;
    int room = LONG;
    memset(s.big, 'x', LONG);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s.ends), 0);
    assert_int_equal(setsockopt(s.ends[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room), 0);
    config(s.ends[1], "<%(message)s>");
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        thrum_error("%.*s", sizes[i], s.big);
        assert_int_equal(recv(s.ends[0], s.text, sizeof s.text, 0), sizes[i] + 3);
        assert_true(s.text[0] == '<' && s.text[sizes[i] + 1] == '>');
        assert_memory_equal(s.text + 1, s.big, sizes[i]);
        assert_int_equal(s.text[sizes[i] + 2], '\n');
    }
    close_log();
}

/* "number sequence length xxx.", of up to three times what a pipe takes as a whole */
static void *log_lines(void *arg) {
    int self = *(int *)arg;
    for (int i = 0; i < LINES; i++) {
        int length = (i * 37 + self * 101) % (i % 20 ? 300 : 12000);
        thrum_info("%d %d %d %.*s.", self, i, length, length, s.big);
    }
    return NULL;
}

/* Checks that one line is whole and the next of its logger. */
static void check_line(const char *line) {
    int self = -1, i = -1, length = -1, at = 0;
    assert_int_equal(sscanf(line, "%d %d %d %n", &self, &i, &length, &at), 3);
    assert_in_range(self, 0, LOGGERS - 1);
    assert_int_equal(i, s.next[self]++);
    assert_int_equal(strspn(line + at, "x"), length);
    assert_string_equal(line + at + length, ".\n");
    s.n++;
}

static void *read_lines(void *arg) {
    FILE *file = fdopen(s.ends[0], "r");
    char line[20000];
    while (fgets(line, sizeof line, file))
        check_line(line);
    fclose(file);
    return arg;
}

static void lines_of_many_threads_are_whole(void **state) {
    int numbers[LOGGERS];
    pthread_t loggers[LOGGERS];
    (void)state;
    open_pipe();
    config(s.ends[1], "%(message)s");
    pthread_t reader = start(read_lines, NULL);
    for (int i = 0; i < LOGGERS; i++) {
        numbers[i] = i;
        loggers[i] = start(log_lines, &numbers[i]);
    }
    for (int i = 0; i < LOGGERS; i++)
        join(loggers[i]);
    assert_int_equal(thrum_log_config(NULL), 0);
    close(s.ends[1]);
    join(reader);
    assert_int_equal(s.n, LOGGERS * LINES);
}

static void *log_big(void *arg) {
    thrum_info("%s%s", s.big, arg ? (const char *)arg : "");
    return NULL;
}

static void a_partial_write_is_finished(void **state) {
    static char end[] = "end";
    (void)state;
    open_pipe();
    fcntl(s.ends[1], F_SETFL, O_NONBLOCK);
    config(s.ends[1], "%(message)s");
    pthread_t logger = start(log_big, end);
    size_t used = 0, page = (size_t)sysconf(_SC_PAGESIZE);
    for (; used + ROOM < LONG; used += page) {
        until_pipe_is_full();
        read_part(used, used + page);
    }
    read_part(used, LONG + 4);
    assert_memory_equal(s.text, s.big, LONG);
    assert_memory_equal(s.text + LONG, "end\n", 4);
    join(logger);
    close_log();
}

static void a_full_pipe_that_does_not_block_drops_the_line(void **state) {
    (void)state;
    open_pipe();
    fcntl(s.ends[1], F_SETFL, O_NONBLOCK);
    config(s.ends[1], "%(message)s");
    while (write(s.ends[1], s.big, 1000) > 0)
        continue;
    errno = 0;
    thrum_error("%.1000s", s.big);
    assert_int_equal(errno, 0);
    assert_int_equal(thrum_log_config(NULL), 0);
    close(s.ends[1]);
    read_all();
    assert_null(strchr(s.text, '\n'));
    close(s.ends[0]);
}

static int log_into_broken_files(void) {
    sigset_t pending, mask;
    int sockets[2];
    signal(SIGPIPE, SIG_DFL);
    open_pipe();
    close(s.ends[0]);
    config(s.ends[1], "%(message)s");
    errno = 7;
    thrum_error("lost");
    thrum_error("lost");
    if (errno != 7 || socketpair(AF_UNIX, SOCK_STREAM, 0, sockets))
        return 1;
    close(sockets[0]);
    config(sockets[1], "%(message)s");
    thrum_error("lost");
    sigpending(&pending);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    return sigismember(&pending, SIGPIPE) || sigismember(&mask, SIGPIPE);
}

static void a_broken_pipe_does_not_kill(void **state) {
    (void)state;
    spec_end end;
    spec_exits(log_into_broken_files, 0, &end);
    assert_string_equal(end.text, "");
}

static int log_to_broken_stderr(void) {
    signal(SIGPIPE, SIG_DFL);
    open_pipe();
    close(s.ends[0]);
    dup2(s.ends[1], STDERR_FILENO);
    thrum_error("lost");
    return 0;
}

static void a_broken_stderr_does_not_kill_before_config(void **state) {
    (void)state;
    spec_end end;
    spec_exits(log_to_broken_stderr, 0, &end);
}

static int log_with_a_sigpipe_pending(void) {
    sigset_t broken, pending;
    open_pipe();
    close(s.ends[0]);
    config(s.ends[1], "%(message)s");
    sigemptyset(&broken);
    sigaddset(&broken, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &broken, NULL);
    raise(SIGPIPE);
    thrum_error("lost");
    sigpending(&pending);
    return !sigismember(&pending, SIGPIPE);
}

static void a_pending_sigpipe_of_others_stays(void **state) {
    (void)state;
    spec_end end;
    spec_exits(log_with_a_sigpipe_pending, 0, &end);
}

static int log_without_memory(void) {
    open_pipe();
    config(STDERR_FILENO, "%(message)s");
    for (int i = 0; i < LONG; i += 2)
        memcpy(s.big + i, "\xc3\xa9", 2);
    thrum_warning("warm");
    setrlimit(RLIMIT_AS, &(struct rlimit){0, RLIM_INFINITY});
    thrum_warning("%s%*s", s.big, ENORMOUS, "");
    thrum_warning("-%s%*s", s.big, ENORMOUS, "");
    return 0;
}

static void a_line_without_memory_is_cut_and_marked(void **state) {
    spec_end end;
    (void)state;
    if (SPEC_ASAN || SPEC_TSAN)
        skip(); /* a sanitizer ends the program when malloc() fails */
    spec_exits(log_without_memory, 0, &end);
    const char *line = strchr(end.text, '\n') + 1;
    for (int odd = 0; odd < 2; odd++) {
        size_t size = strcspn(line, "\n");
        assert_in_range(size, 900, 1024);
        assert_memory_equal(line + size - 8, "...[cut]", 8);
        assert_memory_equal(line + size - 10, "\xc3\xa9", 2);
        assert_int_equal(line[0] == '-', odd);
        line += size + 1;
    }
    assert_string_equal(line, "");
}

static void a_message_that_cannot_be_expanded_is_cut_and_marked(void **state) {
    const wchar_t bad[] = {0x7fffffff, 0};
    (void)state;
    open_pipe();
    config(s.ends[1], "[%(message)s] %(lineno)d");
    thrum_error("before %ls after", bad);
    assert_int_equal(thrum_log_config(NULL), 0);
    close(s.ends[1]);
    read_all();
    assert_string_equal(s.text, "[before ...[cut]\n");
    close(s.ends[0]);
}

static int log_in_child(void) {
    int rc = thrum_log_config(
        &(thrum_log_opts){.format = "%(asctime)s %(process)d %(message)s", .datefmt = "t"});
    thrum_error("child");
    dprintf(STDOUT_FILENO, "t %d child\n", (int)getpid());
    return rc;
}

static void the_child_of_a_fork_logs_while_a_line_is_written(void **state) {
    spec_end end;
    (void)state;
    open_pipe();
    config(s.ends[1], "%(message)s");
    pthread_t logger = start(log_big, NULL);
    until_pipe_is_full();
    spec_exits(log_in_child, 0, &end);
    size_t half = strlen(end.text) / 2;
    assert_int_equal(half > 0 && !memcmp(end.text, end.text + half, half), 1);
    read_part(0, LONG + 1);
    join(logger);
    close_log();
}

static void a_cancelled_logger_finishes_its_line(void **state) {
    (void)state;
    open_pipe();
    config(s.ends[1], "%(message)s");
    pthread_t logger = start(log_big, NULL);
    until_pipe_is_full();
    pthread_cancel(logger);
    read_part(0, LONG + 1);
    join(logger);
    thrum_error("next");
    read_part(0, 5);
    assert_memory_equal(s.text, "next\n", 5);
    close_log();
}

SPEC_TESTS(cmocka_unit_test(a_broken_stderr_does_not_kill_before_config),
           cmocka_unit_test(a_line_is_one_write),
           cmocka_unit_test(lines_of_many_threads_are_whole),
           cmocka_unit_test(a_partial_write_is_finished),
           cmocka_unit_test(a_full_pipe_that_does_not_block_drops_the_line),
           cmocka_unit_test(a_broken_pipe_does_not_kill),
           cmocka_unit_test(a_pending_sigpipe_of_others_stays),
           cmocka_unit_test(a_line_without_memory_is_cut_and_marked),
           cmocka_unit_test(a_message_that_cannot_be_expanded_is_cut_and_marked),
           cmocka_unit_test(the_child_of_a_fork_logs_while_a_line_is_written),
           cmocka_unit_test(a_cancelled_logger_finishes_its_line));
