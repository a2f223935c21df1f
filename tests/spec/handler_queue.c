/* SPDX-License-Identifier: MIT */
/* Queue handlers: what they do when full, what they count, their end, forks. */
#include "spec.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static thrum_logger *logger;

/* A target that takes one record each time the test lets it. */
static struct {
    thrum_event taken, go;
    bool free_run, show;
    char text[1 << 16];
    size_t used;
    int calls;
} slow;

static void take_slowly(const thrum_log_record *record, void *arg) {
    (void)arg;
    if (!slow.free_run) {
        thrum_event_set(&slow.taken);
        thrum_event_wait(&slow.go);
        thrum_event_clear(&slow.go);
    }
    if (slow.show)
        dprintf(1, "%s", record->text);
    assert_true(slow.used + record->text_size < sizeof slow.text);
    memcpy(slow.text + slow.used, record->text, record->text_size + 1);
    slow.used += record->text_size;
    slow.calls++;
}

static void attach(thrum_handler *handler) {
    assert_non_null(handler);
    assert_int_equal(thrum_logger_add_handler(logger, handler), 0);
}

static void detach(thrum_handler *handler) {
    assert_int_equal(thrum_logger_remove_handler(logger, handler), 0);
    thrum_handler_free(handler);
}

static thrum_handler *attach_queue(thrum_queue_handler_opts opts) {
    memset(&slow, 0, sizeof slow);
    thrum_handler *target = thrum_handler_new(take_slowly, NULL, NULL);
    thrum_handler *queue = thrum_queue_handler_new(target, &opts);
    thrum_handler_free(target); /* the queue keeps it */
    attach(queue);
    return queue;
}

static int set_up(void **state) {
    (void)state;
    logger = thrum_logger_get("queue.spec");
    thrum_logger_set_propagate(logger, false);
    thrum_logger_set_level(logger, THRUM_DEBUG);
    return 0;
}

/* Logs until the writer is inside the target with record 0, and 1 to `n` are in the queue. */
static void fill(int n) {
    thrum_logger_info(logger, "%d", 0);
    thrum_event_wait(&slow.taken);
    for (int i = 1; i <= n; i++)
        thrum_logger_info(logger, "%d", i);
}

static void let_go(thrum_handler *queue) {
    slow.free_run = true;
    thrum_event_set(&slow.go);
    thrum_handler_flush(queue);
}

static void the_writer_is_another_thread(void **state) {
    (void)state;
    thrum_handler *queue = attach_queue((thrum_queue_handler_opts){.capacity = 10});
    assert_int_equal(thrum_thread_active_count(), 1);
    fill(3);
    assert_int_equal(thrum_thread_active_count(), 2);
    assert_int_equal(slow.calls, 0);
    let_go(queue);
    assert_string_equal(slow.text, "0\n1\n2\n3\n");
    assert_int_equal(thrum_handler_dropped(queue), 0);
    detach(queue);
    assert_int_equal(thrum_thread_active_count(), 1);
}

static void records_keep_what_they_were_made_of(void **state) {
    (void)state;
    memset(&slow, 0, sizeof slow);
    thrum_handler *target = thrum_handler_new(
        take_slowly, NULL,
        &(thrum_handler_opts){
            .format = "%(name)s %(levelno)d %(pathname)s %(lineno)d %(funcName)s %(threadName)s "
                      "%(message)s",
            .level = THRUM_INFO});
    thrum_handler *queue = thrum_queue_handler_new(target, NULL);
    thrum_handler_free(target);
    attach(queue);
    slow.free_run = true;
    char file[] = "dir/f.c", function[] = "work", word[] = "word";
    errno = ENOENT;
    thrum_logger_at(logger, 25, file, 7, function, "%s %m", word);
    thrum_logger_at(logger, 15, file, 7, function, "below the target's level");
    file[0] = function[0] = word[0] = 'X';
    thrum_handler_flush(queue);
    char expected[300];
    snprintf(expected, sizeof expected, "queue.spec 25 dir/f.c 7 work %s word %s\n",
             thrum_thread_name(thrum_thread_current()), strerror(ENOENT));
    assert_string_equal(slow.text, expected);
    detach(queue);
}

static void the_newest_are_dropped(void **state) {
    (void)state;
    thrum_handler *queue = attach_queue(
        (thrum_queue_handler_opts){.capacity = 3, .overflow = THRUM_DROP_NEWEST});
    fill(8);
    assert_int_equal(thrum_handler_dropped(queue), 5);
    let_go(queue);
    assert_string_equal(slow.text, "0\n1\n2\n3\n5 records dropped\n");
    thrum_logger_info(logger, "next");
    thrum_handler_flush(queue);
    assert_string_equal(slow.text, "0\n1\n2\n3\n5 records dropped\nnext\n");
    assert_int_equal(thrum_handler_dropped(queue), 5);
    detach(queue);
}

static void the_oldest_are_dropped(void **state) {
    (void)state;
    thrum_handler *queue = attach_queue(
        (thrum_queue_handler_opts){.capacity = 1, .overflow = THRUM_DROP_OLDEST});
    fill(2);
    assert_int_equal(thrum_handler_dropped(queue), 1);
    let_go(queue);
    assert_string_equal(slow.text, "0\n1 record dropped\n2\n");
    detach(queue);
}

