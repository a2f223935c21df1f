/* SPDX-License-Identifier: MIT */
/* What a spec file needs. It defines thrum_spec_tests and thrum_spec_count; the program that is
 * made of it runs every test as the first strand of the world that --strand names. Assertions end
 * the whole program, so that they may stand in any strand. */
#ifndef THRUM_TESTS_SPEC_H
#define THRUM_TESTS_SPEC_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <thrum.h>

extern const struct CMUnitTest thrum_spec_tests[];
extern const size_t thrum_spec_count;

#define SPEC_TESTS(...)                                                                            \
    const struct CMUnitTest thrum_spec_tests[] = {__VA_ARGS__};                                    \
    const size_t thrum_spec_count = sizeof thrum_spec_tests / sizeof thrum_spec_tests[0]

/* Returns whether the strands are contexts of strand_test.c, with virtual time, not OS threads. */
bool spec_is_test_strand(void);

/* Ends the running test as skipped on the test strand, which lacks `feature` of the OS. Only in the
 * strand that runs the test. */
void spec_needs_os(const char *feature);

/* Ends the running test as skipped on OS threads, where `feature` of the test strand is missing. */
void spec_needs_test_strand(const char *feature);

/* Ends the running test as skipped under ThreadSanitizer on OS threads, which `does` what the test
 * cannot bear. */
void spec_skip_under_tsan(const char *does);

/* Ends the running test as skipped on OS threads where an emulator runs the program (the
 * environment variable THRUM_TEST_EMULATED is set), which `does` what the test cannot bear. */
void spec_skip_under_emulation(const char *does);

/* Ends the running test as skipped where this program cannot start itself anew. */
void spec_needs_own_processes(void);

/* Returns the command that starts this program anew with the emulator that runs it, whose words are
 * in THRUM_TEST_EMULATOR; NULL where none does. Ends the running test as skipped if they are not
 * there. */
const char *const *spec_emulated_command(void);

/* Returns the seed of this run, from --seed or drawn at its start. */
uint64_t spec_seed(void);

/* Returns a number below `n`, the next of the seeded sequence. Any strand. */
uint32_t spec_random(uint32_t n);

/* Lets other strands run. */
void spec_yield(void);

/* Yields now and then, as the seed says: a point where another strand may come in. */
void spec_perhaps_yield(void);

/* Returns how many strands are queued at `address` (a lock, a condition, an event). */
int spec_waiting(const void *address);

/* Yields until `n` strands are queued at `address`. */
void spec_until_waiting(const void *address, int n);

/* Returns how many living strands wait for anything. */
int spec_strands_waiting(void);

/* Yields until `n` living strands wait, or more. */
void spec_until_strands_waiting(int n);

/* Yields until no more than `n` living strands wait. */
void spec_until_strands_woken(int n);

/* Threads that run one function. */
enum { SPEC_TEAM_MAX = 32 };
typedef struct spec_team {
    thrum_thread *threads[SPEC_TEAM_MAX];
    int n;
} spec_team;

/* Starts a thread that runs fn(arg), and fails the test if that is not possible. */
thrum_thread *spec_start(void *(*fn)(void *), void *arg);

/* Adds `n` threads that run fn(arg) to `team`. */
void spec_team_start(spec_team *team, int n, void *(*fn)(void *), void *arg);

/* Joins and frees all threads of `team`; each must have ended without a failure. */
void spec_team_join(spec_team *team);

/* Joins and frees `thread`, which must have ended without a failure. Returns its result. */
void *spec_join(thrum_thread *thread);

/* How a child process ended. */
typedef struct spec_end {
    int status;       /* of waitpid() */
    char text[16384]; /* what it wrote to stdout and stderr */
} spec_end;

/* Runs fn() in a forked child and then exit() with what it returned; SIGALRM ends a child that
 * takes longer than a minute. */
void spec_child(int (*fn)(void), spec_end *end);

/* Runs fn() as spec_child() does. The child must exit with `code`. */
void spec_exits(int (*fn)(void), int code, spec_end *end);

/* Runs fn() in a forked child, which must abort and have written `expected`. */
void spec_dies(void (*fn)(void), const char *expected);

/* Returns how many times `part` stands in `text`. */
int spec_count_text(const char *text, const char *part);

/* Seconds that each stress test runs: THRUM_STRESS_SECONDS, or 2. */
double spec_stress_seconds(void);

#endif
