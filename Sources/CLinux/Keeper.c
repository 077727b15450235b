// The keeper of a program whose children may leave its process group and its session, as servers
// that become daemons do. The keeper is a subreaper: a process whose parent ends becomes the
// keeper's child, so that every descendant can be found by its parents. The keeper ends when the
// last descendant has ended, and has the exit status of the program, or of the last descendant if
// the program ended well before it. SIGTERM and SIGINT are passed
// to all descendants, and those that are left after the grace are killed. All of them are killed at
// once when the keeper's input is closed, which happens when the runner ends, however it ends.
//
// The keeper is a fork that executes nothing: it calls no allocator and no lock of the runner.
#define _GNU_SOURCE
#include "Spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/// Most processes of the machine that one look can take in.
#define MOST_PROCESSES 32768

struct relation {
    pid_t pid;
    pid_t parent;
    int is_descendant;
};

static struct relation relations[MOST_PROCESSES];

struct directory_entry {
    uint64_t inode;
    int64_t offset;
    unsigned short length;
    unsigned char type;
    char name[];
};

static int64_t now_milliseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/// The number in a name of /proc; 0 if the name is no number of a process.
static pid_t number(const char *text) {
    int64_t value = 0;
    for (; *text >= '0' && *text <= '9'; text++) {
        value = value * 10 + (*text - '0');
        if (value > INT32_MAX) return 0;
    }
    return *text ? 0 : (pid_t)value;
}

/// The parent of a process; 0 if the process is gone.
static pid_t parent_of(int proc, const char *name) {
    char path[32];
    size_t length = strnlen(name, 12);
    memcpy(path, name, length);
    memcpy(path + length, "/stat", 6);
    int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    char text[512];
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0) return 0;
    text[n] = 0;
    // The name of the program is in brackets and may hold anything.
    char *end = strrchr(text, ')');
    if (!end || strlen(end) < 5) return 0;
    int64_t value = 0;
    for (char *digit = end + 4; *digit >= '0' && *digit <= '9' && value < INT32_MAX; digit++)
        value = value * 10 + (*digit - '0');
    return (pid_t)value;
}

static int list_processes(void) {
    int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (proc < 0) return 0;
    int count = 0;
    static _Alignas(struct directory_entry) char buffer[16384];
    long n;
    while (count < MOST_PROCESSES &&
           (n = syscall(SYS_getdents64, proc, buffer, sizeof buffer)) > 0) {
        for (long at = 0; at < n && count < MOST_PROCESSES;) {
            struct directory_entry *entry = (struct directory_entry *)(buffer + at);
            at += entry->length;
            pid_t pid = number(entry->name);
            if (pid <= 0) continue;
            pid_t parent = parent_of(proc, entry->name);
            if (parent > 0) relations[count++] = (struct relation){pid, parent, 0};
        }
    }
    close(proc);
    return count;
}

/// Sends a signal to every descendant of this process.
static void signal_descendants(int number) {
    int count = list_processes();
    pid_t self = getpid();
    for (int changed = 1; changed;) {
        changed = 0;
        for (int i = 0; i < count; i++) {
            if (relations[i].is_descendant) continue;
            int found = relations[i].parent == self;
            for (int j = 0; j < count && !found; j++)
                found = relations[j].is_descendant && relations[j].pid == relations[i].parent;
            if (!found) continue;
            relations[i].is_descendant = 1;
            changed = 1;
        }
    }
    for (int i = 0; i < count; i++)
        if (relations[i].is_descendant) kill(relations[i].pid, number);
}

/// Ends as the program ended.
_Noreturn static void end_like(int status) {
    if (!WIFSIGNALED(status)) _exit(WEXITSTATUS(status));
    // The program has dumped its core already, if it may.
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_UNBLOCK, &all, 0);
    signal(WTERMSIG(status), SIG_DFL);
    raise(WTERMSIG(status));
    _exit(128 + WTERMSIG(status));
}

/// Descriptors of the keeper: all others are closed, for they belong to the runner.
enum { INPUT = 3, SIGNALS = 4 };

