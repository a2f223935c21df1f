/* SPDX-License-Identifier: MIT */
/* The pipes of a worker's output where descriptors are few. */
#include "spec.h"

#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

#include "entries.h"
#include "process/output.h"

/* The caller would close what was closed, and may be another's by then. */
static void test_nothing_is_left_to_be_closed(void **state) {
    (void)state;
    thrum__output *output;
    struct rlimit limit, few;
    assert_int_equal(thrum__output_new(&output, "it"), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    int first = dup(0), before = entries("/proc/self/fd");
    close(first);
    for (int more = 0; more < 4; more++) {
        int streams[2] = {-1, -1};
        few = limit;
        few.rlim_cur = (rlim_t)(first + more);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        int rc = thrum__output_open(output, "it", 0, streams);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        assert_int_equal(rc, -EMFILE);
        assert_int_equal(streams[0], -1);
        assert_int_equal(streams[1], -1);
    }
    assert_int_equal(entries("/proc/self/fd"), before - 1);
    thrum__output_free(output);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_left_to_be_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
