/* SPDX-License-Identifier: MIT */
/* The n-th malloc(), calloc() or pthread_create() fails: a start is done, or refused and nothing is
 * left of it. Linked with --wrap for these functions. */
#include "fault.h"

#include <pthread.h>
#include <string.h>

static int called; /* atomic */

static void count(void *event) {
    __atomic_fetch_add(&called, 1, __ATOMIC_RELAXED);
    if (event)
        thrum_event_set(event);
}

/* The first of this program: there is no thread for timers yet. */
static void test_the_first_start(void **state) {
    (void)state;
    spec_needs_os("pthread_create");
    thrum_timer *timer = NULL;
    int refused = 0, rc;
    thread_in = 1;
    assert_int_equal(thrum_timer_start(&timer, 0, count, NULL, NULL), -EAGAIN);
    assert_null(timer);
    for (int n = 1;; n++) {
        memory_in = n;
        rc = thrum_timer_start(&timer, 1000, count, NULL, &(thrum_timer_opts){.name = "n"});
        __atomic_store_n(&memory_in, 0, __ATOMIC_RELAXED);
        if (rc == 0)
            break;
        assert_int_equal(rc, -ENOMEM);
        assert_null(timer);
        refused += 1;
    }
    assert_true(refused >= 4); /* timer, thread, name, heap */
    assert_true(thrum_timer_cancel(timer));
    thrum_timer_free(timer);
    assert_int_equal(called, 0);
}

static void test_a_longer_heap(void **state) {
    (void)state;
    enum { TIMERS = 500 };
    static thrum_timer *timers[TIMERS];
    thrum_event done = THRUM_EVENT_INIT;
    int refused = 0;
    for (int i = 0; i < TIMERS; i++)
        for (int n = 1; !timers[i]; n++) {
            memory_in = n;
            int rc = thrum_timer_start(&timers[i], 1000, count, NULL, NULL);
            memory_in = 0;
            assert_true(rc == 0 || rc == -ENOMEM);
            refused += rc != 0;
        }
    assert_true(refused > TIMERS + 2);
    assert_int_equal(thrum_timer_start(NULL, 0, count, &done, NULL), 0);
    thrum_event_wait(&done);
    assert_int_equal(called, 1);
    memory_in = 1;
    for (int i = 0; i < TIMERS; i++) {
        assert_true(thrum_timer_cancel(timers[i]));
        thrum_timer_free(timers[i]);
    }
    assert_int_equal(memory_in, 1);
    memory_in = 0;
}

static thrum_event leave;

static void end_thread(void *arg) {
    thread_in = 1;
    thrum_event_wait(&leave);
    pthread_exit(arg);
}

static int no_thread_takes_over(void) {
    thrum_event first = THRUM_EVENT_INIT, second = THRUM_EVENT_INIT;
    thrum_thread *threads[3] = {NULL};
    if (thrum_timer_start(NULL, 0, end_thread, NULL, NULL) != 0 ||
        thrum_timer_start(NULL, 0, count, &first, NULL) != 0 ||
        thrum_thread_enumerate(threads, 3) != 2)
        return 1;
    thrum_event_set(&leave);
    thrum_thread_join(threads[1], NULL);
    thrum_thread_free(threads[0]);
    thrum_thread_free(threads[1]);
    if (thrum_event_is_set(&first) || thrum_timer_start(NULL, 0, count, &second, NULL) != 0)
        return 2;
    thrum_event_wait(&first);
    thrum_event_wait(&second);
    return 0;
}

static void test_the_next_start_tries_again(void **state) {
    (void)state;
    spec_needs_os("pthread_create");
    spec_skip_under_tsan("allows no threads after a fork with threads");
    static spec_end end;
    spec_exits(no_thread_takes_over, 0, &end);
    assert_non_null(strstr(end.text, "thrum: no thread for the pending timers"));
}

static int end_without_a_thread(void) {
    thrum_thread *threads[3] = {NULL};
    if (thrum_timer_start(NULL, 0, end_thread, NULL, NULL) != 0 ||
        thrum_timer_start(NULL, 0, count, NULL, NULL) != 0 ||
        thrum_thread_enumerate(threads, 3) != 2)
        return 1;
    thrum_event_set(&leave);
    thrum_thread_join(threads[1], NULL);
    thread_in = 1;
    return 0;
}

static void test_the_end_does_not_wait_for_ever(void **state) {
    (void)state;
    spec_needs_os("pthread_create");
    spec_skip_under_tsan("allows no threads after a fork with threads");
    static spec_end end;
    spec_exits(end_without_a_thread, 0, &end);
    assert_non_null(strstr(end.text, "thrum: the program ends without its pending timers"));
}

SPEC_TESTS(cmocka_unit_test(test_the_first_start), cmocka_unit_test(test_a_longer_heap),
           cmocka_unit_test(test_the_next_start_tries_again),
           cmocka_unit_test(test_the_end_does_not_wait_for_ever));
