/* SPDX-License-Identifier: MIT */
#include "spec.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "park/strand.h"
#include "processes.h"
#include "shared/who.h"

static struct {
    thrum_lock a, b;
    thrum_rlock rlock;
    thrum_condition changed;
    thrum_event event, holds_a, holds_b;
    int timed_out;
} s;

static char text[16384];

static void reset(void) { memset(&s, 0, sizeof s); }

static void dump(void) {
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(thrum_dump(fileno(file)), 0);
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
}

/* Copies the line of the dump that names `name` in quotes first. */
static void line_of(const char *name, char *line, size_t size) {
    char quoted[80];
    size_t n = (size_t)snprintf(quoted, sizeof quoted, "thread \"%s\"", name);
    const char *at = strstr(text, quoted);
    assert_true(n < sizeof quoted);
    if (!at)
        fail_msg("no line for %s in:\n%s", name, text);
    snprintf(line, size, "%.*s", (int)strcspn(at, "\n"), at);
}

static void assert_part(const char *line, const char *part) {
    if (!strstr(line, part))
        fail_msg("no \"%s\" in: %s", part, line);
}

static void assert_pointer(const char *line, const void *object) {
    char pointer[32];
    snprintf(pointer, sizeof pointer, "%p", object);
    assert_part(line, pointer);
}

static thrum_thread *start(const char *name, void *(*fn)(void *), bool daemon) {
    thrum_thread *thread;
    thrum_thread_opts opts = {.name = name, .daemon = daemon};
    assert_int_equal(thrum_thread_start(&thread, fn, NULL, &opts), 0);
    return thread;
}

static void *wait_lock(void *arg) {
    thrum_with(&s.a) return arg;
    return arg;
}

static void *wait_rlock(void *arg) {
    thrum_with(&s.rlock) return arg;
    return arg;
}

static void *wait_event(void *arg) {
    thrum_event_wait(&s.event);
    return arg;
}

static void *wait_condition(void *arg) {
    thrum_with(&s.b) thrum_condition_wait(&s.changed, &s.b);
    return arg;
}

static void *wait_thread(void *thread) {
    assert_int_equal(thrum_thread_join(thread, NULL), 0);
    return NULL;
}

static void test_main_is_there(void **state) {
    (void)state;
    char line[512];
    char ident[32];
    dump();
    line_of("MainThread", line, sizeof line);
    snprintf(ident, sizeof ident, "ident %u", (unsigned)thrum_thread_ident(thrum_thread_main()));
    assert_part(line, ident);
    snprintf(ident, sizeof ident, "native id %lld", (long long)getpid());
    assert_part(line, ident);
    assert_null(strstr(line, "daemon"));
    assert_int_equal(spec_count_text(text, "\n"), 1);
}

static void assert_waits(const char *name, const char *noun, const void *object) {
    char line[512];
    line_of(name, line, sizeof line);
    assert_part(line, noun);
    if (object)
        assert_pointer(line, object);
    assert_part(line, "since");
}

static void assert_held_by_main(const char *name) {
    char line[512];
    char ident[32];
    line_of(name, line, sizeof line);
    assert_part(line, "\"MainThread\"");
    snprintf(ident, sizeof ident, "ident %u", (unsigned)thrum_thread_ident(thrum_thread_main()));
    assert_part(line, ident);
}

