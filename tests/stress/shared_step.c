/* SPDX-License-Identifier: MIT */
/* Killed at any instruction: a child runs a call on an object in shared memory, one instruction at
 * a time; after a number of them it is killed, and its parent looks at what it left. */
#include "processes.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/who.h"

enum { STEPS_MAX = 200000, LARGE = 4 };

static struct common {
    thrum_shared_lock lock;
    thrum_shared_rlock rlock;
    thrum_shared_semaphore slots, signals;
    thrum_shared_event event;
    thrum_shared_condition changed;
    thrum_shared_barrier pair, alone;
    thrum_shared_queue queue;
    int room[LARGE];
    int x, y;
    bool traced, done;
} *c;

/* Acquired, be it from a dead one. Returns whether it was. */
static bool inherited(int rc) {
    assert_true(rc == 0 || rc == -EOWNERDEAD);
    return rc != 0;
}

static void change_both(void) {
    assert_int_equal(thrum_shared_lock_acquire(&c->lock), 0);
    __atomic_store_n(&c->x, c->x + 1, __ATOMIC_RELAXED);
    __atomic_store_n(&c->y, c->y + 1, __ATOMIC_RELAXED);
    thrum_shared_lock_release(&c->lock);
}

static void check_both(void) {
    if (!inherited(thrum_shared_lock_acquire(&c->lock)))
        assert_int_equal(c->x, c->y);
    thrum_shared_lock_release(&c->lock);
    assert_int_equal(thrum_shared_lock_try_acquire(&c->lock), 0);
}

static void nest(void) {
    for (int i = 0; i < 2; i++)
        assert_int_equal(thrum_shared_rlock_acquire(&c->rlock), 0);
    for (int i = 0; i < 2; i++)
        thrum_shared_rlock_release(&c->rlock);
}

static void check_nest(void) {
    inherited(thrum_shared_rlock_acquire(&c->rlock));
    thrum_shared_rlock_release(&c->rlock);
    assert_false(thrum_shared_rlock_locked(&c->rlock));
}

static void take_and_give(void) {
    for (int i = 0; i < 2; i++)
        assert_int_equal(thrum_shared_semaphore_acquire(&c->slots), 0);
    assert_int_equal(thrum_shared_semaphore_release(&c->slots, 2), 0);
}

static void check_slots(void) {
    for (int i = 0; i < 2; i++)
        inherited(thrum_shared_semaphore_acquire(&c->slots));
    assert_int_equal(thrum_shared_semaphore_try_acquire(&c->slots), -EBUSY);
    assert_int_equal(thrum_shared_semaphore_release(&c->slots, 3), -EOVERFLOW);
    assert_int_equal(thrum_shared_semaphore_release(&c->slots, 2), 0);
}

static void give_and_take(void) {
    assert_int_equal(thrum_shared_semaphore_release(&c->signals, 3), 0);
    assert_int_equal(thrum_shared_semaphore_acquire(&c->signals), 0);
}

static void check_signals(void) {
    int value = thrum_shared_semaphore_value(&c->signals);
    assert_true(value == 1 || value == 4 || value == 3);
    assert_true(value == 3 || !c->done);
}

static void set_event(void) { thrum_shared_event_set(&c->event); }

static void check_event(void) {
    assert_true(thrum_shared_event_is_set(&c->event) || !c->done);
    thrum_shared_event_set(&c->event);
    thrum_shared_event_wait(&c->event);
}

static void wait_in_vain(void) {
    assert_int_equal(thrum_shared_lock_acquire(&c->lock), 0);
    assert_int_equal(thrum_shared_condition_wait_until(&c->changed, &c->lock, thrum_in(-1)),
                     -ETIMEDOUT);
    thrum_shared_condition_notify_all(&c->changed);
    thrum_shared_lock_release(&c->lock);
}

static void check_condition(void) {
    inherited(thrum_shared_lock_acquire(&c->lock));
    assert_in_range(c->changed.thrum__waiting, 0, 1);
    assert_in_range(c->changed.thrum__tokens, 0, c->changed.thrum__waiting);
    assert_int_equal(thrum_shared_condition_notify(&c->changed, 1), 0);
    int rc = thrum_shared_condition_wait_until(&c->changed, &c->lock, thrum_in(-1));
    assert_int_equal(rc, -ETIMEDOUT);
    thrum_shared_lock_release(&c->lock);
}

static int act(void *arg) {
    (void)arg;
    return 0;
}

static void come_too_late(void) {
    assert_int_equal(thrum_shared_barrier_wait_until(&c->pair, thrum_in(-1)), -ETIMEDOUT);
}

static void check_pair(void) {
    int come = thrum_shared_barrier_n_waiting(&c->pair);
    assert_true(come == 0 || (come == 1 && !thrum_shared_barrier_broken(&c->pair)));
    int rc = thrum_shared_barrier_wait_until(&c->pair, thrum_in(-1));
    assert_true(rc == (come == 1 ? 1 : thrum_shared_barrier_broken(&c->pair) ? rc : -ETIMEDOUT));
    thrum_shared_barrier_reset(&c->pair);
    assert_int_equal(thrum_shared_barrier_n_waiting(&c->pair), 0);
}

