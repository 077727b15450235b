// The keeper of a program whose children may leave its process group and its session, as servers
// that become daemons do. The keeper is a subreaper: a process whose parent ends becomes the
// keeper's child, so that every descendant can be found by its parents. The keeper ends when the
// last descendant has ended, and has the exit status of the program, or of the last descendant if
// the program ended well before anything was asked of it. SIGTERM and SIGINT are passed to all
// descendants as SIGTERM, and those that are left after the grace are killed. All of them are
// killed at once when the program fails by itself, and when the keeper's input is closed, which
// happens when the runner ends, however it ends.
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

/// Most processes of the machine that one look can take in. Pages of the table that no process
/// needs are never touched.
#define MOST_PROCESSES (1 << 18)

struct relation {
    pid_t pid;
    pid_t parent;
    int is_descendant;
};

/// The processes of the machine in the order of their numbers, as /proc lists them.
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

/// Reads the beginning of a process's file `stat` and returns the text from the end of the name on,
/// which begins with ") S 1" for a process that sleeps and has the parent 1; NULL if the process is
/// gone.
static char *stat_of(int proc, pid_t pid, char *text, size_t size) {
    char path[32] = "/stat";
    size_t length = sizeof "/stat";
    for (pid_t rest = pid; rest > 0 && length < sizeof path; rest /= 10) {
        memmove(path + 1, path, length++);
        path[0] = (char)('0' + rest % 10);
    }
    int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t n = read(fd, text, size - 1);
    close(fd);
    if (n <= 0) return 0;
    text[n] = 0;
    // The name of the program is in brackets and may hold anything.
    return strrchr(text, ')');
}

/// The parent of a process; 0 if the process is gone.
static pid_t parent_of(int proc, pid_t pid) {
    char text[512];
    char *end = stat_of(proc, pid, text, sizeof text);
    if (!end || strlen(end) < 5) return 0;
    int64_t value = 0;
    for (char *digit = end + 4; *digit >= '0' && *digit <= '9' && value < INT32_MAX; digit++)
        value = value * 10 + (*digit - '0');
    return (pid_t)value;
}

static int list_processes(int proc) {
    int count = 0;
    static _Alignas(struct directory_entry) char buffer[16384];
    long n;
    while (count < MOST_PROCESSES &&
           (n = syscall(SYS_getdents64, proc, buffer, sizeof buffer)) > 0) {
        for (long at = 0; at < n && count < MOST_PROCESSES;) {
            struct directory_entry *entry = (struct directory_entry *)(buffer + at);
            at += entry->length;
            pid_t pid = number(entry->name);
            // The search below needs the order, in which /proc lists the processes.
            if (pid <= 0 || (count > 0 && pid <= relations[count - 1].pid)) continue;
            pid_t parent = parent_of(proc, pid);
            if (parent > 0) relations[count++] = (struct relation){pid, parent, 0};
        }
    }
    return count;
}

/// The place of a process in the table; -1 if the process is not there.
static int place_of(pid_t pid, int count) {
    int low = 0, high = count - 1;
    while (low <= high) {
        int middle = low + (high - low) / 2;
        if (relations[middle].pid == pid) return middle;
        if (relations[middle].pid < pid) low = middle + 1;
        else high = middle - 1;
    }
    return -1;
}

/// Whether a process of the table descends from `self`. The table was not read in one moment, so
/// the number of steps is bounded.
static int is_descendant(int place, int count, pid_t self) {
    for (int steps = 0; place >= 0 && steps < count; steps++) {
        if (relations[place].is_descendant || relations[place].parent == self) return 1;
        place = place_of(relations[place].parent, count);
    }
    return 0;
}

/// Sends a signal to a process that still has the parent that the table tells, or whose parent has
/// ended. Another process that got the number in the meantime is spared.
static void signal_process(int proc, struct relation process, pid_t self, int number) {
    int fd = (int)syscall(SYS_pidfd_open, process.pid, 0);
    if (fd < 0 && errno == ESRCH) return;
    pid_t parent = parent_of(proc, process.pid);
    if (parent == process.parent || parent == self) {
        // Kernels before 5.3 and some sandboxes have no descriptors of processes.
        if (fd < 0 || (syscall(SYS_pidfd_send_signal, fd, number, 0, 0) != 0 && errno == ENOSYS))
            kill(process.pid, number);
    }
    if (fd >= 0) close(fd);
}

/// Sends a signal to every descendant of this process.
///
/// Returns the number of processes of the machine; 0 if /proc cannot be read.
static int signal_descendants(int number) {
    int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (proc < 0) return 0;
    int count = list_processes(proc);
    pid_t self = getpid();
    // No process gets its signal before all are known, for the first may start more or end.
    for (int i = 0; i < count; i++) relations[i].is_descendant = is_descendant(i, count, self);
    for (int i = 0; i < count; i++)
        if (relations[i].is_descendant) signal_process(proc, relations[i], self, number);
    close(proc);
    return count;
}

