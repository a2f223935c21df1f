/* SPDX-License-Identifier: MIT */
#include "spec.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What a handler of the tests has got: the lines, one after the other. */
typedef struct catch {
    char text[4096];
    size_t used;
} catch;

static void catch_line(const thrum_log_record *record, void *arg) {
    catch *into = arg;
    assert_true(into->used + record->text_size < sizeof into->text);
    memcpy(into->text + into->used, record->text, record->text_size + 1);
    into->used += record->text_size;
}

/* Attaches a new handler to the logger of this name. */
static thrum_handler *attach(const char *name, catch *into, int level) {
    into->used = 0;
    into->text[0] = '\0';
    thrum_handler *handler = thrum_handler_new(
        catch_line, into,
        &(thrum_handler_opts){.format = "%(name)s %(levelname)s %(message)s", .level = level});
    assert_non_null(handler);
    assert_int_equal(thrum_logger_add_handler(thrum_logger_get(name), handler), 0);
    return handler;
}

static void detach(const char *name, thrum_handler *handler) {
    assert_int_equal(thrum_logger_remove_handler(thrum_logger_get(name), handler), 0);
    thrum_handler_free(handler);
}

static void one_name_is_one_logger(void **state) {
    (void)state;
    char name[] = "one.name";
    thrum_logger *logger = thrum_logger_get(name);
    assert_non_null(logger);
    name[0] = 'x';
    assert_string_equal(thrum_logger_name(logger), "one.name");
    assert_ptr_equal(thrum_logger_get("one.name"), logger);
    assert_ptr_not_equal(thrum_logger_get("one.name2"), logger);
    assert_ptr_not_equal(thrum_logger_get("one.nam"), logger);
    assert_ptr_not_equal(thrum_logger_get("One.name"), logger);
}

static void the_root_has_three_names(void **state) {
    (void)state;
    thrum_logger *root = thrum_logger_get(NULL);
    assert_string_equal(thrum_logger_name(root), "root");
    assert_null(thrum_logger_parent(root));
    assert_ptr_equal(thrum_logger_get(""), root);
    assert_ptr_equal(thrum_logger_get("root"), root);
    assert_ptr_not_equal(thrum_logger_get("root.x"), root);
    assert_string_equal(thrum_logger_name(NULL), "root");
    assert_null(thrum_logger_parent(NULL));
    assert_int_equal(thrum_logger_level(NULL), THRUM_WARNING);
}

static void parents_follow_the_dots(void **state) {
    static const char *const cases[][2] = {
        {"t1", "root"},      {"t1.b", "t1"},     {"t1.b.c", "t1.b"},  {"deep.q.r.s", "deep.q.r"},
        {"deep.q", "deep"},  {".t1", "root"},    {".", "root"},       {"..", "."},
        {"t2..b", "t2."},    {"t2.", "t2"},      {"t2..", "t2."},     {".t1.b", ".t1"},
        {"a b.c\n.d", "a b.c\n"}, {"root.x", "root"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        thrum_logger *logger = thrum_logger_get(cases[i][0]);
        assert_string_equal(thrum_logger_name(logger), cases[i][0]);
        assert_string_equal(thrum_logger_name(thrum_logger_parent(logger)), cases[i][1]);
        assert_ptr_equal(thrum_logger_parent(logger), thrum_logger_get(cases[i][1]));
    }
}

static void a_long_name_and_many_loggers_are_fine(void **state) {
    (void)state;
    char name[5001];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    for (int i = 1; i < 5000; i += 7)
        name[i] = '.';
    thrum_logger *deep = thrum_logger_get(name);
    assert_string_equal(thrum_logger_name(deep), name);
    int depth = 0;
    for (thrum_logger *at = deep; (at = thrum_logger_parent(at)) != NULL;)
        depth++;
    assert_int_equal(depth, spec_count_text(name, ".") + 1);
    static thrum_logger *all[5000];
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "many.%d", i);
        all[i] = thrum_logger_get(name);
    }
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "many.%d", i);
        assert_ptr_equal(thrum_logger_get(name), all[i]);
    }
}

