/* SPDX-License-Identifier: MIT */
/* Processes that are killed or interrupted in a queue. */
#define CONCEPT_PROCESSES
#include "spec.h"

#include <unistd.h>

#include "concept.h"
#include "shared/who.h"

enum { WORKERS = 6, ROOM = 1 << 19, COPIES = 8190, KILLS = 24, SENT = 2000 };

typedef struct {
    thrum_shared_queue queue;
    char room[ROOM];
    int came;
    int got;
    uint32_t done[KILLS + 2];                /* by each producer: how many puts have returned */
    unsigned char seen[KILLS + 2][SENT + 1]; /* by the consumers: how often each item came */
} shared_state;

CONCEPT_MEMORY(shared_state)
static shared_state *c;

static void begin(size_t item_size, size_t maxsize) {
    concept_begin();
    c = concept_memory();
    memset(c, 0, sizeof *c);
    assert_int_equal(thrum_shared_queue_init(&c->queue, c->room, item_size, maxsize), 0);
}

static void put(int value) { assert_int_equal(thrum_shared_queue_put(&c->queue, &value), 0); }

static int get(void) {
    int value = -1;
    assert_int_equal(thrum_shared_queue_get(&c->queue, &value), 0);
    return value;
}

static void *get_one(void *arg) {
    concept_comes();
    assert_int_equal(thrum_shared_queue_get(&c->queue, NULL), 0);
    __atomic_fetch_add(&c->got, 1, __ATOMIC_RELAXED);
    return arg;
}

static void *get_interrupted(void *arg) {
    spec_expect_signals();
    concept_comes();
    assert_int_equal(thrum_shared_queue_get_until(&c->queue, NULL, THRUM_NEVER), -EINTR);
    return arg;
}

static void test_interruption(void **state) {
    (void)state;
    concept_team team = {.n = 0};
    begin(sizeof(int), 1);
    concept_start(&team, 1, get_interrupted, NULL);
    concept_until_waiting(&c->queue, &team, 1);
    spec_processes_interrupt(&team);
    put(1);
    assert_int_equal(get(), 1);
}

/* The own name, of a process that was started at another time: it is dead. */
static uint64_t dead_name(void) { return thrum__who_process() + (UINT64_C(1) << 32); }

static void test_sides_whose_holder_died_in_the_middle(void **state) {
    (void)state;
    begin(sizeof(int), 2);
    if (thrum__who_process() >> 32 == 0)
        skip(); /* no /proc: nobody knows when it started */
    put(1);
    c->queue.thrum__put.thrum__guard = dead_name(); /* it has begun to write the next item */
    memset(c->room + sizeof(int), 0xee, sizeof(int));
    put(2);
    c->queue.thrum__get.thrum__guard = dead_name();
    assert_int_equal(get(), 1);
    assert_int_equal(get(), 2);
    c->queue.thrum__put.thrum__guard = dead_name();
    thrum_shared_queue_shutdown(&c->queue, false);
    assert_int_equal(thrum_shared_queue_get(&c->queue, NULL), -ESHUTDOWN);
}

static void *hold_guards_and_stay(void *arg) {
    c->queue.thrum__put.thrum__guard = thrum__who_process();
    c->queue.thrum__get.thrum__guard = thrum__who_process();
    __atomic_store_n(&c->got, 1, __ATOMIC_RELEASE);
    for (;;)
        pause();
    return arg;
}

static void *be_interrupted_at_the_guard(void *arg) {
    spec_expect_signals();
    assert_int_equal(thrum_shared_queue_put_until(&c->queue, &c->came, THRUM_NEVER), -EINTR);
    return arg;
}