static void test_each_wait_names_object_and_holder(void **state) {
    (void)state;
    char line[512];
    reset();
    thrum_lock_acquire(&s.a);
    thrum_rlock_acquire(&s.rlock);
    spec_team team = {.n = 0};
    team.threads[team.n++] = start("on lock", wait_lock, false);
    team.threads[team.n++] = start("on rlock", wait_rlock, true);
    team.threads[team.n++] = start("on event", wait_event, false);
    team.threads[team.n++] = start("on condition", wait_condition, false);
    thrum_thread *last = spec_start(wait_thread, team.threads[2]);
    assert_int_equal(thrum_thread_set_name(last, "on thread"), 0);
    spec_until_strands_waiting(5);
    for (int since = 0; since < 5; spec_yield()) {
        dump();
        since = spec_count_text(text, ", since ");
    }
    assert_waits("on lock", "lock", &s.a);
    assert_waits("on rlock", "rlock", &s.rlock);
    assert_waits("on event", "event", &s.event);
    assert_waits("on condition", "condition", &s.changed);
    assert_waits("on thread", "thread", NULL);
    assert_held_by_main("on lock");
    assert_held_by_main("on rlock");
    line_of("on thread", line, sizeof line);
    assert_part(line, "\"on event\"");
    line_of("on rlock", line, sizeof line);
    assert_part(line, "daemon");
    line_of("on lock", line, sizeof line);
    assert_null(strstr(line, "daemon"));
    assert_int_equal(spec_count_text(text, "\n"), 6);
    assert_null(strstr(text, "circle"));
    thrum_lock_release(&s.a);
    thrum_rlock_release(&s.rlock);
    thrum_event_set(&s.event);
    spec_join(last);
    thrum_with(&s.b) thrum_condition_notify_all(&s.changed);
    spec_team_join(&team);
    dump();
    assert_int_equal(spec_count_text(text, "\n"), 1);
}

static void cross(thrum_lock *own, thrum_lock *other, thrum_event *held, thrum_event *other_held) {
    thrum_lock_acquire(own);
    thrum_event_set(held);
    thrum_event_wait(other_held);
    while (thrum_lock_acquire_until(other, thrum_in(0.02)) < 0) {
        __atomic_fetch_add(&s.timed_out, 1, __ATOMIC_RELAXED);
        if (thrum_event_is_set(&s.event)) {
            thrum_lock_release(own);
            return;
        }
    }
    thrum_lock_release(other);
    thrum_lock_release(own);
}

static void *cross_ab(void *arg) {
    cross(&s.a, &s.b, &s.holds_a, &s.holds_b);
    return arg;
}

static void *cross_ba(void *arg) {
    cross(&s.b, &s.a, &s.holds_b, &s.holds_a);
    return arg;
}

static void test_a_circle_is_written_and_a_deadline_ends_it(void **state) {
    (void)state;
    reset();
    spec_team team = {.n = 0};
    team.threads[team.n++] = start("anna", cross_ab, false);
    team.threads[team.n++] = start("bert", cross_ba, false);
    const char *circle = NULL;
    for (; !circle; spec_yield()) {
        dump();
        circle = strstr(text, "circle");
    }
    assert_int_equal(spec_count_text(circle, "\"anna\""), 2);
    assert_int_equal(spec_count_text(circle, "\"bert\""), 2);
    assert_pointer(circle, &s.a);
    assert_pointer(circle, &s.b);
    assert_int_equal(spec_count_text(text, "circle"), 1);
    thrum_event_set(&s.event);
    spec_team_join(&team);
    assert_true(s.timed_out > 0);
    assert_false(thrum_lock_locked(&s.a));
    assert_false(thrum_lock_locked(&s.b));
}

static void test_a_wait_that_is_over_is_not_shown(void **state) {
    (void)state;
    reset();
    thrum_lock_acquire(&s.a);
    assert_int_equal(thrum_lock_acquire_until(&s.a, thrum_in(0.001)), -ETIMEDOUT);
    thrum_lock_release(&s.a);
    dump();
    assert_null(strstr(text, "circle"));
    assert_null(strstr(text, "waits"));
}

static void *lock_twice(void *arg) {
    thrum_lock_acquire(&s.b);
    thrum_lock_acquire(&s.b);
    thrum_lock_release(&s.b);
    return arg;
}

