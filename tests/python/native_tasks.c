/* SPDX-License-Identifier: MIT */
/* The library that test_native.py compiles and loads. */
#include <thrum.h>

#include <sched.h>
#include <stdint.h>
#include <string.h>

typedef struct point {
    int x;
    double y;
} point;

THRUM_TASK(bool, same_bool, (bool, x)) { return x; }
THRUM_TASK(char, same_char, (char, x)) { return x; }
THRUM_TASK(int8_t, same_i8, (int8_t, x)) { return x; }
THRUM_TASK(uint8_t, same_u8, (uint8_t, x)) { return x; }
THRUM_TASK(int16_t, same_i16, (int16_t, x)) { return x; }
THRUM_TASK(uint16_t, same_u16, (uint16_t, x)) { return x; }
THRUM_TASK(int, same_i32, (int, x)) { return x; }
THRUM_TASK(unsigned, same_u32, (unsigned, x)) { return x; }
THRUM_TASK(long, same_long, (long, x)) { return x; }
THRUM_TASK(size_t, same_size, (size_t, x)) { return x; }
THRUM_TASK(long long, same_i64, (long long, x)) { return x; }
THRUM_TASK(unsigned long long, same_u64, (unsigned long long, x)) { return x; }
THRUM_TASK(float, same_float, (float, x)) { return x; }
THRUM_TASK(double, same_double, (double, x)) { return x; }
THRUM_TASK(const char *, same_text, (const char *, x)) { return x; }
THRUM_TASK(point, swap, (point, p)) { return (point){(int)p.y, p.x}; }
THRUM_TASK(void, nothing) {}
THRUM_TASK(void *, pointer) { return NULL; }
THRUM_TASK(int, indirect, (char **, words)) { return words != NULL; }

THRUM_TASK(int, halve, (const float *, in), (float *, out), (int, n)) {
    for (int i = 0; i < n; i++)
        out[i] = in[i] / 2;
    return in == NULL;
}

THRUM_TASK(int, first_byte, (const unsigned char *, bytes)) { return bytes ? bytes[0] : -1; }
THRUM_TASK(int, first_int64, (const int64_t *, numbers)) { return (int)numbers[0]; }
THRUM_TASK(int, first_of, (const void *, anything)) { return *(const char *)anything; }
THRUM_TASK(double, sum_points, (const point *, points), (int, n)) {
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += points[i].x * points[i].y;
    return sum;
}
THRUM_TASK(void, set_point, (point *, p)) { p->x = 7; }

THRUM_TASK(int, fail, (int, code), (const char *, what)) {
    thrum_raise(code, "no %s", what); /* the line that test_failures looks for */
    return 1;
}

/* Until *flag is no longer what it was; the caller changes it in Python. 2: cancelled meanwhile. */
THRUM_TASK(int, watch, (volatile unsigned char *, flag)) {
    while (*flag == 0) {
        if (thrum_cancel_requested())
            return 2;
        sched_yield();
    }
    return 1;
}

static thrum_lock lock;
static thrum_rlock rlock;
static long total;

THRUM_TASK(long, add, (long, n)) {
    long now = 0;
    thrum_with(&lock) thrum_with(&rlock) now = total += n;
    return now;
}

THRUM_TASK(int, inner, (int, n)) { return n * n; }

THRUM_TASK(int, nested, (int, n)) {
    int result = -1;
    thrum_with_executor(pool, NULL) {
        thrum_future *future;
        if (inner_submit(pool, &future, n) == 0 && inner_result(future, &result) == 0)
            thrum_future_free(future);
    }
    return result;
}
