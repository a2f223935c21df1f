/* SPDX-License-Identifier: MIT */
/* Many producers and consumers with random time limits: every item exactly once, each producer's in
 * order, never more than maxsize in, join and shutdown in the middle. */
#include "spec.h"

#include <string.h>

enum { PRODUCERS = 4, CONSUMERS = 4 };

typedef struct item {
    uint32_t producer;
    uint32_t number; /* from 1 */
    char rest[16];
} item;

static struct {
    thrum_queue *queue;
    thrum_queue_order order;
    size_t maxsize;
    thrum_deadline end;
    bool stop;
    uint64_t put[PRODUCERS];
    uint64_t got;
    uint64_t sum_put;
    uint64_t sum_got;
    uint64_t in, out; /* puts that returned, gets that began */
    uint64_t timed_out;
} s;

static int compare_items(const void *a, const void *b) {
    const item *x = a, *y = b;
    return (x->number > y->number) - (x->number < y->number);
}

static void count(uint64_t *counter, uint64_t n) {
    __atomic_fetch_add(counter, n, __ATOMIC_SEQ_CST);
}

static bool over(void) {
    return __atomic_load_n(&s.stop, __ATOMIC_RELAXED) || thrum_now().ns >= s.end.ns;
}

static int put_somehow(const item *it) {
    switch (spec_random(4)) {
    case 0:
        return thrum_queue_try_put(s.queue, it);
    case 1:
        return thrum_queue_put_until(s.queue, it, thrum_in(spec_random(60) * 1e-6));
    default:
        return thrum_queue_put(s.queue, it);
    }
}

static int get_somehow(item *it) {
    switch (spec_random(4)) {
    case 0:
        return thrum_queue_try_get(s.queue, it);
    case 1:
        return thrum_queue_get_until(s.queue, it, thrum_in(spec_random(60) * 1e-6));
    default:
        return thrum_queue_get(s.queue, it);
    }
}

static void *produce(void *arg) {
    uint32_t self = (uint32_t)(uintptr_t)arg;
    item it = {self, 0, "0123456789abcde"};
    do {
        it.number += 1;
        int rc;
        while ((rc = put_somehow(&it)) == -EAGAIN || rc == -ETIMEDOUT)
            count(&s.timed_out, 1);
        if (rc == -ESHUTDOWN)
            break;
        assert_int_equal(rc, 0);
        s.put[self] += 1;
        count(&s.sum_put, it.number);
        count(&s.in, 1);
    } while (!over());
    return NULL;
}

static void *consume(void *arg) {
    uint32_t last[PRODUCERS] = {0};
    for (;;) {
        item it = {0};
        count(&s.out, 1);
        int rc = get_somehow(&it);
        if (rc == -ESHUTDOWN)
            return arg;
        if (rc != 0) {
            assert_true(rc == -EAGAIN || rc == -ETIMEDOUT);
            count(&s.timed_out, 1);
            count(&s.out, (uint64_t)-1);
            continue;
        }
        assert_true(it.producer < PRODUCERS);
        assert_string_equal(it.rest, "0123456789abcde");
        if (s.order == THRUM_FIFO)
            assert_true(it.number > last[it.producer]);
        last[it.producer] = it.number;
        count(&s.got, 1);
        count(&s.sum_got, it.number);
        assert_int_equal(thrum_queue_task_done(s.queue), 0);
    }
}

static void start(thrum_queue_order order, size_t maxsize, double share) {
    memset(&s, 0, sizeof s);
    s.order = order;
    s.maxsize = maxsize;
    s.end = thrum_in(spec_stress_seconds() * share);
    s.queue = thrum_queue_new(
        sizeof(item),
        &(thrum_queue_opts){.maxsize = maxsize,
                            .order = order,
                            .compare = order == THRUM_PRIORITY ? compare_items : NULL});
    assert_non_null(s.queue);
}

