/* SPDX-License-Identifier: MIT */
#include "processes.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIZE = 10000, HEADER = 64, NOBODY = 65534 };
enum { LAYOUT_AT = 8, HEADER_AT = 12, SIZE_AT = 16, NAMESPACE_AT = 24, WORD_AT = 32 };

static char name[64];

static void begin(void) {
    spec_needs_processes();
    snprintf(name, sizeof name, "thrum-spec-%d", (int)getpid());
    thrum_shared_unlink(name);
}

static thrum_shared *make(const char *with_name) {
    thrum_shared *shared = NULL;
    assert_int_equal(thrum_shared_create(&shared, with_name, SIZE, NULL), 0);
    assert_non_null(shared);
    return shared;
}

static void test_zeroed_and_writable_to_the_end(void **state) {
    (void)state;
    begin();
    for (int named = 0; named < 2; named++) {
        thrum_shared *shared = make(named ? name : NULL);
        char *memory = thrum_shared_memory(shared);
        assert_int_equal(thrum_shared_size(shared), SIZE);
        assert_int_equal((uintptr_t)memory % 64, 0);
        for (int i = 0; i < SIZE; i++) {
            assert_int_equal(memory[i], 0);
            memory[i] = (char)i;
        }
        thrum_shared_close(shared);
    }
    assert_int_equal(thrum_shared_unlink(name), 0);
    thrum_shared_close(NULL);
}

static void *write_text(void *arg) {
    memcpy(thrum_shared_memory(arg), "child", 6);
    return NULL;
}

static void *write_text_by_name(void *arg) {
    thrum_shared *shared;
    assert_int_equal(thrum_shared_open(&shared, name, SIZE), 0);
    write_text(shared);
    thrum_shared_close(shared);
    return arg;
}

static void *write_text_by_fd(void *arg) {
    thrum_shared *shared;
    assert_int_equal(thrum_shared_open_fd(&shared, (int)(intptr_t)arg, 1), 0);
    assert_int_equal(thrum_shared_size(shared), SIZE);
    write_text(shared);
    thrum_shared_close(shared);
    return NULL;
}

static void in_a_child(void *(*fn)(void *), void *arg) {
    spec_processes team = {.n = 0};
    spec_processes_start(&team, 1, fn, arg);
    spec_processes_join(&team);
}

static void test_a_child_inherits_it(void **state) {
    (void)state;
    begin();
    thrum_shared *shared = make(NULL);
    in_a_child(write_text, shared);
    assert_string_equal(thrum_shared_memory(shared), "child");
    thrum_shared_close(shared);
}

static void test_others_open_it(void **state) {
    (void)state;
    begin();
    for (int named = 0; named < 2; named++) {
        thrum_shared *shared = make(named ? name : NULL);
        if (named)
            in_a_child(write_text_by_name, NULL);
        else
            in_a_child(write_text_by_fd, (void *)(intptr_t)thrum_shared_fd(shared));
        assert_string_equal(thrum_shared_memory(shared), "child");
        thrum_shared_close(shared);
    }
    assert_int_equal(thrum_shared_unlink(name), 0);
}

static void test_names(void **state) {
    (void)state;
    begin();
    char long_name[300];
    thrum_shared *shared, *again, *none = NULL;
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    const char *const bad[] = {"", "/", ".", "..", "a/b", "/a/b", "../a", long_name};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(thrum_shared_create(&none, bad[i], SIZE, NULL), -EINVAL);
        assert_int_equal(thrum_shared_open(&none, bad[i], 0), -EINVAL);
        assert_int_equal(thrum_shared_unlink(bad[i]), -EINVAL);
    }
    assert_int_equal(thrum_shared_open(&none, name, 0), -ENOENT);
    assert_int_equal(thrum_shared_unlink(name), -ENOENT);
    shared = make(name);
    assert_int_equal(thrum_shared_create(&none, name, SIZE, NULL), -EEXIST);
    assert_int_equal(thrum_shared_unlink(name), 0);
    assert_int_equal(thrum_shared_open(&none, name, 0), -ENOENT);
    again = make(name);
    memcpy(thrum_shared_memory(again), "other", 6);
    assert_string_equal(thrum_shared_memory(shared), "");
    thrum_shared_close(again);
    thrum_shared_close(shared);
    char with_slash[sizeof name + 1];
    snprintf(with_slash, sizeof with_slash, "/%s", name);
    assert_int_equal(thrum_shared_unlink(with_slash), 0);
    assert_null(none);
}

