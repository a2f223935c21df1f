/* SPDX-License-Identifier: MIT */
/* The library of the examples 22 and 23: two tasks that Python calls.
 *
 *     cc -shared -fPIC -O2 -I include -o libnative.so examples/python/native.c */
#include <thrum.h>

THRUM_TASK(int, count_primes, (int, start), (int, end)) {
    int primes = 0;
    for (int n = start; n < end; n++) {
        int divisor = 2;
        while (divisor * divisor <= n && n % divisor != 0)
            divisor++;
        primes += n > 1 && divisor * divisor > n;
    }
    return primes;
}

THRUM_TASK(int, blur, (const float *, image), (float *, out), (int, n)) {
    if (n < 3)
        thrum_raise(-EINVAL, "%d pixels are too few", n);
    for (int i = 0; i < n; i++)
        out[i] = i == 0 || i == n - 1 ? image[i] : (image[i - 1] + image[i] + image[i + 1]) / 3;
    return n;
}
