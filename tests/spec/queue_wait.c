/* SPDX-License-Identifier: MIT */
/* Waiting in a queue: signals, waitables, dumps, and a slot whose owner was
 * stopped in the middle of it. */
#include "spec.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "thread/queue_ring.h"

static struct {
    thrum_queue *queue;
    thrum_event ready;
    pthread_t target;
    uint32_t handled;
    uint32_t returned;
    uint32_t got;
    int rc;
    int value;
} s;

static void reset(thrum_queue_order order, size_t maxsize) {
    memset(&s, 0, sizeof s);
    s.queue =
        thrum_queue_new(sizeof(int), &(thrum_queue_opts){.maxsize = maxsize, .order = order});
    assert_non_null(s.queue);
}

static void put(int value) { assert_int_equal(thrum_queue_put(s.queue, &value), 0); }

static void add(uint32_t *counter) { __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED); }

static uint32_t seen(const uint32_t *counter) { return __atomic_load_n(counter, __ATOMIC_ACQUIRE); }

static void *get_one(void *arg) {
    assert_int_equal(thrum_queue_get(s.queue, NULL), 0);
    add(&s.got);
    return arg;
}

static void *put_one(void *arg) {
    put(1);
    return arg;
}

static void *wait_for_both(void *arg) {
    int *which = arg;
    thrum_waitable both[] = {thrum_event_waitable(&s.ready), thrum_queue_get_waitable(s.queue)};
    assert_int_equal(thrum_wait_any(both, 2, THRUM_NEVER, which), 0);
    return NULL;
}

static void test_waitables(void **state) {
    (void)state;
    for (int order = THRUM_FIFO; order <= THRUM_LIFO; order++) {
        reset((thrum_queue_order)order, 1);
        thrum_waitable any[] = {thrum_queue_get_waitable(s.queue),
                                thrum_queue_put_waitable(s.queue)};
        int which = -1;
        assert_int_equal(thrum_wait_any(any, 2, THRUM_NEVER, &which), 0);
        assert_int_equal(which, 1);
        assert_int_equal(thrum_wait_any(any, 1, thrum_in(0.001), NULL), -ETIMEDOUT);
        put(1);
        assert_int_equal(thrum_wait_any(any, 2, THRUM_NEVER, &which), 0);
        assert_int_equal(which, 0);
        assert_int_equal(thrum_wait_any(&any[1], 1, thrum_in(0.001), NULL), -ETIMEDOUT);
        thrum_queue_shutdown(s.queue, false);
        assert_int_equal(thrum_wait_any(&any[1], 1, THRUM_NEVER, NULL), 0);
        assert_int_equal(thrum_queue_get(s.queue, NULL), 0);
        assert_int_equal(thrum_wait_any(any, 1, THRUM_NEVER, NULL), 0);
        thrum_queue_free(s.queue);
    }
}

static void test_observers_are_woken(void **state) {
    (void)state;
    for (int way = 0; way < 6; way++) {
        int which[2] = {-1, -1};
        spec_team observers = {.n = 0};
        reset(way % 2 ? THRUM_FIFO : THRUM_LIFO, 0);
        spec_team_start(&observers, 1, wait_for_both, &which[0]);
        spec_team_start(&observers, 1, wait_for_both, &which[1]);
        spec_until_strands_waiting(2);
        if (way < 2)
            put(1);
        else if (way < 4)
            thrum_queue_shutdown(s.queue, way == 2);
        else
            thrum_event_set(&s.ready);
        spec_team_join(&observers);
        assert_int_equal(which[0], way < 4);
        assert_int_equal(which[1], way < 4);
        thrum_queue_free(s.queue);
    }
}

static void *observe_room(void *arg) {
    thrum_waitable room = thrum_queue_put_waitable(s.queue);
    assert_int_equal(thrum_wait_any(&room, 1, THRUM_NEVER, NULL), 0);
    return arg;
}