static int fill(void *memory, size_t size, void *arg) {
    thrum_shared *shared;
    assert_int_equal(size, SIZE);
    assert_int_equal(thrum_shared_open(&shared, name, 0), -ENOENT);
    memcpy(memory, arg, strlen(arg) + 1);
    return strcmp(arg, "bad") == 0 ? -EBUSY : 0;
}

static void test_nobody_sees_it_before_it_is_complete(void **state) {
    (void)state;
    begin();
    thrum_shared *shared = NULL;
    char text[] = "ready", bad[] = "bad";
    thrum_shared_opts opts = {.init = fill, .arg = bad};
    assert_int_equal(thrum_shared_create(&shared, name, SIZE, &opts), -EBUSY);
    assert_null(shared);
    opts.arg = text;
    assert_int_equal(thrum_shared_create(&shared, name, SIZE, &opts), 0);
    assert_string_equal(thrum_shared_memory(shared), "ready");
    thrum_shared_close(shared);
    assert_int_equal(thrum_shared_unlink(name), 0);
}

static void test_options(void **state) {
    (void)state;
    begin();
    thrum_shared *shared = NULL;
    struct stat about;
    assert_int_equal(thrum_shared_create(&shared, NULL, 0, NULL), -EINVAL);
    assert_int_equal(thrum_shared_create(&shared, NULL, SIZE_MAX - 8, NULL), -EINVAL);
    const thrum_shared_opts bad[] = {{.mode = 01000}, {.reserved0 = 1}, {.reserved = {name}}};
    for (int i = 0; i < 3; i++)
        assert_int_equal(thrum_shared_create(&shared, name, SIZE, &bad[i]), -EINVAL);
    assert_null(shared);
    assert_int_equal(
        thrum_shared_create(&shared, name, SIZE, &(thrum_shared_opts){.mode = 0640}), 0);
    assert_int_equal(fstat(thrum_shared_fd(shared), &about), 0);
    assert_int_equal(about.st_mode & 07777, 0640);
    thrum_shared_close(shared);
    assert_int_equal(thrum_shared_unlink(name), 0);
}

static void test_more_than_there_is(void **state) {
    (void)state;
    begin();
    thrum_shared *shared = NULL;
    if (SIZE_MAX == UINT32_MAX)
        skip(); /* all that can be asked for may be there */
    int rc = thrum_shared_create(&shared, name, SIZE_MAX / 0x4000, NULL);
    assert_true(rc == -ENOSPC || rc == -ENOMEM || rc == -EFBIG);
    assert_null(shared);
    assert_int_equal(thrum_shared_unlink(name), -ENOENT);
}

/* Memory that could be mapped, and would raise SIGBUS when it is written. */
static void test_a_full_file_system_is_told_at_once(void **state) {
    (void)state;
    begin();
    struct statvfs about;
    thrum_shared *shared = NULL;
    if (statvfs("/dev/shm", &about) != 0 || about.f_blocks == 0 ||
        about.f_blocks > SIZE_MAX / 4 / about.f_frsize)
        skip(); /* it has no limit, or none that can be asked for */
    size_t size = (size_t)about.f_blocks * about.f_frsize + 1;
    assert_int_equal(thrum_shared_create(&shared, name, size, NULL), -ENOSPC);
    assert_null(shared);
}

static void test_the_size_of_a_nameless_one_is_sealed(void **state) {
    (void)state;
    begin();
    thrum_shared *shared = make(NULL);
    assert_int_equal(ftruncate(thrum_shared_fd(shared), 100), -1);
    assert_int_equal(ftruncate(thrum_shared_fd(shared), 1 << 20), -1);
    thrum_shared_close(shared);
}

static void expect_refused(thrum_shared *shared, size_t size, int code) {
    thrum_shared *opened = NULL;
    assert_int_equal(thrum_shared_open(&opened, name, size), code);
    assert_int_equal(thrum_shared_open_fd(&opened, thrum_shared_fd(shared), size), code);
    assert_null(opened);
}

