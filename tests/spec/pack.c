/* SPDX-License-Identifier: MIT */
/* Parameters that are pointers, on their way to another process. */
#include "spec.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <thrum/process.h>
#include <thrum/processes.h>
#include <unistd.h>

THRUM_TASK(int, count, (const char *, text), (char, c), (const char *, more)) {
    int n = 0;
    for (const char *at = text; at && *at; at++)
        n += *at == c;
    for (const char *at = more; at && *at; at++)
        n += *at == c;
    return n;
}

static int pack_count(const void *args, thrum_pack *to) {
    const THRUM_TASK_ARGS(count) *it = args;
    thrum_pack_text(to, it->text);
    thrum_pack_text(to, it->more);
    return 0;
}

static int unpack_count(void *args, thrum_unpack *from) {
    THRUM_TASK_ARGS(count) *it = args;
    if (it->text || it->more)
        return -EDOM; /* no address of another process */
    it->text = thrum_unpack_text(from);
    it->more = thrum_unpack_text(from);
    return 0;
}

THRUM_TASK_PACK(count, pack_count, unpack_count)

THRUM_TASK(double, sum, (double *, numbers), (size_t, n), (double *, out)) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += numbers[i];
    if (n)
        numbers[0] = -1; /* may be written to */
    if (out)
        *out = sum;
    return sum;
}

static int pack_sum(const void *args, thrum_pack *to) {
    const THRUM_TASK_ARGS(sum) *it = args;
    thrum_pack_bytes(to, it->numbers, it->n * sizeof *it->numbers);
    return 0;
}

static int unpack_sum(void *args, thrum_unpack *from) {
    THRUM_TASK_ARGS(sum) *it = args;
    size_t size;
    it->numbers = thrum_unpack_bytes(from, &size);
    bool aligned = (uintptr_t)it->numbers % _Alignof(max_align_t) == 0;
    return !aligned || size != it->n * sizeof *it->numbers ? -ERANGE : 0;
}

THRUM_TASK_PACK(sum, pack_sum, unpack_sum)

/* Goes wrong as it is told: by pack() below 0, by unpack() above. */
THRUM_TASK(int, wrong, (int, how), (const char *, text)) {
    (void)text;
    return how;
}

static int turns; /* of pack_wrong() */

static int pack_wrong(const void *args, thrum_pack *to) {
    const THRUM_TASK_ARGS(wrong) *it = args;
    if (it->how == -1)
        return -ENOKEY;
    thrum_pack_bytes(to, it->text, it->how == -2 ? (size_t)(100 + ++turns % 2 * 50) : 5);
    if (it->how == -3 && ++turns % 2 == 0)
        thrum_pack_text(to, "one more, the second time");
    if (it->how == -4)
        thrum_pack_bytes(to, it->text, SIZE_MAX / 2);
    return 0;
}

static int unpack_wrong(void *args, thrum_unpack *from) {
    THRUM_TASK_ARGS(wrong) *it = args;
    size_t size;
    switch (it->how) {
    case 1:
        return -ENOKEY;
    case 2: /* takes nothing */
        return 0;
    case 3: /* no zero at its end */
        (void)thrum_unpack_text(from);
        return 0;
    case 4:
        (void)thrum_unpack_bytes(from, NULL);
        return thrum_unpack_bytes(from, &size) == NULL && size == 0 ? 0 : -EDOM;
    case 5:
        thrum_raise(-ERANGE, "not this one");
        (void)thrum_unpack_bytes(from, NULL);
        return 0;
    case 6:
        return kill(getpid(), SIGKILL);
    default:
        it->text = thrum_unpack_bytes(from, NULL);
        return 0;
    }
}

THRUM_TASK_PACK(wrong, pack_wrong, unpack_wrong)

/* Returns what was sent, which it writes to; the first time it dies. */
THRUM_TASK(char, once_more, (char *, bytes), (size_t, n), (int *, tries)) {
    char sent = bytes[n - 1]++;
    if (++*tries == 1)
        raise(SIGKILL);
    return sent;
}

static int pack_once_more(const void *args, thrum_pack *to) {
    const THRUM_TASK_ARGS(once_more) *it = args;
    thrum_pack_bytes(to, it->bytes, it->n);
    return 0;
}

