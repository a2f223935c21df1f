/* SPDX-License-Identifier: MIT */
/* Frames, failures and tables of tasks on their way between processes. */
#include "spec.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "process/frame.h"
#include "process/table.h"

THRUM_TASK(int, alpha, (int, x)) { return x; }

THRUM_TASK(void, beta, (double, x), (char, y)) { (void)x, (void)y; }

THRUM_TASK(int, gamma_ray) { return 1; }

/* Of a frame that is not whole yet the head is known. */
static void part_only(const uint8_t *at, size_t n, const thrum__frame_view *whole) {
    thrum__frame_view part;
    assert_int_equal(thrum__frame_next(at, n - 1, &part), 0);
    assert_int_equal(part.kind, whole->kind);
    assert_true(part.id == whole->id && part.size == whole->size && !part.bytes);
}

static void test_frames_come_out_as_they_went_in(void **state) {
    (void)state;
    thrum__buffer buffer = {0};
    thrum__frame_view frame;
    for (uint32_t i = 0; i < 1000; i++)
        assert_true(thrum__frame_put(&buffer, THRUM__FRAME_TASK, i, i + 7, "some bytes", i % 11));
    size_t all = thrum__buffer_size(&buffer);
    for (uint32_t i = 0; i < 1000; i++) {
        const uint8_t *at = buffer.data + buffer.begin;
        assert_int_equal(thrum__frame_next(at, sizeof(thrum__frame_head) - 1, &frame), 0);
        int64_t n = thrum__frame_next(at, thrum__buffer_size(&buffer), &frame);
        assert_int_equal(n, sizeof(thrum__frame_head) + i % 11);
        assert_int_equal(thrum__frame_next(at, (size_t)n, &frame), n);
        if (i % 11)
            part_only(at, (size_t)n, &frame);
        assert_int_equal(frame.kind, THRUM__FRAME_TASK);
        assert_int_equal(frame.index, i);
        assert_int_equal(frame.id, i + 7);
        assert_memory_equal(frame.bytes, "some bytes", frame.size);
        thrum__buffer_take(&buffer, (size_t)n);
        all -= (size_t)n;
        assert_int_equal(thrum__buffer_size(&buffer), all);
    }
    assert_int_equal(all, 0);
    thrum__buffer_free(&buffer);
}

static void test_damaged_heads(void **state) {
    (void)state;
    thrum__frame_view frame;
    const thrum__frame_head good = {.version = THRUM__FRAME_VERSION, .kind = THRUM__FRAME_RESULT};
    thrum__frame_head bad[] = {good, good, good, good, good};
    assert_int_equal(thrum__frame_next((const void *)&good, sizeof good, &frame), sizeof good);
    bad[0].version++;
    bad[1].kind = 0;
    bad[2].kind = THRUM__FRAME_KINDS;
    bad[3].zero = 1;
    bad[4].size = UINT64_MAX;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(thrum__frame_next((const void *)&bad[i], sizeof bad[i], &frame), -EPROTO);
}

static void test_a_failure_travels_whole(void **state) {
    (void)state;
    thrum__buffer buffer = {0};
    thrum__frame_view frame;
    thrum_failure failure, sent = {.code = -EDOM, .message = "no row 3", .file = "a.c", .line = 12,
                                   .thread = NULL, .task = "alpha"};
    assert_true(thrum__frame_put_failure(&buffer, THRUM__FRAME_FAILURE, 5, &sent));
    assert_true(thrum__frame_next(buffer.data, thrum__buffer_size(&buffer), &frame) > 0);
    assert_int_equal(thrum__frame_failure(&frame, &failure), 0);
    assert_int_equal(failure.code, -EDOM);
    assert_int_equal(failure.line, 12);
    assert_string_equal(failure.message, "no row 3");
    assert_string_equal(failure.file, "a.c");
    assert_null(failure.thread);
    assert_string_equal(failure.task, "alpha");
    for (size_t n = 0; n < frame.size; n++) {
        thrum__frame_view cut = frame;
        cut.size = n;
        assert_int_equal(thrum__frame_failure(&cut, &failure), -EPROTO);
    }
    thrum__buffer_free(&buffer);
}

