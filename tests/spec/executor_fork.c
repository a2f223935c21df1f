/* SPDX-License-Identifier: MIT */
/* fork() inside of a task: the child finishes that task, and nothing else of the parent's pools. */
#include "spec.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CODE = 9, QUEUED = 3 };

static thrum_executor *pool, *other;
static thrum_event go, started;
static thrum_future *queued[QUEUED];

/* Shared with the child. */
static struct {
    pid_t parent;
    int in_child;  /* tasks and items that ran there */
    int wrong;     /* the line of what was not as it should be */
    bool returned; /* the child came out of the task that forked */
} *s;

static void begin(void) {
    s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(s, MAP_FAILED);
    s->parent = getpid();
    thrum_event_clear(&go);
    thrum_event_clear(&started);
}

static void end(void) {
    assert_int_equal(s->wrong, 0);
    assert_int_equal(s->in_child, 0);
    munmap(s, sizeof *s);
}

static void check(bool good, int line) {
    if (!good && !s->wrong)
        s->wrong = line;
}

static void *note(void *arg) {
    __atomic_add_fetch(&s->in_child, getpid() != s->parent, __ATOMIC_RELAXED);
    return arg;
}

/* Returns 0 in the child. The parent waits for its end, which is that of a thread, or exit(). */
static pid_t fork_child(void) {
    int status = 0;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(20);
        return 0;
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return pid;
}

static void *fork_here(void *arg) {
    if (fork_child() == 0)
        s->returned = true;
    return arg;
}

static void *wait_for_go(void *arg) {
    thrum_event_set(&started);
    thrum_event_wait(&go);
    return arg;
}

static void *submit_and_fork(void *arg) {
    for (int i = 0; i < QUEUED; i++)
        assert_int_equal(thrum_submit(pool, &queued[i], note, NULL), 0);
    return fork_here(arg);
}

/* What stands in both queues behind the task that forks runs in the parent, once. */
static void test_the_child_leaves_the_queues(void **state) {
    (void)state;
    spec_needs_os("a child whose worker ends");
    spec_skip_under_tsan("does not follow a fork from a thread");
    begin();
    thrum_future *forks;
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1});
    assert_int_equal(thrum_submit(pool, NULL, wait_for_go, NULL), 0);
    thrum_event_wait(&started);
    assert_int_equal(thrum_submit(pool, &forks, submit_and_fork, NULL), 0);
    for (int i = 0; i < QUEUED; i++)
        assert_int_equal(thrum_submit(pool, NULL, note, NULL), 0);
    thrum_event_set(&go);
    assert_int_equal(thrum_wait(&forks, 1, THRUM_ALL_COMPLETED, THRUM_NEVER), 0);
    assert_int_equal(thrum_future_result(forks, NULL), 0);
    assert_true(s->returned);
    for (int i = 0; i < QUEUED; i++) {
        assert_int_equal(thrum_future_result(queued[i], NULL), 0);
        thrum_future_free(queued[i]);
    }
    thrum_future_free(forks);
    thrum_executor_free(pool);
    end();
}

static int note_item(const void *item, void *result) {
    (void)item;
    (void)result;
    note(NULL);
    return 0;
}

static void count_callback(thrum_future *future, void *calls) {
    *(int *)calls += thrum_future_cancelled(future);
}

/* In the child, inside the task. */
static void use_parents_pool(void) {
    static const int items[8];
    thrum_future *made = NULL;
    int calls = 0;
    check(thrum_submit(pool, &made, note, NULL) == -EPIPE && !made, __LINE__);
    check(thrum_submit(pool, NULL, note, NULL) == -EPIPE, __LINE__);
    check(thrum_map(pool, note_item, items, 8, sizeof items[0], NULL, 0, NULL) == -EPIPE, __LINE__);
    check(thrum_future_result(queued[0], NULL) == -ECANCELED, __LINE__);
    check(thrum_wait(&queued[1], 1, THRUM_ALL_COMPLETED, THRUM_NEVER) == 0, __LINE__);
    check(thrum_future_cancelled(queued[1]), __LINE__);
    check(thrum_future_add_done_callback(queued[2], count_callback, &calls) == 0, __LINE__);
    check(calls == 1, __LINE__);
    check(thrum_executor_shutdown(pool, true, true) == 0, __LINE__);
    other = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1});
    check(thrum_submit(other, &made, wait_for_go, NULL) == 0, __LINE__);
    thrum_event_set(&go);
    check(thrum_future_result(made, NULL) == 0, __LINE__);
    thrum_executor_free(other);
}

static void *fork_and_use(void *arg) {
    for (int i = 0; i < QUEUED; i++)
        assert_int_equal(thrum_submit(pool, &queued[i], note, NULL), 0);
    if (fork_child() == 0) {
        use_parents_pool();
        s->returned = true;
        _exit(0);
    }
    return arg;
}

