/* SPDX-License-Identifier: MIT */
#include "spec.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/atomic.h"
#include "sanitizers.h"
#include "world.h"

enum {
    SECONDS_PER_TEST = 55,
    TESTS_MAX = 128,
    THREADS_MAX = 8,
    LAST_STEPS_MAX = 10000,
    WORDS_MAX = 8
};

static struct {
    const spec_world *world;
    const char *program;
    uint64_t seed;
    uint64_t random;
} self = {.world = &spec_world_os};

bool spec_is_test_strand(void) { return self.world == &spec_world_test; }

uint64_t spec_seed(void) { return self.seed; }

uint32_t spec_random(uint32_t n) {
    uint64_t x = thrum__add_relaxed(&self.random, UINT64_C(0x9e3779b97f4a7c15));
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((x ^ (x >> 31)) % n);
}

static void skip_because(const char *why, const char *what) {
    fprintf(stderr, "skipped: %s %s\n", why, what);
    skip();
}

void spec_needs_os(const char *feature) {
    if (spec_is_test_strand())
        skip_because("the test strand lacks", feature);
}

void spec_needs_test_strand(const char *feature) {
    if (!spec_is_test_strand())
        skip_because("OS threads lack", feature);
}

void spec_skip_under_tsan(const char *does) {
    if (SPEC_TSAN && !spec_is_test_strand())
        skip_because("ThreadSanitizer", does);
}

void spec_skip_under_emulation(const char *does) {
    if (getenv("THRUM_TEST_EMULATED") && !spec_is_test_strand())
        skip_because("the emulator", does);
}

void spec_needs_own_processes(void) {
    spec_needs_os("processes");
    spec_skip_under_emulation("does not start itself anew");
}

const char *const *spec_emulated_command(void) {
    static char words[256], program[4096];
    static const char *command[WORDS_MAX + 2];
    const char *emulator = getenv("THRUM_TEST_EMULATOR");
    if (!getenv("THRUM_TEST_EMULATED"))
        return NULL;
    if (!emulator || !*emulator || readlink("/proc/self/exe", program, sizeof program - 1) < 0)
        skip_because("the emulator", "does not start itself anew");
    int n = 0;
    snprintf(words, sizeof words, "%s", emulator);
    for (char *word = strtok(words, " "); word && n < WORDS_MAX; word = strtok(NULL, " "))
        command[n++] = word;
    command[n] = program;
    command[n + 1] = NULL;
    return command;
}

double spec_stress_seconds(void) {
    const char *text = getenv("THRUM_STRESS_SECONDS");
    return text ? atof(text) : 2;
}

static void print_replay(void) {
    fprintf(stderr, "replay: %s --strand=%s --seed=0x%llx\n", self.program, self.world->name,
            (unsigned long long)self.seed);
}

static void at_failure(int number) {
    print_replay();
    signal(number, SIG_DFL);
    raise(number);
}

/* Returns how many of the library's threads that stay have been started. */
static int lasting(void) {
    thrum_thread *threads[THREADS_MAX];
    int found = 0;
    int n = thrum_thread_enumerate(threads, THREADS_MAX);
    for (int i = 0; i < n && i < THREADS_MAX; i++) {
        found += strcmp(thrum_thread_name(threads[i]), "thrum-timer") == 0 ||
                 strcmp(thrum_thread_name(threads[i]), "thrum-process") == 0;
        thrum_thread_free(threads[i]);
    }
    return found;
}

/* A thread that is not counted any more may still be about to leave its stack. */
static bool stacks_are_left(int expected) {
    for (int i = 0; i < LAST_STEPS_MAX && self.world->stacks() > expected; i++)
        spec_yield();
    return self.world->stacks() > expected;
}

static void run_one(void **state) {
    const struct CMUnitTest *test = *state;
    self.random = self.seed;
    self.world->reseed(self.seed);
    alarm(SECONDS_PER_TEST + 2 * (unsigned)spec_stress_seconds());
    void *initial = test->initial_state;
    test->test_func(&initial);
    alarm(0);
    int expected = 1 + lasting();
    if (thrum_thread_active_count() > expected || stacks_are_left(expected)) {
        fprintf(stderr, "%s leaves threads or stacks behind:\n", test->name);
        thrum_dump(STDERR_FILENO);
        abort();
    }
}

static int run_all(void) {
    static struct CMUnitTest tests[TESTS_MAX];
    if (thrum_spec_count > TESTS_MAX)
        return 2;
    for (size_t i = 0; i < thrum_spec_count; i++) {
        tests[i] = thrum_spec_tests[i];
        tests[i].test_func = run_one;
        tests[i].initial_state = (void *)(uintptr_t)&thrum_spec_tests[i];
    }
    (void)thrum_thread_main();
    return _cmocka_run_group_tests(self.program, tests, thrum_spec_count, NULL, NULL);
}

static uint64_t draw_seed(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return ((uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec) ^ ((uint64_t)getpid() << 48);
}

static int usage(int code) {
    fprintf(code ? stderr : stdout, "usage: %s [--strand=os|test] [--seed=N] [--test=PATTERN]\n",
            self.program);
    return code;
}

int main(int argc, char **argv) {
    static const struct option options[] = {{"strand", required_argument, NULL, 's'},
                                            {"seed", required_argument, NULL, 'r'},
                                            {"test", required_argument, NULL, 't'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    self.program = argv[0];
    self.seed = draw_seed();
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 's' && strcmp(optarg, "test") == 0)
            self.world = &spec_world_test;
        else if (c == 's' && strcmp(optarg, "os") == 0)
            self.world = &spec_world_os;
        else if (c == 'r')
            self.seed = strtoull(optarg, NULL, 0);
        else if (c == 't')
            cmocka_set_test_filter(optarg);
        else
            return usage(c == 'h' ? 0 : 2);
    }
    if (optind < argc)
        return usage(2);
    setenv("CMOCKA_TEST_ABORT", "1", 1);
    signal(SIGABRT, at_failure);
    signal(SIGALRM, at_failure);
    print_replay();
    return self.world->run(run_all);
}