static void act_alone(void) {
    assert_int_equal(thrum_shared_barrier_wait_action(&c->alone, act, NULL), 0);
}

static void check_alone(void) {
    int rc = thrum_shared_barrier_wait_action(&c->alone, act, NULL);
    assert_true(rc == 0 || (rc == -EOWNERDEAD && !c->done));
    thrum_shared_barrier_reset(&c->alone);
    assert_int_equal(thrum_shared_barrier_wait(&c->alone), 0);
}

static void put(int value) { assert_int_equal(thrum_shared_queue_put(&c->queue, &value), 0); }

static void put_third(void) { put(3); }

static void work(void) {
    assert_int_equal(thrum_shared_queue_get(&c->queue, NULL), 0);
    assert_int_equal(thrum_shared_queue_task_done(&c->queue), 0);
}

/* Two items were in; whatever is left is in order, works and is joined. */
static void check_queue(void) {
    size_t n = thrum_shared_queue_qsize(&c->queue);
    int first = n == 1 ? 2 : 1, item;
    put(9);
    for (size_t i = 0; i <= n; i++) {
        assert_int_equal(thrum_shared_queue_get(&c->queue, &item), 0);
        assert_int_equal(item, i == n ? 9 : first + (int)i);
        assert_int_equal(thrum_shared_queue_task_done(&c->queue), 0);
    }
    assert_int_equal(thrum_shared_queue_try_get(&c->queue, &item), -EAGAIN);
    bool lost = inherited(thrum_shared_queue_join(&c->queue));
    assert_true(!lost || (n == 1 && !c->done));
    assert_int_equal(thrum_shared_queue_task_done(&c->queue), -EINVAL);
    assert_int_equal(c->queue.thrum__tasks.thrum__held[0], 0);
}

static void shut_now(void) { thrum_shared_queue_shutdown(&c->queue, true); }

static void check_shut(void) {
    if (!c->done)
        thrum_shared_queue_shutdown(&c->queue, true);
    assert_int_equal(thrum_shared_queue_get(&c->queue, NULL), -ESHUTDOWN);
    assert_int_equal(thrum_shared_queue_join(&c->queue), 0);
}

static const struct {
    void (*run)(void);
    void (*check)(void);
} calls[] = {{change_both, check_both},     {nest, check_nest},
             {take_and_give, check_slots},  {give_and_take, check_signals},
             {set_event, check_event},      {wait_in_vain, check_condition},
             {come_too_late, check_pair},   {act_alone, check_alone},
             {put_third, check_queue},      {work, check_queue},
             {shut_now, check_shut}};
enum { CALLS = sizeof calls / sizeof calls[0] };

static void begin(void) {
    memset(c, 0, sizeof *c);
    c->slots = (thrum_shared_semaphore)THRUM_SHARED_BOUNDED_SEMAPHORE_INIT(2);
    c->signals = (thrum_shared_semaphore)THRUM_SHARED_SEMAPHORE_INIT(1);
    c->pair = (thrum_shared_barrier)THRUM_SHARED_BARRIER_INIT(2);
    c->alone = (thrum_shared_barrier)THRUM_SHARED_BARRIER_INIT(1);
    assert_int_equal(thrum_shared_queue_init(&c->queue, c->room, sizeof(int), LARGE), 0);
    put(1);
    put(2);
}

static void *be_traced(void *call) {
    thrum__who_process();
    thrum__who_thread();
    c->traced = ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0;
    if (c->traced)
        raise(SIGSTOP);
    calls[(uintptr_t)call].run();
    c->done = true;
    return NULL;
}

/* Runs a call for so many steps, and kills it. Returns how many it took. */
static int run_steps(uintptr_t call, int steps) {
    spec_processes team = {.n = 0};
    int status, n = 0;
    begin();
    spec_processes_start(&team, 1, be_traced, (void *)call);
    pid_t pid = team.pids[0];
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!c->traced)
        skip(); /* not allowed */
    ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)(uintptr_t)PTRACE_O_EXITKILL);
    for (; n < steps && !c->done; n++) {
        assert_true(WIFSTOPPED(status));
        assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
    }
    spec_processes_kill(&team);
    return n;
}

static void test_killed_at_any_instruction(void **state) {
    (void)state;
    int steps[CALLS];
    spec_needs_processes();
    spec_skip_under_emulation("traces nobody");
    spec_skip_under_tsan("makes hundreds of steps of one");
#if !defined(__x86_64__) && !defined(__i386__)
    skip(); /* where a step ends the reservation of a load-linked, which is tried for ever */
#endif
    c = spec_shared_memory(sizeof *c);
    for (uintptr_t i = 0; i < CALLS; i++) {
        steps[i] = run_steps(i, STEPS_MAX);
        assert_true(c->done);
        calls[i].check();
    }
    thrum_deadline end = thrum_in(spec_stress_seconds());
    do {
        uintptr_t i = spec_random(CALLS);
        run_steps(i, (int)spec_random((uint32_t)steps[i]));
        calls[i].check();
    } while (thrum_now().ns < end.ns);
}

SPEC_TESTS(cmocka_unit_test(test_killed_at_any_instruction));