static void test_a_lock_taken_twice_is_shown(void **state) {
    (void)state;
    reset();
    thrum_thread *thread = start("twice", lock_twice, false);
    spec_until_waiting(&s.b, 1);
    dump();
    const char *circle = strstr(text, "circle");
    assert_non_null(circle);
    assert_non_null(strstr(circle, "\"twice\""));
    thrum_lock_release(&s.b);
    spec_join(thread);
}

static void test_a_write_that_fails_is_told(void **state) {
    (void)state;
    assert_int_equal(thrum_dump(-1), -EBADF);
}

static struct {
    thrum_shared_lock lock;
    thrum_shared_rlock rlock;
    thrum_shared_event event;
    int holds;
} *m;

static void *hold_both(void *arg) {
    assert_int_equal(thrum_shared_lock_acquire(&m->lock), 0);
    assert_int_equal(thrum_shared_rlock_acquire(&m->rlock), 0);
    __atomic_store_n(&m->holds, 1, __ATOMIC_RELEASE);
    for (;;)
        pause();
    return arg;
}

static void *wait_shared_lock(void *arg) {
    assert_int_equal(thrum_shared_lock_acquire(&m->lock), -EOWNERDEAD);
    return arg;
}

static void *wait_shared_rlock(void *arg) {
    assert_int_equal(thrum_shared_rlock_acquire(&m->rlock), -EOWNERDEAD);
    return arg;
}

static void *wait_shared_event(void *arg) {
    thrum_shared_event_wait(&m->event);
    return arg;
}

/* Dumps until the line of `name` has `part`: between its looks a strand runs. */
static void until_dumped(const char *name, const char *part, const void *object) {
    char line[512];
    do {
        spec_yield();
        dump();
        line_of(name, line, sizeof line);
    } while (!strstr(line, part));
    assert_pointer(line, object);
    assert_part(line, "since");
}

static void test_what_other_processes_hold_is_named(void **state) {
    (void)state;
    char part[80], line[512];
    spec_processes holder = {.n = 0};
    spec_needs_processes();
    m = spec_shared_memory(sizeof *m);
    spec_processes_start(&holder, 1, hold_both, NULL);
    while (!__atomic_load_n(&m->holds, __ATOMIC_ACQUIRE))
        spec_yield();
    thrum_thread *threads[] = {start("locks", wait_shared_lock, false),
                               start("relocks", wait_shared_rlock, false),
                               start("hears", wait_shared_event, false)};
    until_dumped("locks", "waits for shared lock ", &m->lock);
    snprintf(part, sizeof part, " of process %d, since", (int)holder.pids[0]);
    until_dumped("locks", part, &m->lock);
    snprintf(part, sizeof part, " of native thread %d, since", (int)holder.pids[0]);
    until_dumped("relocks", part, &m->rlock);
    until_dumped("hears", "waits for shared event ", &m->event);
    spec_processes_kill(&holder);
    thrum_shared_event_set(&m->event);
    for (int i = 0; i < 3; i++)
        spec_join(threads[i]);
    dump();
    assert_null(strstr(text, "shared"));
    /* As if this one had not looked again since. */
    thrum__strand *self = thrum__strand_self();
    self->shared_holder = thrum__who_process() + (UINT64_C(1) << 32);
    self->shared_noun = "shared lock";
    dump();
    self->shared_noun = NULL;
    line_of("MainThread", line, sizeof line);
    if (thrum__who_process() >> 32 != 0)
        assert_part(line, ", which has died");
}

/* The first of these forks: qemu-user cannot fork a program that has had threads. */
SPEC_TESTS(cmocka_unit_test(test_what_other_processes_hold_is_named),
           cmocka_unit_test(test_main_is_there),
           cmocka_unit_test(test_each_wait_names_object_and_holder),
           cmocka_unit_test(test_a_circle_is_written_and_a_deadline_ends_it),
           cmocka_unit_test(test_a_wait_that_is_over_is_not_shown),
           cmocka_unit_test(test_a_lock_taken_twice_is_shown),
           cmocka_unit_test(test_a_write_that_fails_is_told));