/// Replaces the command line that ps(1) shows, which is the runner's. `pkill -f` with the runner's
/// name would otherwise kill the keeper as well, and what the keeper is there to end would remain.
static void replace_command_line(void) {
    static const char name[] = "keeper";
    char text[1024];
    int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (proc < 0) return;
    char *field = stat_of(proc, getpid(), text, sizeof text);
    close(proc);
    // The command line lies between the addresses in fields 48 and 49 of proc(5). The bracket ends
    // field 2.
    uintptr_t ends[2] = {0, 0};
    for (int i = 3; field && i <= 49; i++) {
        field = strchr(field, ' ');
        if (!field) return;
        field++;
        if (i < 48) continue;
        for (char *digit = field; *digit >= '0' && *digit <= '9'; digit++)
            ends[i - 48] = ends[i - 48] * 10 + (uintptr_t)(*digit - '0');
    }
    if (!ends[0] || ends[1] < ends[0] + sizeof name) return;
    memset((char *)ends[0], 0, ends[1] - ends[0]);
    memcpy((char *)ends[0], name, sizeof name);
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
enum { INPUT = 3, SIGNALS = 4, FIRST_OTHER = 5 };

/// Both descriptors are `FIRST_OTHER` or more.
static void keep_two_descriptors(int input, int signals) {
    dup2(input, INPUT);
    dup2(signals, SIGNALS);
    if (syscall(SYS_close_range, FIRST_OTHER, ~0U, 0) != 0)
        for (int fd = FIRST_OTHER; fd < 65536; fd++) close(fd);
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3; fd++) {
        if (null >= 0) dup2(null, fd);
        else close(fd);
    }
    if (null >= FIRST_OTHER) close(null);
}

/// Forks without the handlers and locks of the runner, where the C library can.
static pid_t fork_alone(void) {
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
    return _Fork();
#else
    return fork();
#endif
}

/// Kills every descendant. The program's group is killed without /proc as well.
static void kill_all(pid_t program, int has_ended) {
    // The group has this number as long as the program has not been reaped.
    if (signal_descendants(SIGKILL) == 0 && !has_ended) kill(-program, SIGKILL);
}

_Noreturn static void watch(pid_t program, int grace_ms) {
    int64_t deadline = INT64_MAX;
    int kills = 0, rounds = 0, has_ended = 0, is_daemon = 0, status = 0;
    struct pollfd entries[2] = {{INPUT, POLLIN, 0}, {SIGNALS, POLLIN, 0}};
    for (;;) {
        int child = 0;
        pid_t pid;
        while ((pid = waitpid(-1, &child, WNOHANG)) > 0) {
            // Of a program that became a daemon the last descendant's status counts.
            if (pid != program && is_daemon) status = child;
            if (pid != program) continue;
            has_ended = 1;
            status = child;
            // A program that was asked to end leaves the others their time.
            if (deadline != INT64_MAX) continue;
            // A program that ends well may have become a daemon. One that fails has not.
            if (WIFEXITED(child) && WEXITSTATUS(child) == 0) is_daemon = 1;
            else kills = 1;
        }
        if (pid < 0 && errno == ECHILD) end_like(has_ended ? status : 0);
        int64_t now = now_milliseconds();
        if (now >= deadline) kills = 1;
        int64_t wait = deadline == INT64_MAX ? -1 : deadline - now;
        if (kills) {
            kill_all(program, has_ended);
            // What the kernel does not let go at once is tried again without haste.
            wait = rounds < 200 ? 5 : 500;
            if (rounds < 200) rounds++;
        }
        if (poll(entries, 2, wait > 1000000 ? 1000000 : (int)wait) < 0) continue;
        if (entries[0].revents) {
            char byte;
            if (read(INPUT, &byte, 1) <= 0) {
                kills = 1;
                // At its end the input is always readable: poll(2) is to ignore it.
                entries[0].fd = -1;
            }
        }
        if (!(entries[1].revents & POLLIN)) continue;
        struct signalfd_siginfo info;
        if (read(SIGNALS, &info, sizeof info) != sizeof info) continue;
        if (info.ssi_signo == SIGHUP) kills = 1;
        if ((info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) && deadline == INT64_MAX) {
            deadline = now_milliseconds() + grace_ms;
            if (signal_descendants(SIGTERM) == 0 && !has_ended) kill(-program, SIGTERM);
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
    // After the fork nothing that the keeper needs can fail any more.
    int input = fcntl(o->stdin_fd, F_DUPFD_CLOEXEC, FIRST_OTHER);
    if (!failed && input < 0) failed = errno;
    signals = fcntl(signals, F_DUPFD_CLOEXEC, FIRST_OTHER);
    if (!failed && signals < 0) failed = errno;
    pid_t self = getpid();
    pid_t program = failed ? -1 : fork_alone();
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
    replace_command_line();
    keep_two_descriptors(input, signals);
    watch(program, o->keeper_grace_ms);
}