static int unpack_once_more(void *args, thrum_unpack *from) {
    THRUM_TASK_ARGS(once_more) *it = args;
    it->bytes = thrum_unpack_bytes(from, NULL);
    return 0;
}

THRUM_TASK_PACK(once_more, pack_once_more, unpack_once_more)

static thrum_executor *pool_that_retries(int retries) {
    spec_needs_own_processes();
    thrum_executor *pool = thrum_executor_new(&(thrum_executor_opts){
        .backend = thrum_processes, .max_workers = 1,
        .backend_opts = &(thrum_processes_opts){.retries = retries}});
    assert_non_null(pool);
    return pool;
}

static thrum_executor *pool_of_processes(void) { return pool_that_retries(0); }

static int counted(thrum_executor *pool, const char *text, const char *more) {
    thrum_future *f;
    int n = -1;
    assert_int_equal(count_submit(pool, &f, text, 's', more), 0);
    assert_int_equal(count_result(f, &n), 0);
    thrum_future_free(f);
    return n;
}

static void test_texts(void **state) {
    (void)state;
    thrum_executor *pool = pool_of_processes();
    char *text = malloc(400000);
    assert_int_equal(counted(pool, "as on threads", "s"), 3);
    assert_int_equal(counted(pool, "as on threads", NULL), 2);
    assert_int_equal(counted(pool, NULL, ""), 0);
    assert_int_equal(counted(pool, "", "sss"), 3);
    for (size_t n = 1; n < 400000; n *= 9) {
        memset(text, 's', n);
        text[n] = '\0';
        assert_int_equal(counted(pool, text, "ss"), (int)n + 2);
    }
    free(text);
    thrum_executor_free(pool);
}

static void test_texts_on_threads(void **state) {
    (void)state;
    thrum_executor *pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1});
    assert_int_equal(counted(pool, "as on threads", NULL), 2);
    thrum_executor_free(pool);
}

/* The caller's memory is its own again when the submit has returned; what is shared stays
 * shared. */
static void test_bytes_and_shared_memory(void **state) {
    (void)state;
    enum { N = 100000 };
    thrum_executor *pool = pool_of_processes();
    double *numbers = malloc(N * sizeof *numbers), value = 0;
    thrum_shared *shared;
    thrum_future *f;
    assert_int_equal(thrum_shared_create(&shared, NULL, sizeof(double), NULL), 0);
    for (size_t n = 0; n <= N; n += N / 10) {
        for (size_t i = 0; i < n; i++)
            numbers[i] = 1;
        assert_int_equal(sum_submit(pool, &f, numbers, n, thrum_shared_memory(shared)), 0);
        memset(numbers, 0, N * sizeof *numbers);
        assert_int_equal(sum_result(f, &value), 0);
        assert_true(value == (double)n);
        assert_true(*(double *)thrum_shared_memory(shared) == (double)n);
        thrum_future_free(f);
    }
    thrum_shared_close(shared);
    free(numbers);
    thrum_executor_free(pool);
}

static void test_a_pack_that_is_wrong(void **state) {
    (void)state;
    thrum_executor *pool = pool_of_processes();
    thrum_future *f;
    static char text[200];
    assert_int_equal(wrong_submit(pool, &f, -1, text), -ENOKEY);
    assert_int_equal(wrong_submit(pool, &f, -2, text), -EINVAL);
    assert_int_equal(wrong_submit(pool, &f, -3, text), -EINVAL);
    assert_int_equal(wrong_submit(pool, &f, -4, text), -ENOMEM);
    assert_int_equal(counted(pool, "s", NULL), 1);
    thrum_executor_free(pool);
}

static void test_a_bad_unpack_fails_only_its_task(void **state) {
    (void)state;
    static const int codes[] = {0, -ENOKEY, -EPROTO, -EPROTO, -EPROTO, -ERANGE, -EPIPE, 0};
    enum { N = sizeof codes / sizeof codes[0] };
    thrum_executor *pool = pool_of_processes();
    thrum_future *f[N];
    for (int i = 0; i < N; i++)
        assert_int_equal(wrong_submit(pool, &f[i], i, "12345"), 0);
    for (int i = 0; i < N; i++) {
        int value = -1;
        assert_int_equal(wrong_result(f[i], &value), codes[i]);
        assert_int_equal(value, codes[i] == 0 ? i : -1);
        thrum_future_free(f[i]);
    }
    thrum_executor_free(pool);
}

