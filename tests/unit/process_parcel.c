/* SPDX-License-Identifier: MIT */
/* What a process is told at its start comes out as it went in; damaged, it is refused. */
#include "spec.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "process/process.h"

typedef struct block {
    char bytes[10000];
} block;

THRUM_TASK(void, many, (block, b), (char, letter), (int *, n), (int *, same), (int *, none)) {
    (void)b, (void)letter, (void)n, (void)same, (void)none;
}

THRUM_TASK(void, other, (int, n)) { (void)n; }

static thrum_shared *segment;
static int *n;
static struct many__args args;

static thrum__parcel told = {.parent = 12, .daemon = true, .name = "it", .identity = "1:2",
                             .parent_name = ""};

/* Returns the descriptor of a parcel. */
static int pack(void) {
    thrum__launch launch;
    thrum__parcel parcel = told;
    assert_int_equal(thrum_shared_create(&segment, NULL, 2 * sizeof *n, NULL), 0);
    n = thrum_shared_memory(segment);
    memset(&args.b, 'x', sizeof args.b);
    args.letter = 'y';
    args.n = args.same = n + 1;
    assert_int_equal(thrum__parcel_pack(&launch, &parcel, &many_task, &args), 0);
    assert_int_equal(launch.n_keep, 2); /* the segment once */
    int here = 0;
    args.none = &here;
    assert_int_equal(thrum__parcel_pack(&(thrum__launch){.n_keep = 0}, &parcel, &many_task, &args),
                     -EFAULT);
    args.none = NULL;
    return launch.keep[1];
}

static void test_it_comes_out_as_it_went_in(void **state) {
    (void)state;
    thrum__parcel found = {.parent = 0};
    int fd = pack();
    assert_int_equal(thrum__parcel_unpack(&found, fd), 0);
    assert_int_equal(close(fd), -1);
    assert_int_equal(found.parent, 12);
    assert_true(found.daemon);
    assert_string_equal(found.name, "it");
    assert_string_equal(found.identity, "1:2");
    assert_string_equal(found.parent_name, "");
    assert_string_equal(found.task, "many");
    assert_ptr_equal(thrum__parcel_task(&found), &many_task);
    found.args_size++;
    assert_null(thrum__parcel_task(&found));
    found.args_size--;
    found.hash++;
    assert_null(thrum__parcel_task(&found));
    found.task = "nobody";
    assert_null(thrum__parcel_task(&found));
    const struct many__args *got = found.args;
    assert_memory_equal(&got->b, &args.b, sizeof args.b);
    assert_int_equal(got->letter, 'y');
    assert_ptr_equal(got->n, got->same);
    assert_ptr_not_equal(got->n, n + 1);
    assert_null(got->none);
    *got->n = 77;
    assert_int_equal(n[1], 77);
    thrum_shared_close(segment);
    free(found.bytes);
}

/* Each byte of the head changed; and shorter files. */
static void test_damaged_ones_are_refused(void **state) {
    (void)state;
    enum { HEAD = 72, PARENT = 64 };
    static char bytes[sizeof(struct many__args) + 1000];
    int fd = pack();
    ssize_t size = pread(fd, bytes, sizeof bytes, 0);
    close(fd);
    thrum_shared_close(segment);
    assert_true(size > HEAD && size < (ssize_t)sizeof bytes);
    for (int at = 0; at < 2 * HEAD; at++) {
        bool shorter = at >= HEAD;
        char before = bytes[at];
        if ((at >= 8 && at < 16) || (at >= PARENT && !shorter))
            continue; /* the hash, the parent, daemon */
        thrum__parcel found = {.parent = 0};
        fd = memfd_create("damaged", MFD_CLOEXEC);
        bytes[at] ^= shorter ? 0 : (char)0x81;
        ssize_t length = shorter ? at - HEAD : size;
        assert_int_equal(write(fd, bytes, (size_t)length), length);
        bytes[at] = before;
        assert_int_equal(thrum__parcel_unpack(&found, fd), -EPROTO);
        assert_true(!found.args && !found.bytes);
    }
}

SPEC_TESTS(cmocka_unit_test(test_it_comes_out_as_it_went_in),
           cmocka_unit_test(test_damaged_ones_are_refused));