static void keep_two_descriptors(int input, int signals) {
    int first = fcntl(input, F_DUPFD, SIGNALS + 1);
    int second = fcntl(signals, F_DUPFD, SIGNALS + 1);
    dup2(first, INPUT);
    dup2(second, SIGNALS);
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3 && null >= 0; fd++) dup2(null, fd);
    if (syscall(SYS_close_range, SIGNALS + 1, ~0U, 0) == 0) return;
    for (int fd = SIGNALS + 1; fd < 65536; fd++) close(fd);
}

_Noreturn static void watch(pid_t program, int grace_ms) {
    int64_t deadline = INT64_MAX;
    int kills = 0, ended = 0, status = 0;
    for (;;) {
        int child = 0;
        pid_t pid;
        while ((pid = waitpid(-1, &child, WNOHANG)) > 0) {
            // Of a program that became a daemon the last descendant's status counts.
            if (pid != program && ended && !kills) status = child;
            if (pid != program) continue;
            ended = 1;
            status = child;
            // A program that ends well may have become a daemon. One that fails has not.
            if (!WIFEXITED(child) || WEXITSTATUS(child) != 0) kills = 1;
        }
        if (pid < 0 && errno == ECHILD) end_like(ended ? status : 0);
        int64_t now = now_milliseconds();
        if (now >= deadline) kills = 1;
        if (kills) signal_descendants(SIGKILL);
        int64_t wait = kills ? 5 : deadline == INT64_MAX ? -1 : deadline - now;
        struct pollfd entries[2] = {{INPUT, POLLIN, 0}, {SIGNALS, POLLIN, 0}};
        if (poll(entries, 2, wait > 1000000 ? 1000000 : (int)wait) < 0) continue;
        if (entries[0].revents) {
            char byte;
            if (read(INPUT, &byte, 1) <= 0) {
                kills = 1;
                // At its end the input would always be readable.
                int null = open("/dev/null", O_WRONLY);
                if (null >= 0) dup2(null, INPUT);
            }
        }
        if (!(entries[1].revents & POLLIN)) continue;
        struct signalfd_siginfo info;
        if (read(SIGNALS, &info, sizeof info) != sizeof info) continue;
        if (info.ssi_signo == SIGHUP) kills = 1;
        if ((info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) && deadline == INT64_MAX) {
            deadline = now_milliseconds() + grace_ms;
            signal_descendants(SIGTERM);
        }
    }
}

_Noreturn void millrace_keep(const struct millrace_spawn_options *o, pid_t parent, int status) {
    int failed = 0;
    if (setpgid(0, 0) != 0) failed = errno;
    if (!failed && prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) failed = errno;
    if (!failed && prctl(PR_SET_PDEATHSIG, SIGHUP) != 0) failed = errno;
    if (!failed && getppid() != parent) failed = ESRCH;
    prctl(PR_SET_NAME, "keeper");
    sigset_t heard, before;
    sigemptyset(&heard);
    sigaddset(&heard, SIGTERM);
    sigaddset(&heard, SIGINT);
    sigaddset(&heard, SIGHUP);
    sigaddset(&heard, SIGCHLD);
    sigprocmask(SIG_BLOCK, &heard, &before);
    int signals = signalfd(-1, &heard, SFD_CLOEXEC);
    if (!failed && signals < 0) failed = errno;
    pid_t self = getpid();
    pid_t program = failed ? -1 : fork();
    if (!failed && program < 0) failed = errno;
    if (failed) {
        ssize_t ignored = write(status, &failed, sizeof failed);
        (void)ignored;
        _exit(127);
    }
    if (program == 0) {
        sigprocmask(SIG_SETMASK, &before, 0);
        struct millrace_spawn_options own = *o;
        // The input belongs to the keeper.
        own.stdin_fd = -1;
        own.parent_death_signal = SIGKILL;
        millrace_become(&own, self, 1, status);
    }
    keep_two_descriptors(o->stdin_fd, signals);
    watch(program, o->keeper_grace_ms);
}