/* One that is stopped in the middle of a put and a get is not dead, but time-outs hold. */
static void test_deadlines_hold_when_a_side_is_stopped(void **state) {
    (void)state;
    concept_team team = {.n = 0}, other = {.n = 0};
    int item = 1;
    begin(sizeof(int), 2);
    put(1);
    concept_start(&team, 1, hold_guards_and_stay, NULL);
    while (!__atomic_load_n(&c->got, __ATOMIC_ACQUIRE))
        spec_yield();
    assert_int_equal(thrum_shared_queue_put_until(&c->queue, &item, thrum_in(-1)), -ETIMEDOUT);
    assert_int_equal(thrum_shared_queue_get_until(&c->queue, &item, thrum_in(0)), -ETIMEDOUT);
    assert_int_equal(thrum_shared_queue_join_until(&c->queue, thrum_in(0)), -ETIMEDOUT);
    concept_start(&other, 1, be_interrupted_at_the_guard, NULL);
    spec_processes_interrupt(&other);
    spec_processes_kill(&team);
    put(2);
    assert_int_equal(get(), 1);
    assert_int_equal(get(), 2);
}

static void *get_two_of_three(void *arg) {
    assert_int_equal(get(), 1);
    assert_int_equal(get(), 2);
    assert_int_equal(get(), 3);
    assert_int_equal(thrum_shared_queue_task_done(&c->queue), 0);
    __atomic_store_n(&c->got, 1, __ATOMIC_RELEASE);
    for (;;)
        pause();
    return arg;
}

static void begin_with_tasks_of_a_dead_one(void) {
    concept_team team = {.n = 0};
    begin(sizeof(int), 10);
    for (int i = 1; i <= 4; i++)
        put(i);
    concept_start(&team, 1, get_two_of_three, NULL);
    while (!__atomic_load_n(&c->got, __ATOMIC_ACQUIRE))
        spec_yield();
    assert_int_equal(thrum_shared_queue_join_until(&c->queue, thrum_in(0.005)), -ETIMEDOUT);
    spec_processes_kill(&team);
}

static void *join_it(void *arg) {
    concept_comes();
    assert_int_equal(thrum_shared_queue_join(&c->queue), 0);
    return arg;
}

static void test_a_join_does_not_wait_for_tasks_of_the_dead(void **state) {
    (void)state;
    for (int way = 0; way < 3; way++) {
        concept_team joiner = {.n = 0};
        begin_with_tasks_of_a_dead_one();
        assert_int_equal(get(), 4);
        if (way == 0)
            assert_int_equal(thrum_shared_queue_join_until(&c->queue, thrum_in(-1)), -ETIMEDOUT);
        assert_int_equal(thrum_shared_queue_task_done(&c->queue), 0);
        if (way == 2)
            assert_int_equal(thrum_shared_queue_join_until(&c->queue, thrum_in(-1)), -EOWNERDEAD);
        else
            assert_int_equal(thrum_shared_queue_join(&c->queue), -EOWNERDEAD);
        assert_int_equal(thrum_shared_queue_join(&c->queue), 0); /* it is said once */
        put(5);
        concept_start(&joiner, 1, join_it, NULL);
        concept_until_waiting(&c->queue, &joiner, 1);
        assert_int_equal(get(), 5);
        assert_int_equal(thrum_shared_queue_task_done(&c->queue), 0);
        concept_join(&joiner);
        assert_int_equal(thrum_shared_queue_task_done(&c->queue), -EINVAL);
    }
}

/* Killed behind a get, or inside a task_done: between the two stores of either. */
static void test_a_task_in_doubt_is_lost(void **state) {
    (void)state;
    for (int way = 0; way < 2; way++) {
        begin(sizeof(int), 10);
        if (thrum__who_process() >> 32 == 0)
            skip(); /* no /proc: nobody knows when it started */
        put(1);
        put(2);
        assert_int_equal(get(), 1);
        if (way == 0)
            c->queue.thrum__get.thrum__at = UINT64_C(2) << 32 | 2;
        else
            c->queue.thrum__tasks.thrum__held[0] = 0;
        c->queue.thrum__get.thrum__guard = dead_name();
        if (way == 1)
            assert_int_equal(get(), 2);
        assert_int_equal(thrum_shared_queue_task_done(&c->queue), 0);
        assert_int_equal(thrum_shared_queue_join(&c->queue), -EOWNERDEAD);
        assert_int_equal(thrum_shared_queue_task_done(&c->queue), -EINVAL);
    }
}