static void levels_come_from_above(void **state) {
    (void)state;
    thrum_logger *a = thrum_logger_get("lv"), *c = thrum_logger_get("lv.b.c");
    assert_int_equal(thrum_logger_level(c), 0);
    assert_int_equal(thrum_logger_effective_level(c), THRUM_WARNING);
    assert_true(thrum_logger_enabled(c, THRUM_WARNING) && !thrum_logger_enabled(c, THRUM_INFO));
    assert_int_equal(thrum_logger_set_level(a, THRUM_DEBUG), 0);
    assert_int_equal(thrum_logger_effective_level(c), THRUM_DEBUG);
    assert_true(thrum_logger_enabled(c, THRUM_DEBUG));
    assert_true(thrum_logger_enabled(thrum_logger_get("lv.new"), THRUM_DEBUG));
    assert_false(thrum_logger_enabled(thrum_logger_get("lw"), THRUM_INFO));
    thrum_logger_set_level(thrum_logger_get("lv.b"), THRUM_ERROR);
    assert_false(thrum_logger_enabled(c, THRUM_WARNING));
    thrum_logger_set_level(a, THRUM_INFO);
    assert_int_equal(thrum_logger_effective_level(c), THRUM_ERROR);
    thrum_logger_set_level(thrum_logger_get("lv.b"), 0);
    assert_true(thrum_logger_enabled(c, THRUM_INFO) && !thrum_logger_enabled(c, THRUM_DEBUG));
    thrum_logger_set_level(a, 0);
    thrum_logger_set_level(NULL, THRUM_CRITICAL);
    assert_false(thrum_logger_enabled(c, THRUM_ERROR));
    thrum_logger_set_level(NULL, 0);
    assert_true(thrum_logger_enabled(c, 1));
    thrum_logger_set_level(NULL, THRUM_WARNING);
}

static void disable_is_for_all_loggers(void **state) {
    (void)state;
    thrum_logger *low = thrum_logger_get("dis.low");
    thrum_logger_set_level(low, THRUM_DEBUG);
    assert_int_equal(thrum_log_disable(THRUM_INFO), 0);
    assert_false(thrum_logger_enabled(low, THRUM_INFO));
    assert_true(thrum_logger_enabled(low, THRUM_INFO + 1));
    assert_false(thrum_logger_enabled(thrum_logger_get("dis.low.new"), THRUM_INFO));
    assert_int_equal(thrum_logger_effective_level(low), THRUM_DEBUG);
    thrum_log_disable(THRUM_CRITICAL);
    assert_false(thrum_log_enabled(THRUM_CRITICAL));
    thrum_log_disable(0);
    assert_true(thrum_logger_enabled(low, THRUM_DEBUG));
    thrum_logger_set_level(low, 0);
}

static int use_bad_levels(void) {
    return thrum_logger_set_level(NULL, -1) != -EINVAL || thrum_log_disable(-1) != -EINVAL ||
           thrum_logger_level(NULL) != THRUM_WARNING;
}

static void negative_levels_are_refused(void **state) {
    (void)state;
    spec_end end;
    spec_exits(use_bad_levels, 0, &end);
    assert_int_equal(spec_count_text(end.text, "\n"), 2);
    assert_non_null(strstr(end.text, "thrum: thrum_logger_set_level: the level -1 is negative\n"));
}

static void levels_have_names(void **state) {
    (void)state;
    for (int level = THRUM_DEBUG; level <= THRUM_CRITICAL; level += 10)
        assert_int_equal(thrum_log_level_from_name(thrum_log_level_name(level)), level);
    assert_string_equal(thrum_log_level_name(THRUM_INFO), "INFO");
    assert_null(thrum_log_level_name(15));
    assert_int_equal(thrum_log_level_from_name("info"), -EINVAL);
    assert_int_equal(thrum_log_level_from_name(NULL), -EINVAL);
}

