/* SPDX-License-Identifier: MIT */
/* Who is dead, seen from odd places: a thread that is being cancelled, a /proc that speaks of other
 * processes, another time namespace. */
#define CONCEPT_PROCESSES
#include "spec.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "concept.h"
#include "shared/who.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

enum { PATH_SIZE = 64 };

typedef struct {
    thrum_shared_lock lock;
    thrum_shared_barrier barrier;
    thrum_shared_semaphore semaphore;
    int rc;
    bool done, cannot;
} shared_state;

CONCEPT_MEMORY(shared_state)
static shared_state *c;

static void begin(void) {
    concept_begin();
    c = concept_memory();
    memset(c, 0, sizeof *c);
    if (thrum__who_process() >> 32 == 0)
        skip(); /* no /proc: nobody knows when it started */
}

/* The own name, of a process that was started at another time: it is dead. */
static uint64_t dead_name(void) { return thrum__who_process() + (UINT64_C(1) << 32); }

static void *meet_the_dead(void *arg) {
    int state;
    assert_int_equal(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state), 0);
    assert_int_equal(pthread_cancel(pthread_self()), 0);
    c->rc = thrum_shared_barrier_wait(&c->barrier);
    int rc = thrum_shared_lock_acquire(&c->lock);
    assert_int_equal(rc, -EOWNERDEAD);
    rc = thrum_shared_semaphore_try_acquire(&c->semaphore);
    assert_int_equal(rc, -EOWNERDEAD);
    __atomic_store_n(&c->done, true, __ATOMIC_RELEASE);
    pthread_testcancel();
    return arg;
}

static void *start_one_that_is_cancelled(void *arg) {
    pthread_t thread;
    void *result = NULL;
    assert_int_equal(pthread_create(&thread, NULL, meet_the_dead, NULL), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, PTHREAD_CANCELED);
    return arg;
}

/* It would end with the guard of an object in hand, in a process that lives. */
static void test_no_wait_is_a_cancellation_point(void **state) {
    (void)state;
    begin();
    c->barrier = (thrum_shared_barrier)THRUM_SHARED_BARRIER_INIT(3);
    c->barrier.thrum__state = UINT64_C(1) << 32;
    c->barrier.thrum__who[0] = dead_name();
    c->lock.thrum__word = dead_name();
    c->semaphore = (thrum_shared_semaphore)THRUM_SHARED_BOUNDED_SEMAPHORE_INIT(1);
    c->semaphore.thrum__value = 0;
    c->semaphore.thrum__accounts.thrum__who[0] = dead_name();
    c->semaphore.thrum__accounts.thrum__held[0] = 1;
    concept_run(start_one_that_is_cancelled, NULL);
    assert_true(c->done);
    assert_int_equal(c->rc, -EOWNERDEAD);
    assert_int_equal(c->barrier.thrum__guard, 0);
}

static bool write_file(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return false;
    bool written = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    return close(fd) == 0 && written;
}

/* A /proc in which the calling process is not itself, and the holder one that started later. */
static bool mount_another_proc(int holder) {
    char path[PATH_SIZE], text[2 * PATH_SIZE];
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", "/proc", "tmpfs", 0, NULL) != 0 || symlink("1", "/proc/self") != 0)
        return false;
    snprintf(path, sizeof path, "/proc/%d", holder);
    mkdir(path, 0755);
    snprintf(path, sizeof path, "/proc/%d/task", holder);
    mkdir(path, 0755);
    snprintf(path, sizeof path, "/proc/%d/task/%d", holder, holder);
    mkdir(path, 0755);
    snprintf(path, sizeof path, "/proc/%d/task/%d/stat", holder, holder);
    snprintf(text, sizeof text, "%d (x) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 7 0 0\n", holder);
    return write_file(path, text);
}

static void *look_from_another_proc(void *holder) {
    c->cannot = !mount_another_proc((int)(intptr_t)holder);
    c->rc = thrum_shared_lock_try_acquire(&c->lock);
    return NULL;
}

static void test_a_proc_of_other_processes_is_not_asked(void **state) {
    (void)state;
    begin();
    assert_int_equal(thrum_shared_lock_acquire(&c->lock), 0);
    concept_run(look_from_another_proc, (void *)(intptr_t)getpid());
    if (c->cannot)
        skip(); /* not allowed to mount */
    assert_int_equal(c->rc, -EBUSY);
}

static void *look_from_another_clock(void *arg) {
    c->cannot = unshare(CLONE_NEWTIME) != 0 ||
                !write_file("/proc/self/timens_offsets", "boottime 100000 0\n");
    if (c->cannot)
        return arg;
    pid_t pid = fork(); /* who is forked off now is in the new namespace */
    if (pid == 0) {
        c->rc = thrum_shared_lock_try_acquire(&c->lock);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    return arg;
}

static void test_a_holder_of_another_time_namespace_is_not_dead(void **state) {
    (void)state;
    begin();
    assert_int_equal(thrum_shared_lock_acquire(&c->lock), 0);
    concept_run(look_from_another_clock, NULL);
    if (c->cannot)
        skip(); /* not allowed, or the kernel is too old */
    assert_int_equal(c->rc, -EBUSY);
}

SPEC_TESTS(cmocka_unit_test(test_no_wait_is_a_cancellation_point),
           cmocka_unit_test(test_a_proc_of_other_processes_is_not_asked),
           cmocka_unit_test(test_a_holder_of_another_time_namespace_is_not_dead));