static void test_foreign_and_broken_ones_are_refused(void **state) {
    (void)state;
    begin();
    thrum_shared *shared = make(name);
    int fd = thrum_shared_fd(shared);
    const uint32_t layout = 1, header_size = HEADER + 64, word = 12 - sizeof(void *);
    const uint64_t sizes[] = {SIZE + 1, SIZE - 1, UINT64_MAX}, nowhere = 1;
    char before[8], other_order[8];
    const struct {
        off_t at;
        const void *value;
        size_t size;
        int code;
    } damages[] = {{0, "not thrum", 8, -EINVAL},          {0, other_order, 8, -EPROTO},
                   {WORD_AT, &word, 4, -EPROTO},          {LAYOUT_AT, &layout, 4, -EPROTO},
                   {HEADER_AT, &header_size, 4, -EPROTO}, {SIZE_AT, &sizes[0], 8, -EINVAL},
                   {SIZE_AT, &sizes[1], 8, -EINVAL}, {SIZE_AT, &sizes[2], 8, -EINVAL},
                   {NAMESPACE_AT, &nowhere, 8, -EXDEV}};
    expect_refused(shared, SIZE + 1, -EINVAL);
    assert_int_equal(pread(fd, before, 8, 0), 8);
    for (int i = 0; i < 8; i++)
        other_order[i] = before[7 - i];
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        size_t n = damages[i].size;
        assert_int_equal(pread(fd, before, n, damages[i].at), n);
        assert_int_equal(pwrite(fd, damages[i].value, n, damages[i].at), n);
        expect_refused(shared, SIZE, damages[i].code);
        assert_int_equal(pwrite(fd, before, n, damages[i].at), n);
    }
    const off_t lengths[] = {HEADER + SIZE - 1, HEADER, HEADER - 1, 1, 0};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        assert_int_equal(ftruncate(fd, lengths[i]), 0);
        expect_refused(shared, 0, -EINVAL);
    }
    thrum_shared_close(shared);
    assert_int_equal(thrum_shared_unlink(name), 0);
    assert_int_equal(thrum_shared_open_fd(&shared, -1, 0), -EBADF);
}

static void test_a_nameless_one_is_no_program(void **state) {
    (void)state;
    begin();
    struct stat about;
    int fd = memfd_create("probe", MFD_CLOEXEC | 8U); /* MFD_NOEXEC_SEAL */
    if (fd < 0)
        skip(); /* a system that does not know it */
    close(fd);
    thrum_shared *shared = make(NULL);
    assert_int_equal(fstat(thrum_shared_fd(shared), &about), 0);
    assert_int_equal(about.st_mode & 0111, 0);
    assert_int_equal(fchmod(thrum_shared_fd(shared), 0700), -1);
    thrum_shared_close(shared);
}

/* What a child found. */
static struct {
    bool cannot;
    int open_code, lock_code;
} *found;

static void *open_as_another_user(void *shared) {
    thrum_shared *opened;
    found->cannot = setgid(NOBODY) != 0 || setuid(NOBODY) != 0;
    found->open_code = thrum_shared_open(&opened, name, SIZE);
    found->lock_code = thrum_shared_lock_try_acquire(thrum_shared_memory(shared));
    return NULL;
}

static void test_another_user(void **state) {
    (void)state;
    begin();
    found = spec_shared_memory(sizeof *found);
    for (unsigned mode = 0600; mode <= 0666; mode += 066) {
        thrum_shared *shared;
        assert_int_equal(thrum_shared_create(&shared, name, SIZE,
                                             &(thrum_shared_opts){.mode = mode}), 0);
        assert_int_equal(thrum_shared_lock_acquire(thrum_shared_memory(shared)), 0);
        in_a_child(open_as_another_user, shared);
        thrum_shared_close(shared);
        assert_int_equal(thrum_shared_unlink(name), 0);
        if (found->cannot)
            skip(); /* only root may become another user */
        assert_int_equal(found->open_code, mode == 0600 ? -EACCES : 0);
        assert_int_equal(found->lock_code, -EBUSY);
    }
}

static void *make_without_proc(void *arg) {
    thrum_shared *shared;
    found->cannot = unshare(CLONE_NEWNS) != 0 ||
                    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
                    mount("none", "/proc", "tmpfs", 0, NULL) != 0;
    found->open_code = thrum_shared_create(&shared, name, SIZE, NULL);
    return arg;
}

