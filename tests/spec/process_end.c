/* SPDX-License-Identifier: MIT */
/* Processes and the end of their program; forks; and who else waits for children. */
#include "spec.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thrum/process.h>
#include <unistd.h>

typedef struct common {
    thrum_shared_event go;
    thrum_shared_semaphore here;
    thrum_shared_lock lock; /* held by a process that lives */
    int pid, n;
} common;

static thrum_shared *segment;
static common *c;

static void begin(void) {
    spec_needs_own_processes();
    assert_int_equal(thrum_shared_create(&segment, NULL, sizeof *c, NULL), 0);
    c = thrum_shared_memory(segment);
}

static void done(void) { thrum_shared_close(segment); }

THRUM_TASK(void, nothing) {}

THRUM_TASK(void, say, (common *, shared)) {
    thrum_shared_semaphore_release(&shared->here, 1);
    thrum_shared_event_wait(&shared->go);
    shared->n++;
    printf("said\n");
}

THRUM_TASK(void, say_when_dead, (common *, shared)) {
    assert_int_equal(thrum_shared_semaphore_acquire(&shared->here), 0);
    assert_int_equal(thrum_shared_lock_acquire(&shared->lock), -EOWNERDEAD);
    printf("said\n");
}

/* Its stdin is /dev/null, for what it starts too. */
THRUM_TASK(void, look_at_streams, (int *, n)) {
    struct stat about, null;
    if (fstat(0, &about) != 0 || stat("/dev/null", &null) != 0 || about.st_rdev != null.st_rdev)
        exit(1);
    if (fcntl(0, F_GETFD) != 0)
        exit(2);
    if (fcntl(1, F_GETFD) >= 0 || fcntl(2, F_GETFD) >= 0)
        exit(3);
    *n = 1;
}

static void on_sigterm(int number) {
    (void)!write(STDOUT_FILENO, "asked to end\n", 13);
    _exit(number);
}

THRUM_TASK(void, live, (common *, shared), (bool, deaf)) {
    signal(SIGTERM, deaf ? SIG_IGN : on_sigterm);
    assert_int_equal(thrum_shared_lock_acquire(&shared->lock), 0);
    shared->pid = (int)getpid();
    thrum_shared_semaphore_release(&shared->here, 1);
    for (;;)
        pause();
}

static void until_here(int n) {
    while (n-- > 0)
        assert_int_equal(thrum_shared_semaphore_acquire(&c->here), 0);
}

/* Waits until the process that held the lock is dead. */
static void until_dead(void) {
    assert_int_equal(thrum_shared_lock_acquire(&c->lock), -EOWNERDEAD);
    thrum_shared_lock_release(&c->lock);
}

static int end_with_a_regular_one(void) {
    int rc = say_start_process(NULL, c, NULL);
    until_here(1);
    thrum_shared_event_set(&c->go);
    return rc == 0 ? 5 : 1;
}

static void test_the_end_waits(void **state) {
    (void)state;
    static spec_end end;
    begin();
    spec_exits(end_with_a_regular_one, 5, &end);
    assert_int_equal(c->n, 1);
    assert_string_equal(end.text, "said\n");
    done();
}

static int end_with_a_daemon(void) {
    int rc = live_start_process(NULL, c, false, &(thrum_process_opts){.daemon = true});
    until_here(1);
    return rc == 0 ? 5 : 1;
}

static void test_the_end_ends_daemons(void **state) {
    (void)state;
    static spec_end end;
    begin();
    spec_exits(end_with_a_daemon, 5, &end);
    assert_int_equal(kill(c->pid, 0), -1);
    assert_int_equal(errno, ESRCH);
    until_dead();
    assert_string_equal(end.text, "asked to end\n");
    done();
}

static int end_with_both(void) {
    int rc = live_start_process(NULL, c, true, &(thrum_process_opts){.daemon = true});
    until_here(1);
    thrum_shared_semaphore_release(&c->here, 1);
    return rc || say_when_dead_start_process(NULL, c, &(thrum_process_opts){.name = "it"}) ? 1 : 5;
}

/* It takes 5 s. */
static void test_the_end_kills_the_deaf_and_tells_for_whom_it_waits(void **state) {
    (void)state;
    static spec_end end;
    begin();
    spec_exits(end_with_both, 5, &end);
    assert_int_equal(spec_count_text(end.text, "the program's end waits for process \"it\" ("), 1);
    assert_int_equal(spec_count_text(end.text, "said\n"), 1);
    done();
}