static void look_at_size(void) {
    uint64_t in = __atomic_load_n(&s.in, __ATOMIC_SEQ_CST);
    uint64_t out = __atomic_load_n(&s.out, __ATOMIC_SEQ_CST);
    size_t size = thrum_queue_qsize(s.queue);
    if (s.maxsize != 0) {
        assert_true(size <= s.maxsize);
        assert_true((int64_t)(in - out) <= (int64_t)s.maxsize);
    }
}

static void run(thrum_queue_order order, size_t maxsize, double share) {
    spec_team producers = {.n = 0};
    spec_team consumers = {.n = 0};
    uint64_t put = 0;
    start(order, maxsize, share);
    spec_team_start(&consumers, CONSUMERS, consume, NULL);
    for (uintptr_t i = 0; i < PRODUCERS; i++)
        spec_team_start(&producers, 1, produce, (void *)i);
    while (!over()) {
        look_at_size();
        spec_yield();
    }
    spec_team_join(&producers);
    assert_int_equal(thrum_queue_join(s.queue), 0);
    assert_true(thrum_queue_empty(s.queue));
    thrum_queue_shutdown(s.queue, false);
    spec_team_join(&consumers);
    for (int i = 0; i < PRODUCERS; i++)
        put += s.put[i];
    assert_true(put > 0);
    assert_int_equal(put, s.got);
    assert_int_equal(s.sum_put, s.sum_got);
    assert_int_equal(thrum_queue_task_done(s.queue), -EINVAL);
    thrum_queue_free(s.queue);
}

static void test_every_item_once(void **state) {
    static const size_t limits[] = {1, 3, 300, 1024, 0};
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        run(THRUM_FIFO, limits[i], 0.3);
        run(THRUM_LIFO, limits[i], 0.05);
        run(THRUM_PRIORITY, limits[i], 0.05);
    }
}

static void shut_down(thrum_queue_order order, size_t maxsize, bool immediate) {
    spec_team producers = {.n = 0};
    spec_team consumers = {.n = 0};
    uint64_t put = 0;
    start(order, maxsize, 0.01);
    spec_team_start(&consumers, CONSUMERS, consume, NULL);
    for (uintptr_t i = 0; i < PRODUCERS; i++)
        spec_team_start(&producers, 1, produce, (void *)i);
    for (uint32_t n = spec_random(30); n > 0; n--)
        spec_yield();
    thrum_queue_shutdown(s.queue, immediate);
    spec_team_join(&producers);
    spec_team_join(&consumers);
    assert_int_equal(thrum_queue_join(s.queue), 0);
    assert_int_equal(thrum_queue_task_done(s.queue), -EINVAL);
    assert_true(thrum_queue_empty(s.queue));
    for (int i = 0; i < PRODUCERS; i++)
        put += s.put[i];
    if (immediate)
        assert_true(put >= s.got);
    else
        assert_int_equal(put, s.got);
    thrum_queue_free(s.queue);
}

static void test_shutdown_in_the_middle(void **state) {
    static const size_t limits[] = {1, 2, 100, 0};
    (void)state;
    thrum_deadline end = thrum_in(spec_stress_seconds());
    while (thrum_now().ns < end.ns)
        shut_down((thrum_queue_order)spec_random(3), limits[spec_random(4)], spec_random(2));
}

static struct {
    thrum_queue *mail; /* of queues */
} post;

static void *put_one(void *arg) {
    thrum_queue *queue;
    while (thrum_queue_get(post.mail, &queue) == 0) {
        char last = 1;
        assert_int_equal(thrum_queue_put(queue, &last), 0);
    }
    return arg;
}

/* The item says that the queue is no longer needed: its getter frees it, with the put still on its
 * way out. */
