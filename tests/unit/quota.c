/* SPDX-License-Identifier: MIT */
/* CPU quotas, read from trees made for the test. */
#include "spec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/quota.h"

enum { PATH = 512 };

static char root[PATH / 2];

static void put(const char *path, const char *text) {
    char whole[PATH];
    snprintf(whole, sizeof whole, "%s%s", root, path);
    for (char *at = whole + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        assert_true(mkdir(whole, 0700) == 0 || errno == EEXIST);
        *at = '/';
    }
    FILE *file = fopen(whole, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void begin(void) {
    snprintf(root, sizeof root, "%s/thrum-quota-XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp(root));
}

static void end(void) {
    char command[PATH];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    assert_int_equal(system(command), 0);
}

static void test_nothing_to_read(void **state) {
    (void)state;
    begin();
    assert_int_equal(thrum__quota_cpus(root), 0);
    put("/proc/self/cgroup", "nonsense\n::\n0::\n");
    put("/proc/self/mountinfo", "nonsense - \n - cgroup2\n");
    assert_int_equal(thrum__quota_cpus(root), 0);
    end();
}

static void test_version_2(void **state) {
    (void)state;
    begin();
    put("/proc/self/cgroup", "0::/a/b\n");
    put("/proc/self/mountinfo", "1 0 0:5 / /proc rw - proc proc rw\n"
                                "30 23 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n");
    put("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
    assert_int_equal(thrum__quota_cpus(root), 0);
    put("/sys/fs/cgroup/a/b/cpu.max", "250000 100000\n");
    assert_int_equal(thrum__quota_cpus(root), 3); /* rounded up */
    put("/sys/fs/cgroup/a/cpu.max", "150000 100000\n");
    assert_int_equal(thrum__quota_cpus(root), 2); /* the parent's is tighter */
    put("/sys/fs/cgroup/cpu.max", "100000 100000\n");
    assert_int_equal(thrum__quota_cpus(root), 1);
    put("/sys/fs/cgroup/cpu.max", "1000 100000\n");
    assert_int_equal(thrum__quota_cpus(root), 1);
    end();
}

static void test_version_1(void **state) {
    (void)state;
    begin();
    put("/proc/self/cgroup", "5:cpuset:/x\n4:cpu,cpuacct:/docker/abc\n0::/\n");
    put("/proc/self/mountinfo",
        "41 32 0:36 /docker/abc /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
        "42 32 0:37 /docker/abc /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n");
    put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
    put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    assert_int_equal(thrum__quota_cpus(root), 0);
    put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "400000\n");
    assert_int_equal(thrum__quota_cpus(root), 4);
    end();
}

static void test_the_tightest_of_both(void **state) {
    (void)state;
    begin();
    put("/proc/self/cgroup", "4:cpu:/one\n0::/two\n");
    put("/proc/self/mountinfo", "42 32 0:37 / /v1 rw - cgroup cgroup rw,cpu\n"
                                "30 23 0:26 / /v2 rw - cgroup2 cgroup2 rw\n");
    put("/v1/one/cpu.cfs_quota_us", "300000\n");
    put("/v1/one/cpu.cfs_period_us", "100000\n");
    put("/v2/two/cpu.max", "500000 100000\n");
    assert_int_equal(thrum__quota_cpus(root), 3);
    put("/v2/two/cpu.max", "200000 100000\n");
    assert_int_equal(thrum__quota_cpus(root), 2);
    end();
}

static int say_workers(void) {
    static const char *const bad[] = {"0", "-2", "many", "3x", "99999999999999999999"};
    if (setenv("THRUM_MAX_WORKERS", "7", 1) != 0 || thrum_default_workers() != 7)
        return 1;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        setenv("THRUM_MAX_WORKERS", bad[i], 1);
        if (thrum_default_workers() < 1)
            return 2;
    }
    return 0;
}

static void test_the_environment(void **state) {
    (void)state;
    static spec_end ended;
    spec_exits(say_workers, 0, &ended);
    assert_int_equal(spec_count_text(ended.text, "THRUM_MAX_WORKERS is \"0\""), 1);
    assert_int_equal(spec_count_text(ended.text, "thrum:"), 1); /* said once */
}

SPEC_TESTS(cmocka_unit_test(test_nothing_to_read), cmocka_unit_test(test_version_2),
           cmocka_unit_test(test_version_1), cmocka_unit_test(test_the_tightest_of_both),
           cmocka_unit_test(test_the_environment));