static int start_all_and_be_killed(void) {
    assert_int_equal(say_start_process(NULL, c, NULL), 0);
    assert_int_equal(live_start_process(NULL, c, true, &(thrum_process_opts){.daemon = true}), 0);
    until_here(2);
    raise(SIGKILL);
    return 0;
}

/* The daemon dies with its parent, the regular one lives on: it writes when we let it go. */
static void test_a_parent_that_is_killed(void **state) {
    (void)state;
    int ends[2];
    char text[8] = "";
    begin();
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        alarm(60);
        _exit(start_all_and_be_killed());
    }
    int status;
    close(ends[1]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    until_dead();
    assert_int_equal(c->n, 0);
    thrum_shared_event_set(&c->go);
    assert_int_equal(read(ends[0], text, sizeof text), 5);
    assert_string_equal(text, "said\n");
    assert_int_equal(read(ends[0], text, sizeof text), 0); /* nobody is left who has the pipe */
    assert_int_equal(c->n, 1);
    close(ends[0]);
    done();
}

/* Whether a descriptor of that kind is open. */
static bool has_descriptor(const char *kind) {
    char path[64], text[64];
    for (int fd = 0; fd < 256; fd++) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(path, text, sizeof text - 1);
        text[n > 0 ? n : 0] = '\0';
        if (strstr(text, kind))
            return true;
    }
    return false;
}

static thrum_process *of_the_parent;

static int use_it_in_a_fork(void) {
    int code;
    thrum_process *p;
    assert_false(has_descriptor("pidfd"));
    assert_false(has_descriptor("eventpoll"));
    assert_false(thrum_process_is_alive(of_the_parent));
    assert_int_equal(thrum_process_join(of_the_parent), -ECHILD);
    assert_int_equal(thrum_process_join_until(of_the_parent, THRUM_NEVER), -ECHILD);
    assert_int_equal(thrum_process_exit_code(of_the_parent, &code), -ECHILD);
    assert_int_equal(thrum_process_terminate(of_the_parent), -ECHILD);
    assert_int_equal(thrum_process_kill(of_the_parent), -ECHILD);
    assert_int_equal(thrum_process_enumerate(NULL, 0), 0);
    thrum_waitable its_end = thrum_process_waitable(of_the_parent);
    assert_int_equal(thrum_wait_any(&its_end, 1, THRUM_NEVER, NULL), 0);
    thrum_process_free(of_the_parent);
    assert_int_equal(nothing_start_process(&p, NULL), 0);
    assert_int_equal(thrum_process_join(p), 0);
    assert_int_equal(thrum_process_exit_code(p, &code), 0);
    thrum_process_free(p);
    return 7; /* and its end does not wait for what its parent has started */
}

static void test_in_the_child_of_a_fork(void **state) {
    (void)state;
    static spec_end end;
    spec_skip_under_tsan("stops in a child that starts threads");
    begin();
    assert_int_equal(say_start_process(&of_the_parent, c, NULL), 0);
    assert_true(has_descriptor("eventpoll"));
    for (int i = 0; i < 3; i++)
        spec_exits(use_it_in_a_fork, 7, &end);
    assert_true(thrum_process_is_alive(of_the_parent));
    thrum_shared_event_set(&c->go);
    assert_int_equal(thrum_process_join(of_the_parent), 0);
    assert_int_equal(thrum_process_close(of_the_parent), 0);
    done();
}

static bool stop;

static void *start_and_join(void *arg) {
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        thrum_process *p;
        assert_int_equal(nothing_start_process(&p, NULL), 0);
        assert_int_equal(thrum_process_join(p), 0);
        assert_int_equal(thrum_process_close(p), 0);
    }
    return arg;
}

static int start_one_in_a_fork(void) {
    thrum_process *p;
    int code;
    return nothing_start_process(&p, NULL) || thrum_process_join(p) ||
           thrum_process_exit_code(p, &code) ? 1 : 7;
}

static void test_forks_among_starts(void **state) {
    (void)state;
    static spec_end end;
    spec_skip_under_tsan("stops in a child that starts threads");
    begin();
    spec_team team = {.n = 0};
    __atomic_store_n(&stop, false, __ATOMIC_RELAXED);
    spec_team_start(&team, 2, start_and_join, NULL);
    for (int i = 0; i < 10; i++)
        spec_exits(start_one_in_a_fork, 7, &end);
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    spec_team_join(&team);
    done();
}