/* Compares two tables as a worker and its pool do. */
static int compare(const thrum__table *mine, const thrum__table *theirs, char *text) {
    thrum__buffer buffer = {0};
    thrum__frame_view frame;
    assert_true(thrum__table_put(&buffer, theirs, 1));
    assert_true(thrum__frame_next(buffer.data, thrum__buffer_size(&buffer), &frame) > 0);
    int rc = thrum__table_compare(mine, &frame, text, 256);
    for (size_t n = 0; rc == 0 && n < frame.size; n++) {
        thrum__frame_view cut = frame;
        cut.size = n;
        assert_int_equal(thrum__table_compare(mine, &cut, text, 256), -EPROTO);
    }
    thrum__buffer_free(&buffer);
    return rc;
}

static void test_the_table_of_this_program(void **state) {
    (void)state;
    thrum__table table;
    char text[256];
    assert_int_equal(thrum__table_make(&table), 0);
    assert_int_equal(table.n, 3);
    for (int64_t i = 0; i < 3; i++)
        assert_int_equal(thrum__table_index(&table, table.types[i]), i);
    assert_int_equal(thrum__table_index(&table, &alpha_task), 0);
    assert_int_equal(compare(&table, &table, text), 0);
    thrum__table_free(&table);
}

static void check_differs(const thrum_task_type *const *mine, uint32_t n_mine,
                          const thrum_task_type *const *theirs, uint32_t n_theirs,
                          const char *name) {
    thrum__table a, b;
    char text[256], both[64], quoted[64];
    assert_int_equal(thrum__table_of(&a, mine, n_mine), 0);
    assert_int_equal(thrum__table_of(&b, theirs, n_theirs), 0);
    assert_int_equal(compare(&a, &b, text), -EPROTO);
    snprintf(both, sizeof both, "hash %016llx here, %016llx there", (unsigned long long)a.hash,
             (unsigned long long)b.hash);
    snprintf(quoted, sizeof quoted, "\"%s\"", name);
    assert_non_null(strstr(text, both));
    assert_non_null(strstr(text, quoted));
    thrum__table_free(&a);
    thrum__table_free(&b);
}

static void test_tables_that_differ_say_where(void **state) {
    (void)state;
    thrum_task_type other = beta_task, twin = beta_task;
    other.result_size = 4;
    const thrum_task_type *all[] = {&alpha_task, &beta_task, &gamma_ray_task};
    const thrum_task_type *changed[] = {&gamma_ray_task, &other, &alpha_task};
    check_differs(all, 3, all, 2, "gamma_ray");
    check_differs(all, 2, all, 3, "gamma_ray");
    check_differs(all, 3, all + 1, 2, "alpha");
    check_differs(all, 3, changed, 3, "beta");
    check_differs(all, 1, NULL, 0, "alpha");
    thrum__table table;
    const thrum_task_type *twins[] = {&alpha_task, &twin, &beta_task};
    assert_int_equal(thrum__table_of(&table, twins, 3), 0);
    assert_int_equal(thrum__table_index(&table, &beta_task), -EEXIST);
    assert_int_equal(thrum__table_index(&table, &alpha_task), 0);
    assert_int_equal(thrum__table_index(&table, &gamma_ray_task), -ENOENT);
    thrum__table_free(&table);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_frames_come_out_as_they_went_in),
                                       cmocka_unit_test(test_damaged_heads),
                                       cmocka_unit_test(test_a_failure_travels_whole),
                                       cmocka_unit_test(test_the_table_of_this_program),
                                       cmocka_unit_test(test_tables_that_differ_say_where)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