static void test_observers_and_sleepers_together(void **state) {
    (void)state;
    for (int order = THRUM_FIFO; order <= THRUM_LIFO; order++) {
        spec_team team = {.n = 0};
        reset((thrum_queue_order)order, 2);
        put(1);
        put(2);
        spec_team_start(&team, 1, put_one, NULL);
        spec_team_start(&team, 2, observe_room, NULL);
        spec_team_start(&team, 1, put_one, NULL);
        spec_until_strands_waiting(4);
        for (int i = 0; i < 3; i++)
            assert_int_equal(thrum_queue_get(s.queue, NULL), 0);
        spec_team_join(&team);
        assert_int_equal(thrum_queue_qsize(s.queue), 1);
        thrum_queue_free(s.queue);
    }
}

static void on_signal(int number) {
    (void)number;
    add(&s.handled);
}

static int do_get(void) { return thrum_queue_get(s.queue, NULL); }

static int do_get_until(void) { return thrum_queue_get_until(s.queue, NULL, THRUM_NEVER); }

static int do_put_until(void) { return thrum_queue_put_until(s.queue, &s.value, THRUM_NEVER); }

static int do_join_until(void) { return thrum_queue_join_until(s.queue, THRUM_NEVER); }

static void *run_interruptible(void *fn) {
    thrum_interruptible(true);
    s.target = pthread_self();
    thrum_event_set(&s.ready);
    s.rc = ((int (*)(void))(uintptr_t)fn)();
    __atomic_store_n(&s.returned, 1, __ATOMIC_RELEASE);
    return NULL;
}

/* Sends signals to a thread in fn() until that has ended, or `n` were handled. */
static thrum_thread *interrupt(int (*fn)(void), uint32_t n) {
    thrum_thread *thread = spec_start(run_interruptible, (void *)(uintptr_t)fn);
    thrum_event_wait(&s.ready);
    spec_until_strands_waiting(1);
    while (!seen(&s.returned) && seen(&s.handled) < n) {
        uint32_t handled = seen(&s.handled);
        assert_int_equal(pthread_kill(s.target, SIGUSR1), 0);
        /* A sanitizer may keep one that comes before the thread sleeps: it gets another. */
        for (int i = 0; i < 1000 && seen(&s.handled) == handled && !seen(&s.returned); i++)
            spec_yield();
    }
    return thread;
}

static void test_signals(void **state) {
    (void)state;
    struct sigaction action = {.sa_handler = on_signal};
    spec_needs_os("signals to one thread");
    sigemptyset(&action.sa_mask);
    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
    int (*const waits[])(void) = {do_get_until, do_put_until, do_join_until};
    for (int i = 0; i < 3; i++) {
        reset(THRUM_FIFO, 1);
        if (i > 0)
            put(1);
        spec_join(interrupt(waits[i], UINT32_MAX));
        assert_int_equal(s.rc, -EINTR);
        thrum_queue_free(s.queue);
    }
}

static void test_signals_do_not_end_a_plain_get(void **state) {
    (void)state;
    struct sigaction action = {.sa_handler = on_signal};
    spec_needs_os("signals to one thread");
    spec_skip_under_tsan("defers handlers while a thread sleeps");
    sigemptyset(&action.sa_mask);
    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
    reset(THRUM_FIFO, 1);
    thrum_thread *thread = interrupt(do_get, 5);
    assert_int_equal(seen(&s.returned), 0);
    put(1);
    spec_join(thread);
    assert_int_equal(s.rc, 0);
    thrum_queue_free(s.queue);
}

static void test_a_dump_says_what_is_waited_for(void **state) {
    (void)state;
    int ends[2];
    char text[8192];
    reset(THRUM_FIFO, 1);
    thrum_thread *getter = spec_start(get_one, NULL);
    spec_until_strands_waiting(1);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(thrum_dump(ends[1]), 0);
    ssize_t n = read(ends[0], text, sizeof text - 1);
    assert_true(n > 0);
    text[n] = '\0';
    assert_non_null(strstr(text, "queue (get)"));
    close(ends[0]);
    close(ends[1]);
    put(1);
    spec_join(getter);
    thrum_queue_free(s.queue);
}

