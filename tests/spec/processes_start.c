/* SPDX-License-Identifier: MIT */
/* What workers start with, and programs that start them at odd times or in odd states. */
#include "process_pool.h"
#include "spec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sanitizers.h"

static int constructed; /* what thrum_executor_new() gave the constructor below */

/* A pool that is made at the program's start, and so by each worker of itself. */
__attribute__((constructor)) static void a_constructor_that_makes_a_pool(void) {
    if (!getenv("SPEC_POOL_IN_CONSTRUCTOR"))
        return;
    thrum_executor *pool = thrum_executor_new(
        &(thrum_executor_opts){.backend = thrum_processes, .max_workers = 1});
    constructed = pool ? 1 : -errno;
    thrum_executor_free(pool);
    if (strcmp(getenv("SPEC_POOL_IN_CONSTRUCTOR"), "last") == 0)
        _exit(-constructed);
}

THRUM_TASK(int, what_the_constructor_got) { return constructed; }

THRUM_TASK(int, process) { return (int)getpid(); }

/* What makes the system forget by whose death a process is to be killed. */
static int another_user(void *arg) {
    (void)arg;
    return geteuid() == 0 && setresuid(12345, 12345, 12345) != 0 ? -errno : 0;
}

THRUM_TASK(void, work_for_ever) {
    for (;;)
        pause();
}

/* To streams that are not there. */
THRUM_TASK(int, say, (int, x)) {
    printf("%d\n", x);
    fprintf(stderr, "%d\n", x);
    fflush(stdout);
    return x;
}

typedef struct value_text {
    char text[16];
} value_text;

THRUM_TASK(value_text, variable) {
    value_text value = {""};
    const char *found = getenv("SPEC_VARIABLE");
    snprintf(value.text, sizeof value.text, "%s", found ? found : "?");
    return value;
}

static thrum_executor *pool_with(int n, const thrum_processes_opts *opts) {
    spec_needs_own_processes();
    thrum_executor *pool = thrum_executor_new(
        &(thrum_executor_opts){.backend = thrum_processes, .backend_opts = opts, .max_workers = n,
                               .name_prefix = "S"});
    assert_non_null(pool);
    return pool;
}

static void close_standard_streams(void) {
    for (int fd = 0; fd < 3; fd++)
        close(fd);
}

static int without_standard_streams(bool before) {
    if (before)
        close_standard_streams();
    thrum_executor *pool = thrum_executor_new(
        &(thrum_executor_opts){.backend = thrum_processes, .max_workers = 2});
    if (!before)
        close_standard_streams();
    for (int i = 0; i < 40; i++) {
        thrum_future *f;
        int value = 0;
        if (say_submit(pool, &f, i) != 0 || say_result(f, &value) != 0 || value != i)
            return 1;
        thrum_future_free(f);
        printf("%d\n", i);
        fprintf(stderr, "%d\n", i);
        fflush(stdout);
    }
    thrum_executor_free(pool);
    return 0;
}

static int none_before(void) { return without_standard_streams(true); }

static int none_after(void) { return without_standard_streams(false); }

static void test_no_standard_streams(void **state) {
    (void)state;
    spec_needs_own_processes();
    spec_end end;
    spec_exits(none_before, 0, &end);
    spec_exits(none_after, 0, &end);
}

/* Workers are started again and again while the program changes its environment. */
static void test_the_environment_is_that_of_before(void **state) {
    (void)state;
    setenv("SPEC_VARIABLE", "before", 1);
    thrum_executor *pool = pool_with(2, &(thrum_processes_opts){.max_tasks_per_child = 1});
    thrum_future *f[20];
    for (int i = 0; i < 20; i++)
        assert_int_equal(variable_submit(pool, &f[i]), 0);
    for (int i = 0; i < 20; i++) {
        value_text value;
        while (!thrum_future_done(f[i])) {
            char name[32];
            snprintf(name, sizeof name, "SPEC_%u", spec_random(1000));
            setenv(name, "x", 1);
            setenv("SPEC_VARIABLE", "after", 1);
            unsetenv(name);
        }
        assert_int_equal(variable_result(f[i], &value), 0);
        assert_string_equal(value.text, "before");
        thrum_future_free(f[i]);
    }
    thrum_executor_free(pool);
}

