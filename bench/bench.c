/* SPDX-License-Identifier: MIT */
#include "bench.h"
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

const struct peer *bench_peers[BENCH_PEERS];
int bench_n_peers;
int bench_cpu[2] = {-1, -1};

static char **filters;
static int n_filters;
static int forced_rounds;

void bench_register(const struct peer *peer) {
    int i = bench_n_peers++;
    if (i >= BENCH_PEERS)
        abort();
    for (; i > 0 && bench_peers[i - 1]->rank > peer->rank; --i)
        bench_peers[i] = bench_peers[i - 1];
    bench_peers[i] = peer;
}

void bench_pin(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
}

void bench_pin_both(void) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(bench_cpu[0], &set);
    if (bench_cpu[1] >= 0)
        CPU_SET(bench_cpu[1], &set);
    sched_setaffinity(0, sizeof set, &set);
}

double bench_printed(const char *command) {
    double value;
    FILE *f = popen(command, "r");
    if (!f)
        return NAN;
    if (fscanf(f, "%lf", &value) != 1)
        value = NAN;
    pclose(f);
    return value;
}

void bench_raise_limit(int resource, unsigned long most) {
    struct rlimit limit;
    getrlimit(resource, &limit);
    if (limit.rlim_cur >= most)
        return;
    limit.rlim_cur = most;
    if (limit.rlim_max < most && setrlimit(resource, &(struct rlimit){most, most}) == 0)
        return;
    limit.rlim_cur = limit.rlim_max < most ? limit.rlim_max : most;
    setrlimit(resource, &limit);
}

void bench_fewer(const char *peer, long made, long wanted) {
    static const char *told[BENCH_PEERS];
    int i = 0;
    while (told[i] && told[i] != peer)
        i += 1;
    if (made < wanted && !told[i])
        fprintf(stderr, "bench: %s: no more than %ld of %ld can be had here\n", peer, made, wanted);
    told[i] = peer;
}

bool bench_wanted(const char *row) {
    for (int i = 0; i < n_filters; ++i)
        if (strstr(row, filters[i]))
            return true;
    return n_filters == 0;
}

bool bench_two_cores(const char *row) {
    if (bench_cpu[1] < 0)
        fprintf(stderr, "bench: %s: left out, only one CPU is allowed here\n", row);
    return bench_cpu[1] >= 0;
}

int bench_rounds(int rounds) { return forced_rounds ? forced_rounds : rounds; }

