/* Reports sources as a library would: sources SCENARIO. Exits with 0; 50: no recorder, 60 and more: a wrong answer. */
#define _GNU_SOURCE
#include <allot/core/client.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct allot_client_source source(const char* name) {
    struct allot_client_source one = {.size = sizeof one, .kind = "arena", .name = name};
    return one;
}

static void report(struct allot_client_source* one, uint64_t held_bytes, uint64_t held_count) {
    one->held_bytes = held_bytes;
    one->held_count = held_count;
    if (allot_client_report_source(one) != 0 || one->id == 0) exit(60);
}

static void grow(void) {
    struct allot_client_source a = source("request"), b = source("request"), c = source("session");
    report(&a, 1000, 1);
    report(&b, 500, 1);
    report(&a, 3000, 2); /* 3,500 together */
    report(&b, 0, 0);
    report(&c, 64, 1);
    report(&b, 20, 1); /* comes back */
    if (a.id == b.id) exit(61);
    struct allot_client_source small = source("request");
    small.size -= 8;
    if (allot_client_report_source(&small) != -1) exit(62);
}

static void forked(void) {
    struct allot_client_source a = source("request");
    report(&a, 1000, 1);
    const pid_t child = fork();
    if (child == 0) {
        struct allot_client_source b = source("request");
        report(&b, 7, 1);
        report(&a, 40, 1); /* its parent's id */
        if (a.id == b.id) exit(63);
        exit(0);
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child || status != 0) exit(64);
}

static void overflow(void) {
    for (int i = 0; i != 20; ++i) {
        char name[16];
        snprintf(name, sizeof name, "n%d", i);
        struct allot_client_source one = source(name);
        report(&one, 100, 1);
    }
}

static void killed(void) {
    struct allot_client_source a = source("request");
    report(&a, 1000, 1);
    kill(getpid(), SIGKILL);
}

/* A handler that reports in the middle of a report hangs nobody. The timer hits reports by chance. */
static volatile sig_atomic_t ticks;
static struct allot_client_source of_handler;
static void on_tick(int number) {
    (void)number;
    of_handler.held_bytes = 1 + (uint64_t)ticks % 2;
    (void)allot_client_report_source(&of_handler);
    ++ticks;
}
static void interrupted(void) {
    of_handler = source("handler");
    struct allot_client_source a = source("request");
    report(&a, 1, 1);
    signal(SIGPROF, on_tick);
    const struct timespec often = {0, 50000};
    timer_t timer;
    struct sigevent by_signal = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGPROF};
    if (timer_create(CLOCK_MONOTONIC, &by_signal, &timer) != 0) exit(65);
    if (timer_settime(timer, 0, &(struct itimerspec){often, often}, NULL) != 0) exit(66);
    for (uint64_t i = 0; ticks < 2000; ++i) report(&a, 1 + i % 100, 1);
    timer_delete(timer);
    report(&a, 5, 1);
}

int main(int count, char** arguments) {
    if (count != 2) return 99;
    const struct {
        const char* name;
        void (*act)(void);
    } all[] = {{"grow", grow},
               {"fork", forked},
               {"overflow", overflow},
               {"kill", killed},
               {"interrupted", interrupted}};
    if (allot_client_find() == NULL) return 50;
    for (unsigned i = 0; i != sizeof all / sizeof all[0]; ++i)
        if (strcmp(all[i].name, arguments[1]) == 0) return all[i].act(), 0;
    return 98;
}
