/* SPDX-License-Identifier: MIT */
#include "spec.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int ends[2];
static char text[8192];

static const char *take(void) {
    ssize_t n = read(ends[0], text, sizeof text - 1);
    text[n < 0 ? 0 : n] = '\0';
    return text;
}

/* What the log expands itself must be what printf() makes of it. */
static void messages_are_those_of_printf(void **state) {
    static char expected[sizeof text];
    int n = 0;
    (void)state;
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    thrum_log_opts opts = {.format = "%(message)s", .fd = ends[1]};
    assert_int_equal(thrum_log_config(&opts), 0);
#define SAME(...)                                                                                  \
    do {                                                                                           \
        thrum_error(__VA_ARGS__);                                                                  \
        n = snprintf(expected, sizeof expected - 1, __VA_ARGS__);                                  \
        strcat(expected, "\n");                                                                    \
        assert_string_equal(take(), expected);                                                     \
    } while (0)
    SAME("%d %d %d %i", 0, INT32_MAX, INT32_MIN, -7);
    SAME("%u %x %u", 0u, UINT32_MAX, UINT32_MAX);
    SAME("%ld %lu %lx %lld %lld %llu %llx", -1L, ~0UL, ~0UL, LLONG_MAX, LLONG_MIN, ULLONG_MAX,
         ULLONG_MAX);
    SAME("%zd %zu %zx", (ssize_t)-5, SIZE_MAX, SIZE_MAX);
    SAME("%c%c%%%s|%s", 'a', 0xe9, "", "text");
    SAME("%5d|%-5d|%05d|%+d|% d|%.3d|%*d", 42, 42, 42, 42, 42, 42, 6, 42);
    SAME("%hd %hhu %jd %td %X %o %p", (short)-3, (unsigned char)200, (intmax_t)-1, (ptrdiff_t)-2,
         0xbeef, 8, (void *)text);
    SAME("%f %g %e %a %Lf %10.3s %ls", 1.5, 1e30, 2.0, 1.0, 1.5L, "abcdef", L"wide");
    SAME("%2$s %1$d", 1, "two");
    SAME("%s, %.4000d.", "mixed with what is not known", 3);
    assert_true(n > 0);
    assert_int_equal(thrum_log_config(NULL), 0);
    close(ends[0]);
    close(ends[1]);
}

SPEC_TESTS(cmocka_unit_test(messages_are_those_of_printf));