/* Descriptors for some workers of many. */
static int with_few_descriptors(void) {
    struct rlimit few = {24, 24};
    thrum_executor *pool = thrum_executor_new(
        &(thrum_executor_opts){.backend = thrum_processes, .max_workers = 100});
    setrlimit(RLIMIT_NOFILE, &few);
    enum { N = 300 };
    static thrum_future *f[N];
    for (int i = 0; i < N; i++)
        if (number_submit(pool, &f[i], i) != 0)
            return 1;
    for (int i = 0; i < N; i++) {
        int value = -1;
        if (number_result(f[i], &value) != 0 || value != i)
            return 2;
        thrum_future_free(f[i]);
    }
    thrum_executor_free(pool);
    return 0;
}

static void test_few_descriptors(void **state) {
    (void)state;
    spec_needs_own_processes();
    spec_end end;
    spec_exits(with_few_descriptors, 0, &end);
}

/* The constructor makes none in a worker, and one here. */
static void test_a_pool_made_by_a_constructor(void **state) {
    (void)state;
    setenv("SPEC_POOL_IN_CONSTRUCTOR", "1", 1);
    thrum_executor *pool = pool_with(1, NULL);
    unsetenv("SPEC_POOL_IN_CONSTRUCTOR");
    thrum_future *f;
    int value = 0;
    assert_int_equal(what_the_constructor_got_submit(pool, &f), 0);
    assert_int_equal(what_the_constructor_got_result(f, &value), 0);
    assert_int_equal(value, -ENOTSUP);
    thrum_future_free(f);
    still_works(pool);
}

static int killed_with_a_worker_of_another_user(void) {
    thrum_executor *pool = thrum_executor_new(&(thrum_executor_opts){
        .backend = thrum_processes, .max_workers = 1, .initializer = another_user});
    thrum_future *f, *g;
    int pid;
    if (process_submit(pool, &f) != 0 || process_result(f, &pid) != 0)
        return 1;
    thrum_future_free(f);
    if (work_for_ever_submit(pool, &g) != 0)
        return 2;
    while (!thrum_future_running(g))
        spec_yield();
    kill(getpid(), SIGKILL);
    return 3;
}

static void test_no_orphan_of_another_user(void **state) {
    (void)state;
    spec_needs_own_processes();
    spec_end end;
    spec_child(killed_with_a_worker_of_another_user, &end);
    assert_true(WIFSIGNALED(end.status) && WTERMSIG(end.status) == SIGKILL);
}

static char set_user_id[64];

/* Returns whether there is now a copy of this program that gets another user's rights. */
static bool make_set_user_id(void) {
    struct statvfs where;
    struct stat all;
    if (statvfs("/tmp", &where) != 0 || (where.f_flag & (ST_NOSUID | ST_NOEXEC)) ||
        prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 0)
        return false;
    snprintf(set_user_id, sizeof set_user_id, "/tmp/thrum-spec-processes-%d", (int)getpid());
    int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    int to = open(set_user_id, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
    bool made = from >= 0 && to >= 0 && fstat(from, &all) == 0;
    while (made && sendfile(to, from, NULL, (size_t)all.st_size) > 0)
        continue;
    made = made && fchown(to, 12345, 12345) == 0 && fchmod(to, 04755) == 0;
    close(from);
    close(to);
    return made;
}

/* Made a worker by whoever starts it, it could be told to call anything with the other user's
 * rights. */
static int start_set_user_id(void) {
    char variable[64];
    snprintf(variable, sizeof variable, "3,4,0,%d,0,x", (int)getppid());
    setenv("THRUM__PROCESS_WORKER", variable, 1);
    setenv("SPEC_POOL_IN_CONSTRUCTOR", "last", 1);
    execl(set_user_id, set_user_id, (char *)NULL);
    return 1;
}

static void test_a_program_with_more_rights_is_no_worker(void **state) {
    (void)state;
    spec_needs_own_processes();
    spec_end end;
    if (geteuid() != 0 || SPEC_ASAN || SPEC_TSAN)
        skip(); /* only root gives a file away; a sanitizer does not start with more rights */
    bool made = make_set_user_id();
    if (made)
        spec_child(start_set_user_id, &end);
    unlink(set_user_id);
    if (!made)
        skip(); /* /tmp, or this process, lets no program get more rights */
    assert_true(WIFEXITED(end.status));
    assert_int_equal(WEXITSTATUS(end.status), ENOTSUP);
    assert_int_equal(spec_count_text(end.text, "set-user-ID"), 1);
}

SPEC_TESTS(cmocka_unit_test(test_no_standard_streams),
           cmocka_unit_test(test_the_environment_is_that_of_before),
           cmocka_unit_test(test_few_descriptors),
           cmocka_unit_test(test_a_pool_made_by_a_constructor),
           cmocka_unit_test(test_a_program_with_more_rights_is_no_worker),
           cmocka_unit_test(test_no_orphan_of_another_user));
