/* SPDX-License-Identifier: MIT */
#include "spec.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fork.h"

static char calls[32];

static void note(char c) {
    size_t n = strlen(calls);
    if (n < sizeof calls - 1)
        calls[n] = c;
}

static void prepare_low(void) { note('l'); }
static void prepare_high(void) { note('h'); }
static void parent_low(void) { note('p'); }
static void parent_high(void) { note('P'); }
static void child_low(void) { note('c'); }
static void child_high(void) { note('C'); }

/* The places of this program are the library's own: the test puts itself into those of the log and
 * of threads, in a child, where nobody needs them any more. */
static int run_hooks(void) {
    static const thrum__fork_hooks low = {prepare_low, parent_low, child_low};
    static const thrum__fork_hooks high = {prepare_high, parent_high, child_high};
    static const thrum__fork_hooks none = {NULL, NULL, NULL};
    int status;
    thrum__fork_register(THRUM__FORK_THREAD, &low);
    thrum__fork_register(THRUM__FORK_LOG, &high);
    thrum__fork_register(THRUM__FORK_LOG, &high);
    pid_t pid = fork();
    if (pid == 0)
        _exit(strcmp(calls, "hlcC") == 0 ? 0 : 1);
    if (waitpid(pid, &status, 0) != pid || status != 0)
        return 1;
    if (strcmp(calls, "hlpP") != 0)
        return 2;
    memset(calls, 0, sizeof calls);
    thrum__fork_register(THRUM__FORK_THREAD, &none);
    pid = fork();
    if (pid == 0)
        _exit(strcmp(calls, "hC") == 0 ? 0 : 1);
    if (waitpid(pid, &status, 0) != pid || status != 0)
        return 3;
    return strcmp(calls, "hP") == 0 ? 0 : 4;
}

static void test_hooks_run_in_the_order_of_the_floors(void **state) {
    (void)state;
    static spec_end end;
    spec_exits(run_hooks, 0, &end);
}

SPEC_TESTS(cmocka_unit_test(test_hooks_run_in_the_order_of_the_floors));