static void *log_block(void *arg) {
    for (int i = 0; i < 40; i++)
        thrum_logger_info(logger, "%s %d", (const char *)arg, i);
    return NULL;
}

/* Checks that the lines of thread `name` are all there, in their order. */
static void check_order(const char *name, int n) {
    char line[32];
    const char *at = slow.text;
    for (int i = 0; i < n; i++) {
        snprintf(line, sizeof line, "%s %d\n", name, i);
        at = strstr(at, line);
        assert_non_null(at);
    }
}

static void a_full_queue_blocks(void **state) {
    (void)state;
    static char a[] = "a", b[] = "b", c[] = "c";
    spec_team team = {.n = 0};
    thrum_handler *queue = attach_queue((thrum_queue_handler_opts){.capacity = 2});
    fill(0);
    spec_team_start(&team, 1, log_block, a);
    spec_team_start(&team, 1, log_block, b);
    spec_team_start(&team, 1, log_block, c);
    spec_until_strands_waiting(4); /* three with their third record at most, and the writer */
    assert_int_equal(slow.calls, 0);
    slow.free_run = true;
    thrum_event_set(&slow.go);
    spec_team_join(&team);
    thrum_handler_flush(queue);
    assert_int_equal(slow.calls, 121);
    assert_int_equal(thrum_handler_dropped(queue), 0);
    check_order(a, 40);
    check_order(b, 40);
    check_order(c, 40);
    detach(queue);
}

static void *flush_and_look(void *queue) {
    thrum_handler_flush(queue);
    assert_int_equal(slow.calls, 1);
    return NULL;
}

static void a_flush_waits_for_the_record_being_written(void **state) {
    (void)state;
    thrum_handler *queue = attach_queue((thrum_queue_handler_opts){.capacity = 2});
    fill(0);
    thrum_thread *thread = spec_start(flush_and_look, queue);
    spec_until_strands_waiting(2);
    slow.free_run = true;
    thrum_event_set(&slow.go);
    spec_join(thread);
    detach(queue);
}

static void freeing_a_queue_writes_what_is_in_it(void **state) {
    (void)state;
    thrum_handler *queue = attach_queue((thrum_queue_handler_opts){.capacity = 100});
    slow.free_run = true;
    for (int i = 0; i < 100; i++)
        thrum_logger_info(logger, "%d", i);
    detach(queue);
    assert_int_equal(slow.calls, 100);
    assert_int_equal(thrum_thread_active_count(), 1);
}

static void queues_can_stand_in_a_row(void **state) {
    (void)state;
    memset(&slow, 0, sizeof slow);
    slow.free_run = true;
    thrum_handler *target = thrum_handler_new(take_slowly, NULL, NULL);
    thrum_handler *second = thrum_queue_handler_new(target, NULL);
    thrum_handler *first =
        thrum_queue_handler_new(second, &(thrum_queue_handler_opts){.capacity = 1});
    thrum_handler_free(target);
    thrum_handler_free(second);
    attach(first);
    for (int i = 0; i < 20; i++)
        thrum_logger_info(logger, "%d", i);
    thrum_handler_flush(first);
    assert_int_equal(slow.calls, 20);
    detach(first);
}

static int drop_and_exit(void) {
    attach_queue((thrum_queue_handler_opts){.capacity = 2, .overflow = THRUM_DROP_NEWEST});
    fill(5);
    slow.show = slow.free_run = true;
    thrum_event_set(&slow.go);
    return 0;
}

static void drops_are_said_at_exit(void **state) {
    (void)state;
    spec_end end;
    spec_exits(drop_and_exit, 0, &end);
    assert_string_equal(end.text, "0\n1\n2\n3 records dropped\n");
}

static thrum_handler *forked;

static int log_in_child(void) {
    slow.free_run = true;
    thrum_logger_info(logger, "child 1");
    thrum_logger_info(logger, "child 2");
    thrum_handler_flush(forked);
    printf("%s%d threads\n", slow.text, thrum_thread_active_count());
    return slow.calls != 2;
}

static void a_fork_leaves_the_queue_to_the_parent(void **state) {
    (void)state;
    spec_end end;
    spec_skip_under_tsan("refuses threads in a child");
    forked = attach_queue((thrum_queue_handler_opts){.capacity = 10});
    fill(4);
    spec_exits(log_in_child, 0, &end);
    assert_string_equal(end.text, "child 1\nchild 2\n2 threads\n");
    let_go(forked);
    assert_string_equal(slow.text, "0\n1\n2\n3\n4\n");
    detach(forked);
}

#define TEST(f) cmocka_unit_test_setup(f, set_up)

SPEC_TESTS(TEST(the_writer_is_another_thread), TEST(records_keep_what_they_were_made_of),
           TEST(the_newest_are_dropped), TEST(the_oldest_are_dropped), TEST(a_full_queue_blocks),
           TEST(a_flush_waits_for_the_record_being_written),
           TEST(freeing_a_queue_writes_what_is_in_it), TEST(queues_can_stand_in_a_row),
           TEST(drops_are_said_at_exit), TEST(a_fork_leaves_the_queue_to_the_parent));
