/* SPDX-License-Identifier: MIT */
/* The n-th call of malloc(), calloc(), pthread_create() or posix_spawn() fails, for every n until
 * none is left: each start is done or refused, nothing is left behind, and the next one
 * succeeds. */
#include "fault.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <thrum/process.h>
#include <unistd.h>

static int spawn_in, spawn_error;

/* In the place of libc's; a path is not searched for. */
int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *attributes, char *const *argv, char *const *environment) {
    return due(&spawn_in) ? spawn_error
                          : posix_spawnp(pid, path, actions, attributes, argv, environment);
}

THRUM_TASK(void, add, (int *, sum), (int, n)) { *sum += n; }

static thrum_shared *segment;

static int *begin(void) {
    spec_needs_own_processes();
    assert_int_equal(thrum_shared_create(&segment, NULL, sizeof(int), NULL), 0);
    return thrum_shared_memory(segment);
}

static int count_descriptors(void) {
    int n = 0;
    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static int descriptors; /* that may be open, once there is the thread */

/* Returns whether the start was refused, which leaves nothing behind. */
static bool is_refused(int *sum, int expected) {
    thrum_process *p = NULL;
    int code, before = *sum;
    int rc = add_start_process(&p, sum, 1, NULL);
    fail_no_more();
    __atomic_store_n(&spawn_in, 0, __ATOMIC_RELAXED);
    assert_int_equal(rc == 0, p != NULL);
    if (rc == 0) {
        assert_int_equal(thrum_process_join(p), 0);
        assert_int_equal(thrum_process_exit_code(p, &code), 0);
        assert_int_equal(code, 0);
        assert_int_equal(thrum_process_close(p), 0);
    } else {
        assert_int_equal(rc, expected);
    }
    assert_int_equal(*sum, before + (rc == 0));
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(thrum_process_enumerate(NULL, 0), 0);
    if (descriptors)
        assert_int_equal(count_descriptors(), descriptors);
    return rc != 0;
}

static void test_without_a_thread(void **state) {
    (void)state;
    int *sum = begin();
    int before = count_descriptors(), n = 1;
    for (fail_from(0, n, false); is_refused(sum, -EAGAIN); fail_from(0, ++n, false))
        assert_int_equal(count_descriptors(), before);
    assert_true(n > 1);
    descriptors = count_descriptors() - 1;
    thrum_shared_close(segment);
}

static void test_without_memory(void **state) {
    (void)state;
    int *sum = begin(), n = 1;
    descriptors++;
    for (fail_from(n, 0, false); is_refused(sum, -ENOMEM); fail_from(++n, 0, false))
        continue;
    assert_true(n > 5);
    descriptors--;
    thrum_shared_close(segment);
}

static void test_without_a_process(void **state) {
    (void)state;
    int *sum = begin();
    const int errors[] = {ENOMEM, ENOENT};
    descriptors++;
    for (int i = 0; i < 2; i++) {
        spawn_error = errors[i];
        __atomic_store_n(&spawn_in, 1, __ATOMIC_RELAXED);
        assert_true(is_refused(sum, -errors[i]));
    }
    spawn_error = EAGAIN; /* is tried again */
    __atomic_store_n(&spawn_in, 1, __ATOMIC_RELAXED);
    assert_false(is_refused(sum, 0));
    __atomic_store_n(&all, true, __ATOMIC_RELAXED);
    __atomic_store_n(&spawn_in, 1, __ATOMIC_RELAXED);
    assert_true(is_refused(sum, -EAGAIN));
    assert_false(is_refused(sum, 0));
    descriptors--;
    thrum_shared_close(segment);
}

SPEC_TESTS(cmocka_unit_test(test_without_a_thread), cmocka_unit_test(test_without_memory),
           cmocka_unit_test(test_without_a_process));