static void *get_one_and_free(void *arg) {
    while (!over()) {
        char last = 0;
        thrum_queue *queue = thrum_queue_new(
            1, &(thrum_queue_opts){.maxsize = 1, .order = (thrum_queue_order)spec_random(2)});
        assert_non_null(queue);
        assert_int_equal(thrum_queue_put(post.mail, &queue), 0);
        assert_int_equal(thrum_queue_get(queue, &last), 0);
        assert_int_equal(last, 1);
        thrum_queue_free(queue);
    }
    return arg;
}

/* The same with task_done and join. */
static void *do_one(void *arg) {
    thrum_queue *queue;
    while (thrum_queue_get(post.mail, &queue) == 0)
        assert_int_equal(thrum_queue_task_done(queue), 0);
    return arg;
}

static void *join_one_and_free(void *arg) {
    while (!over()) {
        thrum_queue *queue = thrum_queue_new(
            1, &(thrum_queue_opts){.maxsize = 1, .order = (thrum_queue_order)spec_random(2)});
        assert_non_null(queue);
        assert_int_equal(thrum_queue_put(queue, ""), 0);
        assert_int_equal(thrum_queue_put(post.mail, &queue), 0);
        assert_int_equal(thrum_queue_join(queue), 0);
        thrum_queue_free(queue);
    }
    return arg;
}

static void run_mail(void *(*serve)(void *), void *(*ask)(void *)) {
    spec_team servers = {.n = 0};
    spec_team askers = {.n = 0};
    start(THRUM_FIFO, 1, 0.5);
    post.mail = thrum_queue_new(sizeof(thrum_queue *), NULL);
    spec_team_start(&servers, 2, serve, NULL);
    spec_team_start(&askers, 3, ask, NULL);
    spec_team_join(&askers);
    thrum_queue_shutdown(post.mail, false);
    spec_team_join(&servers);
    thrum_queue_free(post.mail);
    thrum_queue_free(s.queue);
}

static void test_free_by_who_knows(void **state) {
    (void)state;
    run_mail(put_one, get_one_and_free);
    run_mail(do_one, join_one_and_free);
}

/* Nobody has a time limit here, and each wait is for the other: one lost wake stops all. */
static struct {
    thrum_queue *ask, *answer;
} pair;

static void dawdle(void) {
    for (volatile uint32_t n = spec_random(2000); n > 0; n--)
        continue;
}

static void *answer_all(void *arg) {
    int number;
    while (thrum_queue_get(pair.ask, &number) == 0) {
        dawdle();
        assert_int_equal(thrum_queue_put(pair.answer, &number), 0);
    }
    return arg;
}

static void *ask_all(void *arg) {
    while (!over()) {
        int number = 0;
        assert_int_equal(thrum_queue_put(pair.ask, &number), 0);
        dawdle();
        assert_int_equal(thrum_queue_get(pair.answer, &number), 0);
    }
    return arg;
}

static void ask_and_answer(thrum_queue_order order, int n) {
    spec_team asking = {.n = 0};
    spec_team answering = {.n = 0};
    start(order, 1, 0.25);
    const thrum_queue_opts opts = {.maxsize = 1, .order = order};
    pair.ask = thrum_queue_new(sizeof(int), &opts);
    pair.answer = thrum_queue_new(sizeof(int), &opts);
    spec_team_start(&answering, n, answer_all, NULL);
    spec_team_start(&asking, n, ask_all, NULL);
    spec_team_join(&asking);
    thrum_queue_shutdown(pair.ask, false);
    spec_team_join(&answering);
    thrum_queue_free(pair.ask);
    thrum_queue_free(pair.answer);
    thrum_queue_free(s.queue);
}

static void test_no_wake_is_lost(void **state) {
    (void)state;
    for (int n = 1; n <= 4; n += 3) {
        ask_and_answer(THRUM_FIFO, n);
        ask_and_answer(THRUM_LIFO, n);
    }
}

SPEC_TESTS(cmocka_unit_test(test_every_item_once), cmocka_unit_test(test_shutdown_in_the_middle),
           cmocka_unit_test(test_free_by_who_knows), cmocka_unit_test(test_no_wake_is_lost));
