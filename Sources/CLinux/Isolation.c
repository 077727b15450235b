#define _GNU_SOURCE
#include "CLinux.h"
#include "Namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct step_message {
    int32_t step;
    int32_t value;
};

static int send_step(int control, int step, int value, int descriptor) {
    struct step_message message = {step, value};
    struct iovec part = {&message, sizeof message};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } extra;
    struct msghdr whole;
    memset(&whole, 0, sizeof whole);
    whole.msg_iov = &part;
    whole.msg_iovlen = 1;
    if (descriptor >= 0) {
        memset(&extra, 0, sizeof extra);
        whole.msg_control = extra.bytes;
        whole.msg_controllen = sizeof extra.bytes;
        struct cmsghdr *header = CMSG_FIRSTHDR(&whole);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
    }
    return sendmsg(control, &whole, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int millrace_read_step(int control, int *value, int *descriptor) {
    struct step_message message;
    struct iovec part = {&message, sizeof message};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } extra;
    struct msghdr whole;
    memset(&whole, 0, sizeof whole);
    whole.msg_iov = &part;
    whole.msg_iovlen = 1;
    whole.msg_control = extra.bytes;
    whole.msg_controllen = sizeof extra.bytes;
    *descriptor = -1;
    ssize_t n;
    do n = recvmsg(control, &whole, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0) return errno == ECONNRESET ? 0 : -errno;
    if (n != sizeof message) return 0;
    struct cmsghdr *header = CMSG_FIRSTHDR(&whole);
    if (header && header->cmsg_type == SCM_RIGHTS) {
        memcpy(descriptor, CMSG_DATA(header), sizeof *descriptor);
    }
    *value = message.value;
    return message.step;
}

_Noreturn static void give_up(int control, int step, int error) {
    send_step(control, step, error, -1);
    _exit(127);
}

/// Names its own view of processes and interfaces; where the system forbids that (a container in
/// a user namespace), the program sees the outer view.
static void mount_views(void) {
    if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, 0) != 0) return;
    mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, 0);
}

static int prepare(const struct millrace_isolation_options *o, int control) {
    if (mount(0, "/", 0, MS_REC | MS_PRIVATE, 0) != 0)
        give_up(control, MILLRACE_STEP_MOUNTS, errno);
    mount_views();
    if (o->resolv_conf && mount(o->resolv_conf, "/etc/resolv.conf", 0, MS_BIND, 0) != 0)
        give_up(control, MILLRACE_STEP_MOUNTS, errno);
    int tun = millrace_open_tun(o->tun_path, o->device);
    if (tun < 0) give_up(control, MILLRACE_STEP_TUN, -tun);
    int result = millrace_configure_interface("lo", 0x7F000001, 0xFF000000, 0);
    if (result == 0) result = millrace_configure_interface(o->device, o->address, o->mask, o->mtu);
    if (result == 0) result = millrace_add_route(o->device, 0, 0);
    if (result < 0) give_up(control, MILLRACE_STEP_INTERFACE, -result);
    return tun;
}

static void noted(int signal) { (void)signal; }

_Noreturn static void execute(
    const struct millrace_isolation_options *o, const sigset_t *mask, int report) {
    struct sigaction standard = {.sa_handler = SIG_DFL};
    for (int s = 1; s < NSIG; s++) {
        struct sigaction current;
        // What the caller ignores (nohup) stays ignored, but for SIGPIPE.
        if (s != SIGHUP || sigaction(s, 0, &current) != 0 || current.sa_handler != SIG_IGN)
            sigaction(s, &standard, 0);
    }
    sigprocmask(SIG_SETMASK, mask, 0);
    execve(o->path, o->argv, o->envp);
    int error = errno;
    ssize_t ignored = write(report, &error, sizeof error);
    (void)ignored;
    _exit(127);
}

/// The init process: passes signals on, reaps orphans, and ends with the program or the caller.
_Noreturn static void supervise(int control, pid_t program) {
    struct sigaction wake = {.sa_handler = noted};
    sigaction(SIGCHLD, &wake, 0);
    sigset_t waiting;
    sigfillset(&waiting);
    sigdelset(&waiting, SIGCHLD);
    for (;;) {
        int status;
        pid_t pid;
        while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
            if (pid != program) continue;
            send_step(control, MILLRACE_STEP_ENDED, status, -1);
            _exit(0);
        }
        struct pollfd event = {.fd = control, .events = POLLIN};
        if (ppoll(&event, 1, 0, &waiting) <= 0) continue;
        unsigned char number;
        if (recv(control, &number, 1, 0) <= 0) _exit(0);
        kill(program, number);
    }
}

_Noreturn static void isolated(
    const struct millrace_isolation_options *o, int control, const sigset_t *mask) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) give_up(control, MILLRACE_STEP_NAMESPACES, errno);
    int tun = prepare(o, control);
    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0) give_up(control, MILLRACE_STEP_EXECUTE, errno);
    if (send_step(control, MILLRACE_STEP_READY, 0, tun) < 0) _exit(127);
    close(tun);
    // The program starts when the caller is ready to forward, and not at all where it is gone.
    unsigned char go;
    if (recv(control, &go, 1, 0) <= 0) _exit(0);
    pid_t program = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (program == 0) execute(o, mask, report[1]);
    if (program < 0) give_up(control, MILLRACE_STEP_EXECUTE, errno);
    close(report[1]);
    int error;
    ssize_t n;
    do n = read(report[0], &error, sizeof error);
    while (n < 0 && errno == EINTR);
    close(report[0]);
    if (n == sizeof error) give_up(control, MILLRACE_STEP_EXECUTE, error);
    supervise(control, program);
}

int millrace_spawn_isolated(
    const struct millrace_isolation_options *options, struct millrace_isolated *result) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return -errno;
    int flags = CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWNS | SIGCHLD;
    sigset_t all, old, program_mask;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    // The program gets the caller's mask less what the caller reads from a descriptor.
    program_mask = old;
    const int handled[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    for (int i = 0; i < 4; i++) sigdelset(&program_mask, handled[i]);
    pid_t pid = (pid_t)syscall(SYS_clone, flags, 0, 0, 0, 0);
    if (pid == 0) {
        close(ends[0]);
        isolated(options, ends[1], &program_mask);
    }
    int error = errno;
    pthread_sigmask(SIG_SETMASK, &old, 0);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return -error;
    }
    result->pid = pid;
    result->control = ends[0];
    return 0;
}