/* Joins and frees it. Returns its exit code. */
static int end_of(thrum_process *process) {
    int code = -12345;
    assert_int_equal(thrum_process_join(process), 0);
    assert_int_equal(thrum_process_exit_code(process, &code), 0);
    thrum_process_free(process);
    return code;
}

/* What its parent packs is the process's own; what is shared is shared. */
/* Small or large, copied or shared on its way. */
static void test_another_try_gets_what_was_packed(void **state) {
    (void)state;
    thrum_executor *pool = pool_that_retries(1);
    char *bytes = calloc(400000, 1), value = 1;
    thrum_shared *shared;
    thrum_future *f;
    assert_int_equal(thrum_shared_create(&shared, NULL, sizeof(int), NULL), 0);
    int *tries = thrum_shared_memory(shared);
    for (size_t n = 4; n <= 400000; n *= 10) {
        *tries = 0;
        assert_int_equal(once_more_submit(pool, &f, bytes, n, tries), 0);
        assert_int_equal(once_more_result(f, &value), 0);
        assert_int_equal(value, 0);
        assert_int_equal(*tries, 2);
        thrum_future_free(f);
    }
    thrum_executor_free(pool);
    thrum_shared_close(shared);
    free(bytes);
}

static void test_a_process_for_one_task(void **state) {
    (void)state;
    enum { N = 100000 };
    spec_needs_own_processes();
    double *numbers = malloc(N * sizeof *numbers);
    thrum_shared *shared;
    thrum_process *p = NULL;
    assert_int_equal(thrum_shared_create(&shared, NULL, sizeof(double), NULL), 0);
    for (size_t n = 0; n <= N; n += N / 2) {
        for (size_t i = 0; i < n; i++)
            numbers[i] = 1;
        assert_int_equal(sum_start_process(&p, numbers, n, thrum_shared_memory(shared), NULL), 0);
        memset(numbers, 0, N * sizeof *numbers);
        assert_int_equal(end_of(p), 0);
        assert_true(*(double *)thrum_shared_memory(shared) == (double)n);
    }
    thrum_shared_close(shared);
    free(numbers);
    p = NULL;
    assert_int_equal(count_start_process(&p, NULL, 's', NULL, NULL), 0);
    assert_int_equal(end_of(p), 0);
}

static void test_a_pack_that_is_wrong_starts_no_process(void **state) {
    (void)state;
    static const int codes[] = {-ENOKEY, -EINVAL, -EINVAL, -ENOMEM};
    static char text[200];
    thrum_process *p = NULL;
    spec_needs_os("processes");
    for (int i = 0; i < 4; i++)
        assert_int_equal(wrong_start_process(&p, -1 - i, text, NULL), codes[i]);
    assert_null(p);
}

static int start_the_wrong_ones(void) {
    for (int i = 0; i < 7; i++) {
        thrum_process *p;
        if (wrong_start_process(&p, i, "12345", NULL) != 0 ||
            end_of(p) != (i == 0 ? 0 : i == 6 ? -SIGKILL : 1))
            return 1;
    }
    return 0;
}

static void test_a_bad_unpack_is_told(void **state) {
    (void)state;
    static spec_end end;
    spec_needs_own_processes();
    spec_exits(start_the_wrong_ones, 0, &end);
    assert_int_equal(spec_count_text(end.text, ": task \"wrong\" failed: unpack()"), 4);
    assert_int_equal(spec_count_text(end.text, ": task \"wrong\" failed: not this one"), 1);
}

/* Who forks comes first: TSan allows no threads in forks of several. */
SPEC_TESTS(cmocka_unit_test(test_a_bad_unpack_is_told),
           cmocka_unit_test(test_texts), cmocka_unit_test(test_texts_on_threads),
           cmocka_unit_test(test_bytes_and_shared_memory),
           cmocka_unit_test(test_a_pack_that_is_wrong),
           cmocka_unit_test(test_a_bad_unpack_fails_only_its_task),
           cmocka_unit_test(test_another_try_gets_what_was_packed),
           cmocka_unit_test(test_a_process_for_one_task),
           cmocka_unit_test(test_a_pack_that_is_wrong_starts_no_process));