/* Tasks that were done before they were got are in nobody's hands then. */
static void test_tasks_that_were_done_early(void **state) {
    (void)state;
    begin(sizeof(int), 10);
    if (thrum__who_process() >> 32 == 0)
        skip(); /* no /proc: nobody knows when it started */
    put(1);
    put(2);
    assert_int_equal(thrum_shared_queue_task_done(&c->queue), 0);
    assert_int_equal(get(), 1);
    assert_int_equal(get(), 2);
    c->queue.thrum__get.thrum__guard = dead_name();
    assert_int_equal(thrum_shared_queue_task_done(&c->queue), 0);
    assert_int_equal(thrum_shared_queue_join(&c->queue), 0);
    for (int i = 0; i < 3; i++)
        put(i);
    assert_int_equal(thrum_shared_queue_task_done(&c->queue), 0);
    assert_int_equal(thrum_shared_queue_task_done(&c->queue), 0);
    c->queue.thrum__get.thrum__guard = dead_name();
    thrum_shared_queue_shutdown(&c->queue, true);
    assert_int_equal(thrum_shared_queue_join(&c->queue), 0);
    assert_int_equal(thrum_shared_queue_task_done(&c->queue), -EINVAL);
}

static void *work(void *arg) {
    while (thrum_shared_queue_get(&c->queue, NULL) == 0) {
        spec_perhaps_yield();
        assert_int_equal(thrum_shared_queue_task_done(&c->queue), 0);
        __atomic_fetch_add(&c->got, 1, __ATOMIC_RELAXED);
    }
    return arg;
}

static void *put_for_ever(void *arg) {
    int item = 1;
    while (thrum_shared_queue_put(&c->queue, &item) == 0)
        spec_perhaps_yield();
    return arg;
}

/* Whenever workers are killed, the join ends, and the accounts are right. */
static void test_kills_stop_no_join(void **state) {
    (void)state;
    concept_team workers = {.n = 0}, producers = {.n = 0};
    begin(sizeof(int), 7);
    concept_start(&workers, 2, work, NULL);
    concept_start(&producers, 1, put_for_ever, NULL);
    for (int i = 0; i < KILLS; i++) {
        concept_team victim = {.n = 0};
        int before = __atomic_load_n(&c->got, __ATOMIC_RELAXED);
        concept_start(&victim, 1, work, NULL);
        while (__atomic_load_n(&c->got, __ATOMIC_RELAXED) - before < 20)
            spec_yield();
        for (uint32_t n = spec_random(20); n > 0; n--)
            spec_yield();
        spec_processes_kill(&victim);
    }
    thrum_shared_queue_shutdown(&c->queue, false);
    concept_join(&producers);
    concept_join(&workers);
    int rc = thrum_shared_queue_join(&c->queue);
    assert_true(rc == 0 || rc == -EOWNERDEAD);
    assert_int_equal(thrum_shared_queue_task_done(&c->queue), -EINVAL);
    for (int i = 0; i < THRUM__SHARED_HOLDERS; i++)
        assert_int_equal(c->queue.thrum__tasks.thrum__held[i], 0);
    assert_int_equal(c->queue.thrum__tasks.thrum__others, 0);
}

