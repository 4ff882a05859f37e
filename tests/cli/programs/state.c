/* state: prints everything that a program gets from whoever started it, so that two runs can be compared: arguments,
 * environment, open descriptors, signal mask and dispositions, process group, limits, working folder. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

extern char** environ;

static void print_bytes(const char* name, const char* text) {
    printf("%s ", name);
    for (; *text != '\0'; ++text) printf("%02x", (unsigned char)*text);
    putchar('\n');
}

static void print_signals(void) {
    sigset_t mask;
    sigprocmask(SIG_SETMASK, NULL, &mask);
    for (int i = 1; i < NSIG; ++i) {
        struct sigaction action;
        if (sigaction(i, NULL, &action) != 0) continue;
        printf("signal %d blocked %d %s flags %x\n", i, sigismember(&mask, i),
               action.sa_handler == SIG_DFL   ? "default"
               : action.sa_handler == SIG_IGN ? "ignored"
                                              : "handled",
               (unsigned)action.sa_flags);
    }
}

static void print_descriptors(void) {
    for (int i = 0; i < 256; ++i) {
        struct stat info;
        if (fstat(i, &info) == 0)
            printf("descriptor %d type %o flags %x %x\n", i, info.st_mode & S_IFMT, fcntl(i, F_GETFL),
                   fcntl(i, F_GETFD));
    }
}

int main(int argc, char** argv) {
    for (int i = 0; i < argc; ++i) print_bytes("argument", argv[i]);
    for (char** entry = environ; *entry != NULL; ++entry) print_bytes("variable", *entry);
    print_signals();
    print_descriptors();
    for (int i = 0; i < RLIM_NLIMITS; ++i) {
        struct rlimit limit;
        if (getrlimit((__rlimit_resource_t)i, &limit) == 0)
            printf("limit %d %llu %llu\n", i, (unsigned long long)limit.rlim_cur,
                   (unsigned long long)limit.rlim_max);
    }
    printf("group same %d, nice %d, umask %o\n", getpgrp() == getpgid(getppid()),
           getpriority(PRIO_PROCESS, 0), umask(0));
    return 0;
}