static int start_with_sigchld_ignored(void) {
    thrum_process *p;
    int code;
    signal(SIGCHLD, SIG_IGN);
    assert_int_equal(nothing_start_process(&p, NULL), 0);
    assert_int_equal(thrum_process_join(p), 0);
    assert_int_equal(thrum_process_exit_code(p, &code), -ECHILD);
    assert_false(thrum_process_is_alive(p));
    assert_int_equal(thrum_process_close(p), 0);
    return 7;
}

static void test_who_ignores_sigchld(void **state) {
    (void)state;
    static spec_end end;
    begin();
    spec_exits(start_with_sigchld_ignored, 7, &end);
    done();
}

static int wait_for_any_child(void) {
    thrum_process *p;
    int code, stolen = 0;
    for (int i = 0; i < 20; i++) {
        int status = 0;
        assert_int_equal(nothing_start_process(&p, NULL), 0);
        pid_t pid = waitpid(-1, &status, 0);
        assert_int_equal(thrum_process_join(p), 0);
        int rc = thrum_process_exit_code(p, &code);
        assert_int_equal(rc, pid > 0 ? -ECHILD : 0);
        assert_true(rc == -ECHILD || code == 0);
        assert_int_equal(thrum_process_kill(p), 0);
        assert_int_equal(thrum_process_close(p), 0);
        stolen += pid > 0;
    }
    printf("%d stolen\n", stolen);
    return 7;
}

static void test_who_waits_for_any_child(void **state) {
    (void)state;
    static spec_end end;
    begin();
    spec_exits(wait_for_any_child, 7, &end);
    done();
}

/* Returns the soft limit of descriptors, which is set to `n` (0: as it is). */
static rlim_t limit_descriptors(rlim_t n) {
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    rlim_t old = limit.rlim_cur;
    limit.rlim_cur = n ? n : old;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    return old;
}

static int start_without_descriptors(void) {
    thrum_process *p = NULL;
    int code, refused = 0;
    int first = dup(0);
    close(first);
    for (rlim_t more = 0;; more++) {
        rlim_t old = limit_descriptors((rlim_t)first + more);
        int rc = nothing_start_process(&p, NULL);
        limit_descriptors(old);
        if (rc == 0)
            break;
        assert_int_equal(rc, -EMFILE);
        assert_null(p);
        refused++;
    }
    assert_true(refused > 1);
    assert_int_equal(thrum_process_join(p), 0);
    assert_int_equal(thrum_process_exit_code(p, &code), 0);
    assert_int_equal(code, 0);
    return thrum_process_close(p) == 0 ? 7 : 1;
}

/* With just enough there is no descriptor for the process itself: it is looked at now and then. */
static void test_without_descriptors(void **state) {
    (void)state;
    static spec_end end;
    begin();
    spec_exits(start_without_descriptors, 7, &end);
    done();
}

/* Nothing takes the place of a stream that is closed: not here, nor there. */
static int start_without_streams(void) {
    thrum_process *p;
    struct stat about;
    int code = 0;
    for (int fd = 0; fd < 3; fd++)
        close(fd);
    for (int i = 0; i < 2; i++) {
        c->n = 0;
        if (look_at_streams_start_process(&p, &c->n, NULL) || thrum_process_join(p) ||
            thrum_process_exit_code(p, &code) || code != 0 || c->n != 1)
            return 10 + code;
        thrum_process_free(p);
        for (int fd = 0; fd < 3; fd++)
            if (fstat(fd, &about) == 0)
                return 20 + fd;
    }
    return 7;
}

static void test_without_streams(void **state) {
    (void)state;
    static spec_end end;
    begin();
    spec_exits(start_without_streams, 7, &end);
    done();
}

/* Those that start processes here come last: TSan allows no threads in forks of several. */
SPEC_TESTS(cmocka_unit_test(test_the_end_waits), cmocka_unit_test(test_the_end_ends_daemons),
           cmocka_unit_test(test_the_end_kills_the_deaf_and_tells_for_whom_it_waits),
           cmocka_unit_test(test_a_parent_that_is_killed),
           cmocka_unit_test(test_who_ignores_sigchld),
           cmocka_unit_test(test_who_waits_for_any_child),
           cmocka_unit_test(test_without_descriptors), cmocka_unit_test(test_without_streams),
           cmocka_unit_test(test_in_the_child_of_a_fork),
           cmocka_unit_test(test_forks_among_starts));
