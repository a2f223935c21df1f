/* SPDX-License-Identifier: MIT */
/* The memory that a pool of processes uses again and again, and forks. */
#include "spec.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "entries.h"
#include "process/store.h"

enum { SIZE = 300000 };

static void fill(int byte) {
    void *handle, *at = thrum__store_take(SIZE, &handle);
    assert_non_null(at);
    memset(at, byte, SIZE);
    thrum__store_give(handle);
}

/* What is free is a process's own, though its parent had it first. */
static void test_a_child_of_a_fork_has_its_own(void **state) {
    (void)state;
    void *handle;
    int status, before = entries("/proc/self/fd");
    thrum__store_open();
    fill('p');
    pid_t pid = fork();
    if (pid == 0) {
        thrum__store_open();
        fill('c');
        thrum__store_close();
        _exit(entries("/proc/self/fd") != before);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    const char *at = thrum__store_take(SIZE, &handle);
    assert_int_equal(at[0], 'p');
    assert_int_equal(at[SIZE - 1], 'p');
    thrum__store_give(handle);
    thrum__store_close();
    assert_int_equal(entries("/proc/self/fd"), before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_child_of_a_fork_has_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
