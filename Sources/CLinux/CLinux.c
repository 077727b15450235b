#define _GNU_SOURCE
#include "CLinux.h"
#include "Spawn.h"

#include <errno.h>
#include <linux/sockios.h>
#include <fcntl.h>
#include <grp.h>
#include <malloc.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

const int millrace_TCP_MAXSEG = TCP_MAXSEG;
const int millrace_TCP_CONGESTION = TCP_CONGESTION;
const int millrace_TCP_NODELAY = TCP_NODELAY;
const int millrace_SO_RCVLOWAT = SO_RCVLOWAT;

static void mask_to_set(uint64_t mask, cpu_set_t *set) {
    CPU_ZERO(set);
    for (int cpu = 0; cpu < 64; cpu++) {
        if (mask >> cpu & 1) CPU_SET(cpu, set);
    }
}

int millrace_set_affinity(uint64_t mask) {
    cpu_set_t set;
    mask_to_set(mask, &set);
    return sched_setaffinity(0, sizeof set, &set) == 0 ? 0 : -errno;
}

int millrace_set_thread_name(const char *name) {
    return -pthread_setname_np(pthread_self(), name);
}

int millrace_set_slice(uint64_t nanoseconds) {
    // The first layout of struct sched_attr, which older C libraries do not declare.
    struct {
        uint32_t size;
        uint32_t policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime;
        uint64_t deadline;
        uint64_t period;
    } attributes = {0};
    if (syscall(SYS_sched_getattr, 0, &attributes, (unsigned int)sizeof attributes, 0) != 0) {
        return -errno;
    }
    // With another policy the run time is no slice.
    if (attributes.policy != SCHED_OTHER) return 0;
    attributes.runtime = nanoseconds;
    return syscall(SYS_sched_setattr, 0, &attributes, 0) == 0 ? 0 : -errno;
}

int millrace_duplicate(int fd) {
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return copy >= 0 ? copy : -errno;
}

int millrace_event_descriptor(void) {
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return fd >= 0 ? fd : -errno;
}

int millrace_set_parent_death_signal(int signal, pid_t expected_parent) {
    if (prctl(PR_SET_PDEATHSIG, signal) != 0) return -errno;
    return getppid() == expected_parent ? 0 : -ESRCH;
}

int millrace_enter_network_namespace(void) {
    if (unshare(CLONE_NEWNET) != 0) return -errno;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    struct ifreq request;
    memset(&request, 0, sizeof request);
    strcpy(request.ifr_name, "lo");
    int result = ioctl(fd, SIOCGIFFLAGS, &request);
    if (result == 0) {
        request.ifr_flags |= IFF_UP;
        result = ioctl(fd, SIOCSIFFLAGS, &request);
    }
    int error = errno;
    close(fd);
    return result == 0 ? 0 : -error;
}

static int redirect(int fd, int target) {
    if (fd < 0) {
        fd = open("/dev/null", target == 0 ? O_RDONLY : O_WRONLY);
        if (fd < 0) return -1;
    }
    if (fd == target) {
        // dup2 onto itself would keep close-on-exec.
        int flags = fcntl(fd, F_GETFD);
        return flags < 0 ? -1 : fcntl(fd, F_SETFD, flags & ~FD_CLOEXEC);
    }
    return dup2(fd, target);
}

_Noreturn void millrace_become(
    const struct millrace_spawn_options *o, pid_t parent, int leads_group, int status) {
    int failed = 0;
    if (leads_group && setpgid(0, 0) != 0) failed = errno;
    if (!failed && o->parent_death_signal) {
        if (prctl(PR_SET_PDEATHSIG, o->parent_death_signal) != 0) failed = errno;
        else if (getppid() != parent) failed = ESRCH;
    }
    if (!failed && o->cpu_mask) {
        cpu_set_t set;
        mask_to_set(o->cpu_mask, &set);
        if (sched_setaffinity(0, sizeof set, &set) != 0) failed = errno;
    }
    if (!failed && o->network_namespace_fd > 0 &&
        setns(o->network_namespace_fd, CLONE_NEWNET) != 0)
        failed = errno;
    // Descriptors 0..2 may be each other's sources: lift them out of the way first.
    int in = o->stdin_fd, out = o->stdout_fd, err = o->stderr_fd;
    if (!failed && in >= 0 && in < 3) in = fcntl(in, F_DUPFD_CLOEXEC, 3);
    if (!failed && out >= 0 && out < 3) out = fcntl(out, F_DUPFD_CLOEXEC, 3);
    if (!failed && err >= 0 && err < 3) err = fcntl(err, F_DUPFD_CLOEXEC, 3);
    if (!failed && (redirect(in, 0) < 0 || redirect(out, 1) < 0 || redirect(err, 2) < 0))
        failed = errno;
    if (!failed && o->directory && chdir(o->directory) != 0) failed = errno;
    if (!failed && o->user &&
        (setgroups(0, 0) != 0 || setgid(o->group) != 0 || setuid(o->user) != 0))
        failed = errno;
    // The kernel forgets the parent-death signal when a process changes its user.
    if (!failed && o->user && o->parent_death_signal) {
        if (prctl(PR_SET_PDEATHSIG, o->parent_death_signal) != 0) failed = errno;
        else if (getppid() != parent) failed = ESRCH;
    }
    if (!failed) {
        execve(o->path, o->argv, o->envp);
        failed = errno;
    }
    ssize_t ignored = write(status, &failed, sizeof failed);
    (void)ignored;
    _exit(127);
}

int millrace_spawn(const struct millrace_spawn_options *o) {
    int status[2];
    if (pipe2(status, O_CLOEXEC) != 0) return -errno;
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        struct sigaction standard = {.sa_handler = SIG_DFL};
        for (int s = 1; s < NSIG; s++) sigaction(s, &standard, 0);
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, 0);
        if (o->keeper_grace_ms > 0) millrace_keep(o, parent, status[1]);
        millrace_become(o, parent, o->new_process_group, status[1]);
    }
    int fork_error = errno;
    pthread_sigmask(SIG_SETMASK, &old, 0);
    close(status[1]);
    if (pid < 0) {
        close(status[0]);
        return -fork_error;
    }
    int failed = 0;
    ssize_t n;
    do n = read(status[0], &failed, sizeof failed);
    while (n < 0 && errno == EINTR);
    close(status[0]);
    if (n != sizeof failed) return pid;
    // The child has told its failure and ends at once.
    while (waitpid(pid, 0, 0) < 0 && errno == EINTR) {}
    return -failed;
}

int millrace_outq(int fd, int *bytes) {
    return ioctl(fd, SIOCOUTQ, bytes) == 0 ? 0 : -errno;
}

int millrace_set_mmap_threshold(int bytes) {
    return mallopt(M_MMAP_THRESHOLD, bytes) ? 0 : -EINVAL;
}