static void records_go_up_the_tree(void **state) {
    (void)state;
    static catch top, middle, leaf;
    thrum_handler *at_root = attach(NULL, &top, 0), *at_middle = attach("up.m", &middle, 0);
    thrum_handler *at_leaf = attach("up.m.leaf", &leaf, THRUM_ERROR);
    thrum_logger_set_level(thrum_logger_get("up"), THRUM_INFO);
    thrum_logger_info(thrum_logger_get("up.m.leaf"), "%d", 1);
    thrum_logger_error(thrum_logger_get("up.m.leaf"), "%d", 2);
    thrum_logger_warning(thrum_logger_get("up.m"), "%d", 3);
    thrum_logger_debug(thrum_logger_get("up.m"), "%d", 4);
    thrum_error("%d", 5);
    assert_string_equal(leaf.text, "up.m.leaf ERROR 2\n");
    assert_string_equal(middle.text,
                        "up.m.leaf INFO 1\nup.m.leaf ERROR 2\nup.m WARNING 3\n");
    /* as in Python: the level of the logger that is asked counts, not that of those above */
    assert_string_equal(top.text, "up.m.leaf INFO 1\nup.m.leaf ERROR 2\nup.m WARNING 3\n"
                                  "root ERROR 5\n");
    thrum_logger *middle_one = thrum_logger_get("up.m");
    assert_true(thrum_logger_propagate(middle_one));
    thrum_logger_set_propagate(middle_one, false);
    assert_false(thrum_logger_propagate(middle_one));
    top.used = middle.used = 0;
    thrum_logger_error(thrum_logger_get("up.m.leaf"), "6");
    thrum_logger_critical(thrum_logger_get("up"), "7");
    assert_string_equal(middle.text, "up.m.leaf ERROR 6\n");
    assert_string_equal(top.text, "up CRITICAL 7\n");
    thrum_logger_set_propagate(middle_one, true);
    detach("up.m.leaf", at_leaf);
    detach("up.m", at_middle);
    detach(NULL, at_root);
}

static void a_handler_is_attached_once_and_kept(void **state) {
    (void)state;
    static catch into;
    thrum_logger *logger = thrum_logger_get("once");
    thrum_handler *handler = attach("once", &into, 0);
    assert_int_equal(thrum_logger_add_handler(logger, handler), 0);
    assert_int_equal(thrum_logger_add_handler(thrum_logger_get("once.more"), handler), 0);
    thrum_handler_free(handler); /* the loggers keep it */
    thrum_logger_error(logger, "a");
    thrum_logger_error(thrum_logger_get("once.more"), "b");
    assert_string_equal(into.text, "once ERROR a\nonce.more ERROR b\nonce.more ERROR b\n");
    assert_int_equal(thrum_logger_remove_handler(thrum_logger_get("once.more"), handler), 0);
    assert_int_equal(thrum_logger_remove_handler(thrum_logger_get("once.more"), handler), -ENOENT);
    assert_int_equal(thrum_logger_remove_handler(logger, handler), 0);
}

static void handlers_come_in_the_order_they_were_attached(void **state) {
    (void)state;
    enum { N = 12 };
    static catch into;
    char format[32];
    thrum_handler *handlers[N];
    into.used = 0;
    for (int i = 0; i < N; i++) {
        snprintf(format, sizeof format, "%c%%(message)s", 'a' + i);
        handlers[i] = thrum_handler_new(catch_line, &into, &(thrum_handler_opts){.format = format});
        assert_int_equal(thrum_logger_add_handler(thrum_logger_get("order"), handlers[i]), 0);
    }
    thrum_logger_remove_handler(thrum_logger_get("order"), handlers[3]);
    thrum_logger_error(thrum_logger_get("order"), "x");
    assert_string_equal(into.text, "ax\nbx\ncx\nex\nfx\ngx\nhx\nix\njx\nkx\nlx\n");
    thrum_handler_free(handlers[3]);
    for (int i = 0; i < N; i++) {
        if (i != 3)
            detach("order", handlers[i]);
    }
}

static int log_without_handlers(void) {
    thrum_logger *logger = thrum_logger_get("no.handlers");
    thrum_logger_set_level(logger, THRUM_DEBUG);
    thrum_logger_info(logger, "hidden");
    thrum_logger_warning(logger, "shown");
    static catch into;
    thrum_handler *handler = attach("no", &into, THRUM_CRITICAL);
    thrum_logger_error(logger, "there is a handler, though it does not take this");
    detach("no", handler);
    thrum_logger_set_propagate(logger, false);
    thrum_log_config(NULL);
    thrum_logger_error(logger, "cut off from the root");
    thrum_logger_set_propagate(logger, true);
    thrum_logger_info(logger, "by the root");
    return 0;
}