void bench_add(struct series *s, int peer, double value) {
    if (!isnan(value) && s->n[peer] < BENCH_ROUNDS)
        s->value[peer][s->n[peer]++] = value;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const struct series *s, int peer) {
    double sorted[BENCH_ROUNDS];
    int n = s->n[peer];
    if (n == 0)
        return NAN;
    memcpy(sorted, s->value[peer], (size_t)n * sizeof *sorted);
    qsort(sorted, (size_t)n, sizeof *sorted, by_value);
    return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

/* Seconds that all CPUs, and this process, have been busy. */
struct busy {
    double all, own;
    double wall_ns;
};
static struct busy row_start;

static clockid_t own_process[4];
static int n_own_processes;

void bench_own_process(pid_t pid) {
    if (clock_getcpuclockid(pid, &own_process[n_own_processes]) == 0)
        n_own_processes += 1;
}

static struct busy busy_now(void) {
    struct busy b = {.wall_ns = (double)bench_now()};
    double hz = (double)sysconf(_SC_CLK_TCK), t[8] = {0};
    struct rusage usage;
    FILE *f = fopen("/proc/stat", "r");
    if (f && fscanf(f, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", &t[0], &t[1], &t[2], &t[3], &t[4],
                    &t[5], &t[6], &t[7]) == 8)
        b.all = (t[0] + t[1] + t[2] + t[5] + t[6] + t[7]) / hz;
    if (f)
        fclose(f);
    getrusage(RUSAGE_SELF, &usage);
    b.own = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
            (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    for (int i = 0; i < n_own_processes; ++i) {
        struct timespec t = {0};
        clock_gettime(own_process[i], &t);
        b.own += (double)t.tv_sec + (double)t.tv_nsec / 1e9;
    }
    return b;
}

/* Returns the share of the CPUs that others have used since bench_begin(). */
static double others(void) {
    struct busy now = busy_now();
    double used = now.all - row_start.all - (now.own - row_start.own);
    double cpus = (double)sysconf(_SC_NPROCESSORS_ONLN);
    double capacity = (now.wall_ns - row_start.wall_ns) / 1e9 * cpus;
    return used > 0 && capacity > 0 ? used / capacity : 0;
}

void bench_begin(const char *row) {
    fprintf(stderr, "bench: %s\n", row);
    row_start = busy_now();
}

void bench_emit(const struct series *s, const char *row, const char *unit, bool against_floor) {
    int baseline = -1;
    double share = others();
    if (!bench_wanted(row))
        return;
    for (int i = bench_n_peers - 1; i >= 0; --i)
        if (s->n[i] && (against_floor ? bench_peers[i]->floor : bench_peers[i]->baseline))
            baseline = i;
    double base = baseline >= 0 ? median(s, baseline) : NAN;
    for (int i = 0; i < bench_n_peers; ++i) {
        if (s->n[i] == 0)
            continue;
        double value = median(s, i);
        printf("{\"others\": %.3f, \"row\": \"%s\", \"subject\": \"%s\", \"value\": %.6g, "
               "\"unit\": \"%s\", ",
               share, row, bench_peers[i]->name, value, unit);
        if (s->shared)
            printf("\"workers\": %.3f, ", s->share[i] / s->n[i]);
        if (base > 0)
            printf("\"baseline\": \"%s\", \"ratio\": %.6g}\n", bench_peers[baseline]->name,
                   value / base);
        else
            printf("\"baseline\": null, \"ratio\": null}\n");
    }
    fflush(stdout);
}

void bench_row(const char *row, const char *unit, int rounds,
               double (*measure)(const struct peer *peer)) {
    struct series s = {0};
    if (!bench_wanted(row))
        return;
    bench_begin(row);
    for (int round = 0; round < bench_rounds(rounds); ++round)
        for (int i = 0; i < bench_n_peers; ++i)
            bench_add(&s, i, measure(bench_peers[i]));
    bench_emit(&s, row, unit, false);
}

struct ping_side {
    void (*body)(struct ping *, int);
    struct ping *ping;
    pthread_barrier_t *start;
    int side, cpu;
};

static void *ping_main(void *arg) {
    struct ping_side *s = arg;
    bench_pin(s->cpu);
    pthread_barrier_wait(s->start);
    s->body(s->ping, s->side);
    if (s->side == 0)
        s->ping->end = bench_now();
    return NULL;
}

double bench_ping(void (*body)(struct ping *, int), int cpu0, int cpu1, long n, uint64_t pause) {
    struct ping p = {.n = n + n / 10, .warm = n / 10, .pause = pause};
    pthread_barrier_t start;
    struct ping_side side[2] = {{body, &p, &start, 0, cpu0}, {body, &p, &start, 1, cpu1}};
    pthread_t thread;
    pthread_barrier_init(&start, NULL, 2);
    if (pthread_create(&thread, NULL, ping_main, &side[1]) != 0)
        abort();
    ping_main(&side[0]);
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&start);
    bench_pin(bench_cpu[0]);
    return (double)(pause ? p.sum : p.end - p.begin) / (double)n;
}

static void *nothing(void *arg) { return arg; }

/* glibc's locks are cheaper until the first thread has been started. */
static void leave_single_thread(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, nothing, NULL) != 0)
        abort();
    pthread_join(thread, NULL);
}

static void find_cpus(void) {
    cpu_set_t set;
    int found = 0;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        abort();
    for (int cpu = 0; cpu < CPU_SETSIZE && found < 2; ++cpu)
        if (CPU_ISSET(cpu, &set))
            bench_cpu[found++] = cpu;
}

int main(int argc, char **argv) {
    for (int option; (option = getopt(argc, argv, "r:h")) != -1;) {
        if (option == 'r')
            forced_rounds = atoi(optarg);
        if (option != 'r' || forced_rounds < 1 || forced_rounds > BENCH_ROUNDS) {
            fprintf(stderr, "usage: %s [-r ROUNDS, 1 to %d] [PART OF A ROW'S NAME]...\n", argv[0],
                    BENCH_ROUNDS);
            return option == 'h' ? 0 : 2;
        }
    }
    filters = argv + optind;
    n_filters = argc - optind;
    find_cpus();
    leave_single_thread();
    bench_pin(bench_cpu[0]);
    bench_lock();
    bench_contended();
    bench_rlock();
    bench_condition();
    bench_event();
    bench_thread();
    bench_wait();
    bench_semaphore();
    bench_barrier();
    bench_local();
    bench_queue();
    bench_timer();
    bench_log();
    bench_executor();
    bench_stream();
    bench_fork_join();
    bench_process_shared();
    bench_process_bytes();
    bench_process_pool();
    return 0;
}