static void free_with_a_waiter(void) {
    reset(THRUM_FIFO, 1);
    spec_start(get_one, NULL);
    spec_until_strands_waiting(1);
    thrum_queue_free(s.queue);
}

static void test_free_with_a_waiter_is_misuse(void **state) {
    (void)state;
    spec_dies(free_with_a_waiter, "somebody waits in it");
}

static void *observe_one(void *arg) {
    thrum_waitable sides[] = {thrum_queue_get_waitable(s.queue), thrum_queue_put_waitable(s.queue)};
    assert_int_equal(thrum_wait_any(&sides[arg != NULL], 1, THRUM_NEVER, NULL), 0);
    return arg;
}

static void free_with_an_observer_of_items(void) {
    reset(THRUM_FIFO, 1);
    spec_start(observe_one, NULL);
    spec_until_strands_waiting(1);
    thrum_queue_free(s.queue);
}

static void free_with_an_observer_of_room(void) {
    reset(THRUM_LIFO, 1);
    put(1);
    spec_start(observe_one, &s);
    spec_until_strands_waiting(1);
    thrum_queue_free(s.queue);
}

static void test_free_with_an_observer_is_misuse(void **state) {
    (void)state;
    spec_dies(free_with_an_observer_of_items, "somebody waits in it");
    spec_dies(free_with_an_observer_of_room, "somebody waits in it");
}

static void *try_get_one(void *arg) {
    s.rc = thrum_queue_try_get(s.queue, &s.value);
    __atomic_store_n(&s.returned, 1, __ATOMIC_RELEASE);
    return arg;
}

/* The first half of a put, done by hand: its owner was stopped. */
static thrum__slot *claim(size_t *position, size_t *lap) {
    thrum__ring *ring = s.queue->tail_ring;
    size_t at = *position;
    *lap = thrum__lap_of(ring, at);
    assert_true(thrum__position_move(position, at, thrum__behind(ring, at)));
    return thrum__slot_at(ring, at);
}

static void test_a_put_in_the_middle_is_waited_for(void **state) {
    (void)state;
    size_t lap;
    int value = 42;
    reset(THRUM_FIFO, 4);
    thrum__slot *slot = claim(&s.queue->tail_ring->tail, &lap);
    put(43);
    assert_int_equal(thrum_queue_qsize(s.queue), 2);
    thrum_thread *getter = spec_start(try_get_one, NULL);
    spec_until_waiting(s.queue, 1);
    assert_int_equal(seen(&s.returned), 0);
    assert_int_equal(thrum_queue_get_until(s.queue, NULL, thrum_in(-1)), -ETIMEDOUT);
    assert_int_equal(thrum_queue_get_until(s.queue, NULL, thrum_in(0.004)), -ETIMEDOUT);
    memcpy(slot->item, &value, sizeof value);
    thrum__slot_pass(slot, lap | THRUM__WRITTEN);
    spec_join(getter);
    assert_int_equal(s.rc, 0);
    thrum_queue_free(s.queue);
}

SPEC_TESTS(cmocka_unit_test(test_waitables),
           cmocka_unit_test(test_observers_are_woken),
           cmocka_unit_test(test_observers_and_sleepers_together), cmocka_unit_test(test_signals),
           cmocka_unit_test(test_signals_do_not_end_a_plain_get),
           cmocka_unit_test(test_a_dump_says_what_is_waited_for),
           cmocka_unit_test(test_free_with_a_waiter_is_misuse),
           cmocka_unit_test(test_free_with_an_observer_is_misuse),
           cmocka_unit_test(test_a_put_in_the_middle_is_waited_for));