static void test_the_parents_pool_in_the_child(void **state) {
    (void)state;
    spec_needs_os("a child that starts threads beside the parent's");
    spec_skip_under_tsan("does not follow a fork from a thread");
    begin();
    thrum_future *forks;
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1});
    assert_int_equal(thrum_submit(pool, &forks, fork_and_use, NULL), 0);
    assert_int_equal(thrum_wait(&forks, 1, THRUM_ALL_COMPLETED, THRUM_NEVER), 0);
    assert_int_equal(thrum_future_result(forks, NULL), 0);
    assert_true(s->returned);
    for (int i = 0; i < QUEUED; i++) {
        assert_int_equal(thrum_future_result(queued[i], NULL), 0);
        thrum_future_free(queued[i]);
    }
    thrum_future_free(forks);
    thrum_executor_free(pool);
    end();
}

static thrum_thread *caller;

/* The one that helps forks; the caller is in an item meanwhile. */
static int fork_in_item(const void *item, void *result) {
    (void)item;
    (void)result;
    note(NULL);
    if (thrum_thread_current() == caller) {
        thrum_event_wait(&go);
    } else if (!thrum_event_is_set(&go)) {
        if (fork_child() != 0)
            thrum_event_set(&go);
        else
            s->returned = true;
    }
    return 0;
}

/* The child's only thread is who helped: it ends its item. The caller, who goes on, is not
 * there. */
static void test_a_fork_of_who_helps_a_map(void **state) {
    static const int items[100];
    (void)state;
    spec_needs_os("a child whose worker ends");
    spec_skip_under_tsan("does not follow a fork from a thread");
    begin();
    caller = thrum_thread_current();
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 2});
    assert_int_equal(thrum_map(pool, fork_in_item, items, 100, sizeof items[0], NULL, 0,
                               &(thrum_map_opts){.chunk = 5}),
                     0);
    assert_true(s->returned);
    thrum_executor_free(pool);
    end();
}

/* Writes over the stack that another thread had. */
static void *overwrite(void *arg) {
    volatile char bytes[100000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)0xa5;
    (void)arg;
    return bytes[17] == 0 ? s : NULL;
}

/* In the child other threads take the place of the caller of the map, whose stack held it. */
static int fork_on_a_worker(const void *item, void *result) {
    (void)result;
    note(NULL);
    if (*(const int *)item == 0 && fork_child() == 0) {
        s->returned = true;
        pthread_t threads[8];
        for (int i = 0; i < 8; i++)
            check(pthread_create(&threads[i], NULL, overwrite, NULL) == 0, __LINE__);
        for (int i = 0; i < 8; i++)
            pthread_join(threads[i], NULL);
    }
    return 0;
}

static int prepare(void *arg) {
    (void)arg;
    return 0;
}

static void *call_map(void *arg) {
    int items[100], codes[100];
    for (int i = 0; i < 100; i++)
        items[i] = i;
    int rc = thrum_map(pool, fork_on_a_worker, items, 100, sizeof items[0], NULL, 0,
                       &(thrum_map_opts){.chunk = 100, .codes = codes});
    *(int *)arg = rc;
    return NULL;
}

static void test_a_fork_in_a_map_that_was_submitted(void **state) {
    (void)state;
    spec_needs_os("a child whose worker ends");
    spec_skip_under_tsan("does not follow a fork from a thread");
    begin();
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1, .initializer = prepare});
    pthread_t thread;
    int rc = 1;
    assert_int_equal(pthread_create(&thread, NULL, call_map, &rc), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(rc, 0);
    assert_true(s->returned);
    thrum_executor_free(pool);
    end();
}

THRUM_FORK_JOIN(void, spawned, w, (bool, forks)) {
    (void)w;
    note(NULL);
    thrum_event_set(forks ? &go : &started);
    thrum_event_wait(forks ? &started : &go);
    if (forks && thrum_thread_current() != caller)
        (void)fork_child();
}

THRUM_FORK_JOIN(void, nothing, w) { (void)w; }

/* The first call is taken, and forks when another worker is in the second: by then half of them are
 * public. */
THRUM_FORK_JOIN(void, owner, w) {
    caller = thrum_thread_current();
    spawned_spawn(w, true);
    for (int i = 0; i < 7; i++)
        spawned_spawn(w, false);
    while (!thrum_event_is_set(&go) || !thrum_event_is_set(&started)) {
        nothing_spawn(w);
        spec_yield();
        nothing_sync(w);
    }
    for (int i = 0; i < 8; i++)
        spawned_sync(w);
}

static void test_a_fork_in_a_call_that_was_taken(void **state) {
    (void)state;
    spec_needs_os("a child whose worker ends");
    spec_skip_under_tsan("does not follow a fork from a thread");
    begin();
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 3});
    assert_int_equal(owner_run(pool), 0);
    thrum_executor_free(pool);
    end();
}

SPEC_TESTS(cmocka_unit_test(test_the_child_leaves_the_queues),
           cmocka_unit_test(test_the_parents_pool_in_the_child),
           cmocka_unit_test(test_a_fork_of_who_helps_a_map),
           cmocka_unit_test(test_a_fork_in_a_map_that_was_submitted),
           cmocka_unit_test(test_a_fork_in_a_call_that_was_taken));
