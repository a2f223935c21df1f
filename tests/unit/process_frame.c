/* SPDX-License-Identifier: MIT */
/* Frames, failures and tables of tasks on their way between processes. */
#include "spec.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "process/call.h"
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

static void check_call(const thrum__errand *sent, const void *args, bool inside) {
    thrum__buffer buffer = {0};
    thrum__frame_view frame;
    thrum__errand call;
    const uint8_t *found;
    assert_true(thrum__errand_put(&buffer, 7, 9, sent, args));
    assert_true(thrum__frame_next(buffer.data, thrum__buffer_size(&buffer), &frame) > 0);
    assert_int_equal(thrum__errand_read(&frame, &call, &found), 0);
    assert_int_equal(frame.index, 7);
    assert_int_equal(frame.id, 9);
    assert_memory_equal(&call.function, &sent->function, sizeof call.function);
    assert_int_equal(call.n_refs, sent->n_refs);
    assert_memory_equal(call.refs, sent->refs, sent->n_refs * sizeof call.refs[0]);
    assert_int_equal(call.args_size, sent->args_size);
    assert_int_equal(call.result_size, sent->result_size);
    if (inside)
        assert_memory_equal(found, args, call.args_size);
    else
        assert_null(found);
    for (size_t n = 0; n < frame.size; n++) {
        thrum__frame_view cut = frame;
        cut.size = n;
        assert_int_equal(thrum__errand_read(&cut, &call, &found), -EPROTO);
    }
    thrum__buffer_free(&buffer);
}

static void test_calls(void **state) {
    (void)state;
    thrum__errand call = {.function = {.kind = THRUM__BUILD_NOTE, .offset = 3}, .args_size = 20,
                        .result_size = 7};
    check_call(&call, "twenty bytes, or so..", true);
    call.refs[call.n_refs++] = (thrum__errand_ref){1, 2, 12};
    check_call(&call, "twenty bytes, or so..", true);
    call.refs[call.n_refs++] = (thrum__errand_ref){1, 2, THRUM__CALL_RESULT};
    call.refs[call.n_refs++] = (thrum__errand_ref){1, 9, THRUM__CALL_ARGS};
    check_call(&call, NULL, false);
}

static void test_a_pointer_beyond_the_arguments(void **state) {
    (void)state;
    thrum__frame_view frame;
    thrum__errand read;
    const uint8_t *args;
    const uint64_t places[] = {16, 17, 24, UINT64_MAX - 2};
    for (size_t i = 0; i < 4; i++) {
        thrum__buffer buffer = {0};
        const thrum__errand call = {.args_size = 24, .n_refs = 1, .refs = {{1, 0, places[i]}}};
        assert_true(thrum__errand_put(&buffer, 0, 1, &call, "twenty-four bytes, in it"));
        assert_true(thrum__frame_next(buffer.data, thrum__buffer_size(&buffer), &frame) > 0);
        assert_int_equal(thrum__errand_read(&frame, &read, &args),
                         places[i] <= 24 - sizeof(void *) ? 0 : -EPROTO);
        thrum__buffer_free(&buffer);
    }
}

static void a_function(void) {}

static void test_addresses(void **state) {
    (void)state;
    thrum__address address, other;
    char text[256];
    assert_int_equal(thrum__address_of(a_function, &address), 0);
    assert_true(address.kind == THRUM__BUILD_NOTE || address.kind == THRUM__BUILD_HEADERS);
    assert_true(thrum__address_find(&address, text, sizeof text) == a_function);
    assert_int_equal(thrum__address_of((thrum__function *)(uintptr_t)&address, &other), -ENOENT);
    other = address;
    other.build[3] ^= 1;
    assert_null(thrum__address_find(&other, text, sizeof text));
    assert_non_null(strstr(text, "has not loaded the build"));
    other = address;
    other.offset = UINT64_C(1) << 40;
    assert_null(thrum__address_find(&other, text, sizeof text));
    assert_non_null(strstr(text, "has no function at 0x10000000000"));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_frames_come_out_as_they_went_in),
                                       cmocka_unit_test(test_damaged_heads),
                                       cmocka_unit_test(test_a_failure_travels_whole),
                                       cmocka_unit_test(test_the_table_of_this_program),
                                       cmocka_unit_test(test_tables_that_differ_say_where),
                                       cmocka_unit_test(test_calls),
                                       cmocka_unit_test(test_a_pointer_beyond_the_arguments),
                                       cmocka_unit_test(test_addresses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