static void without_handlers_there_is_a_last_resort(void **state) {
    (void)state;
    spec_end end;
    spec_exits(log_without_handlers, 0, &end);
    assert_string_equal(end.text,
                        "shown\ncut off from the root\nINFO:no.handlers:by the root\n");
}

static int log_beside_config(void) {
    thrum_handler *handler = thrum_stream_handler_new(1, NULL);
    thrum_logger_add_handler(NULL, handler);
    thrum_handler_free(handler);
    thrum_log_config(&(thrum_log_opts){.format = "1 %(message)s", .level = THRUM_INFO});
    thrum_info("a");
    thrum_log_config(&(thrum_log_opts){.format = "2 %(message)s"});
    thrum_info("hidden");
    thrum_warning("b");
    return 0;
}

static void config_replaces_only_its_own_handler(void **state) {
    (void)state;
    spec_end end;
    spec_exits(log_beside_config, 0, &end);
    assert_string_equal(end.text, "1 a\na\n2 b\nb\n");
}

static void arguments_wait_for_the_level(void **state) {
    (void)state;
    static catch into;
    int evaluated = 0, asked = 0;
    thrum_logger *loggers[] = {thrum_logger_get("lazy"), NULL};
    thrum_handler *handler = attach("lazy", &into, 0);
    thrum_logger_info(loggers[asked++], "%d", ++evaluated);
    assert_true(evaluated == 0 && asked == 1);
    asked = 0;
    thrum_logger_error(loggers[asked++], "%d", ++evaluated);
    assert_true(evaluated == 1 && asked == 1);
    thrum_logger_at(loggers[0], THRUM_INFO, "f.c", 1, "f", "hidden");
    assert_string_equal(into.text, "lazy ERROR 1\n");
    detach("lazy", handler);
}

static struct {
    thrum_event go;
    thrum_logger *got[16][50];
    int n;
} many;

static void *get_many(void *arg) {
    int self = __atomic_fetch_add(&many.n, 1, __ATOMIC_RELAXED);
    char name[64];
    thrum_event_wait(&many.go);
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof name, "%s.%d.x.%d", (const char *)arg, i % 7, i);
        spec_perhaps_yield();
        many.got[self][i] = thrum_logger_get(name);
    }
    return NULL;
}

static void threads_that_ask_at_once_get_the_same(void **state) {
    (void)state;
    static char name[32];
    for (int round = 0; round < 20; round++) {
        spec_team team = {.n = 0};
        many.n = 0;
        thrum_event_clear(&many.go);
        snprintf(name, sizeof name, "at.once.%d", round);
        spec_team_start(&team, 16, get_many, name);
        thrum_event_set(&many.go);
        spec_team_join(&team);
        for (int i = 0; i < 50; i++) {
            assert_non_null(many.got[0][i]);
            for (int t = 1; t < 16; t++)
                assert_ptr_equal(many.got[t][i], many.got[0][i]);
        }
    }
}

SPEC_TESTS(cmocka_unit_test(one_name_is_one_logger), cmocka_unit_test(the_root_has_three_names),
           cmocka_unit_test(parents_follow_the_dots),
           cmocka_unit_test(a_long_name_and_many_loggers_are_fine),
           cmocka_unit_test(levels_come_from_above), cmocka_unit_test(disable_is_for_all_loggers),
           cmocka_unit_test(negative_levels_are_refused), cmocka_unit_test(levels_have_names),
           cmocka_unit_test(records_go_up_the_tree),
           cmocka_unit_test(a_handler_is_attached_once_and_kept),
           cmocka_unit_test(handlers_come_in_the_order_they_were_attached),
           cmocka_unit_test(without_handlers_there_is_a_last_resort),
           cmocka_unit_test(config_replaces_only_its_own_handler),
           cmocka_unit_test(arguments_wait_for_the_level),
           cmocka_unit_test(threads_that_ask_at_once_get_the_same));