/* What a producer leaves that is killed between its change and its wake. */
static void test_an_item_without_its_wake_is_found(void **state) {
    (void)state;
    concept_team team = {.n = 0};
    begin(sizeof(int), 100);
    concept_start(&team, WORKERS, get_one, NULL);
    concept_until_waiting(&c->queue, &team, WORKERS);
    memset(c->room, 0, WORKERS * sizeof(int));
    __atomic_store_n(&c->queue.thrum__put.thrum__at, (uint64_t)WORKERS << 32 | WORKERS,
                     __ATOMIC_SEQ_CST);
    concept_join(&team);
    assert_int_equal(c->got, WORKERS);
}

typedef struct {
    uint32_t producer;
    uint32_t number;
    uint32_t copies[COPIES]; /* of the number: a torn item would differ */
} item;

static void *send(void *producer) {
    item it = {.producer = (uint32_t)(uintptr_t)producer};
    for (it.number = 1; it.number < SENT; it.number++) {
        for (int i = 0; i < COPIES; i++)
            it.copies[i] = it.number;
        if (thrum_shared_queue_put(&c->queue, &it) != 0)
            break;
        __atomic_store_n(&c->done[it.producer], it.number, __ATOMIC_RELEASE);
    }
    return NULL;
}

static void *receive(void *arg) {
    uint32_t last[KILLS + 2] = {0};
    item it;
    while (thrum_shared_queue_get(&c->queue, &it) == 0) {
        for (int i = 0; i < COPIES; i++)
            assert_true(it.copies[i] == it.number);
        assert_true(it.number > last[it.producer]);
        last[it.producer] = it.number;
        __atomic_fetch_add(&c->seen[it.producer][it.number], 1, __ATOMIC_RELAXED);
        __atomic_fetch_add(&c->got, 1, __ATOMIC_RELAXED);
    }
    return arg;
}

static void kill_in_the_middle(void *(*fn)(void *), uintptr_t number) {
    concept_team victim = {.n = 0};
    concept_start(&victim, 1, fn, (void *)number);
    for (uint32_t n = 10 + spec_random(60); n > 0; n--)
        spec_yield();
    spec_processes_kill(&victim);
}

/* Every item whose put has returned came once, but for one at most by each consumer that was
 * killed. */
static void check_items(int consumers_killed) {
    int missing = 0;
    for (int p = 0; p < KILLS + 2; p++)
        for (uint32_t n = 1; n <= SENT; n++) {
            assert_true(c->seen[p][n] <= 1);
            assert_true(n <= c->done[p] + 1 || c->seen[p][n] == 0);
            missing += n <= c->done[p] && c->seen[p][n] == 0;
        }
    assert_in_range(missing, 0, consumers_killed);
}

static void test_kills_lose_no_other_item(void **state) {
    (void)state;
    for (int kill_consumers = 0; kill_consumers < 2; kill_consumers++) {
        concept_team producers = {.n = 0};
        concept_team consumers = {.n = 0};
        begin(sizeof(item), 15);
        concept_start(&producers, 1, send, (void *)(uintptr_t)KILLS);
        concept_start(&consumers, 2, receive, NULL);
        for (uintptr_t i = 0; i < KILLS; i++) {
            if (kill_consumers)
                kill_in_the_middle(receive, i);
            else
                kill_in_the_middle(send, i);
        }
        concept_join(&producers);
        thrum_shared_queue_shutdown(&c->queue, false);
        concept_join(&consumers);
        check_items(kill_consumers ? KILLS : 0);
    }
}

SPEC_TESTS(cmocka_unit_test(test_interruption),
           cmocka_unit_test(test_sides_whose_holder_died_in_the_middle),
           cmocka_unit_test(test_deadlines_hold_when_a_side_is_stopped),
           cmocka_unit_test(test_a_join_does_not_wait_for_tasks_of_the_dead),
           cmocka_unit_test(test_a_task_in_doubt_is_lost),
           cmocka_unit_test(test_tasks_that_were_done_early),
           cmocka_unit_test(test_kills_stop_no_join),
           cmocka_unit_test(test_an_item_without_its_wake_is_found),
           cmocka_unit_test(test_kills_lose_no_other_item));
