/* SPDX-License-Identifier: MIT */
/* A generator without an end: workers look a little ahead, results come in order, and the reader
 * stops.
 *
 * Python:  with ThreadPoolExecutor() as executor:
 *              for n, prime in executor.map(is_prime, count(10**12 + 1, 2), buffersize=16): */
#include <thrum.h>

enum { AHEAD = 16 };

typedef struct verdict {
    long long n;
    bool prime;
} verdict;

/* The generator: runs in the thread that reads, never twice at once. */
static int next_odd(void *last, void *item) {
    *(long long *)item = *(long long *)last += 2;
    return 0;
}

/* Runs on the workers. */
static int is_prime(const void *item, void *result) {
    verdict *v = result;
    *v = (verdict){*(const long long *)item, true};
    for (long long divisor = 3; divisor * divisor <= v->n && v->prime; divisor += 2)
        v->prime = v->n % divisor != 0;
    return 0;
}

int main(void) {
    thrum_log_config(&(thrum_log_opts){
        .format = "%(asctime)s: %(message)s", .level = THRUM_INFO, .datefmt = "%H:%M:%S"});

    long long last = 999999999999, first = last;
    thrum_with_executor(executor, NULL) {
        thrum_stream *stream =
            thrum_stream_new(executor, next_odd, &last, is_prime, sizeof last, sizeof(verdict),
                             &(thrum_stream_opts){.buffersize = AHEAD});
        verdict v;
        int rc = stream ? 0 : -errno;
        for (int found = 0; rc == 0 && found < 3;) {
            rc = thrum_stream_next(stream, &v);
            if (rc == 0 && v.prime)
                thrum_info("Main    : prime number %d is %lld", ++found, v.n);
        }
        if (rc != 0)
            thrum_error("Main    : %s", thrum_strerror(rc));
        long long ahead = (last - v.n) / 2;
        thrum_info("Main    : %lld numbers were read, and fewer than %d more were taken: %s",
                   (v.n - first) / 2, AHEAD, ahead < AHEAD ? "true" : "false");
        thrum_stream_free(stream); /* what has not started is cancelled */
    }
    return 0;
}