static void test_without_proc(void **state) {
    (void)state;
    begin();
    thrum_shared *shared;
    found = spec_shared_memory(sizeof *found);
    in_a_child(make_without_proc, NULL);
    (void)thrum_shared_unlink(name);
    if (found->cannot)
        skip(); /* not allowed to mount */
    assert_int_equal(found->open_code, 0);
    assert_int_equal(thrum_shared_open(&shared, name, SIZE), -ENOENT);
}

static void *make_the_same(void *out) {
    thrum_shared *shared;
    int rc = thrum_shared_create(&shared, name, SIZE, NULL);
    assert_true(rc == 0 || rc == -EEXIST);
    if (rc == -EEXIST)
        assert_int_equal(thrum_shared_open(&shared, name, SIZE), 0);
    else
        __atomic_fetch_add((int *)out, 1, __ATOMIC_RELAXED);
    int *users = thrum_shared_memory(shared);
    __atomic_fetch_add(users, 1, __ATOMIC_RELAXED);
    return NULL;
}

static void test_of_those_who_make_it_at_once_one_does(void **state) {
    (void)state;
    begin();
    int *makers = spec_shared_memory(sizeof *makers);
    for (int round = 1; round <= 10; round++) {
        spec_processes team = {.n = 0};
        thrum_shared *shared;
        spec_processes_start(&team, 6, make_the_same, makers);
        spec_processes_join(&team);
        assert_int_equal(*makers, round);
        assert_int_equal(thrum_shared_open(&shared, name, SIZE), 0);
        assert_int_equal(*(int *)thrum_shared_memory(shared), 6);
        thrum_shared_close(shared);
        assert_int_equal(thrum_shared_unlink(name), 0);
    }
}

static void test_it_stays_until_it_is_unlinked(void **state) {
    (void)state;
    begin();
    thrum_shared *shared = make(name);
    spec_processes team = {.n = 0};
    memcpy(thrum_shared_memory(shared), "kept", 5);
    thrum_shared_close(shared);
    spec_processes_start(&team, 1, write_text_by_name, NULL);
    spec_processes_join(&team);
    assert_int_equal(thrum_shared_open(&shared, name, SIZE), 0);
    assert_string_equal(thrum_shared_memory(shared), "child");
    thrum_shared_close(shared);
    assert_int_equal(thrum_shared_unlink(name), 0);
}

static int make_without_streams(void) {
    (void)(close(0) | close(1) | close(2));
    thrum_shared *all[] = {make(NULL), make(name), NULL, NULL};
    assert_int_equal(thrum_shared_open(&all[2], name, SIZE), 0);
    assert_int_equal(thrum_shared_open_fd(&all[3], thrum_shared_fd(all[0]), SIZE), 0);
    for (int i = 0; i < 4; i++)
        assert_true(thrum_shared_fd(all[i]) > 2);
    return thrum_shared_unlink(name) == 0 ? 7 : 1;
}

static void test_none_is_taken_for_a_stream(void **state) {
    (void)state;
    spec_end end;
    begin();
    spec_exits(make_without_streams, 7, &end);
}

SPEC_TESTS(cmocka_unit_test(test_zeroed_and_writable_to_the_end),
           cmocka_unit_test(test_a_child_inherits_it), cmocka_unit_test(test_others_open_it),
           cmocka_unit_test(test_names), cmocka_unit_test(test_none_is_taken_for_a_stream),
           cmocka_unit_test(test_nobody_sees_it_before_it_is_complete),
           cmocka_unit_test(test_options), cmocka_unit_test(test_more_than_there_is),
           cmocka_unit_test(test_a_full_file_system_is_told_at_once),
           cmocka_unit_test(test_the_size_of_a_nameless_one_is_sealed),
           cmocka_unit_test(test_foreign_and_broken_ones_are_refused),
           cmocka_unit_test(test_a_nameless_one_is_no_program), cmocka_unit_test(test_another_user),
           cmocka_unit_test(test_without_proc),
           cmocka_unit_test(test_of_those_who_make_it_at_once_one_does),
           cmocka_unit_test(test_it_stays_until_it_is_unlinked));
