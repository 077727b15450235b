// What Swift cannot call itself: variadic or macro-only Linux interfaces, and a fork+exec that
// binds a child to its parent. Every function returns a value >= 0, or -errno.
#ifndef MILLRACE_CLINUX_H
#define MILLRACE_CLINUX_H

#include <stdint.h>
#include <sys/epoll.h>
#include <sys/types.h>

#include "Namespaces.h"

/// How `millrace_spawn` starts a child. A descriptor of -1 means /dev/null.
struct millrace_spawn_options {
    const char *path;
    char *const *argv;
    char *const *envp;
    int stdin_fd;
    int stdout_fd;
    int stderr_fd;
    /// CPUs the child may run on, bit i = CPU i; 0 = no restriction.
    uint64_t cpu_mask;
    /// Signal sent to the child when the forking THREAD exits: fork from a thread that lives on.
    int parent_death_signal;
    /// 1: the child leads a process group of its own.
    int new_process_group;
    /// Descriptor of the network namespace that the child enters; 0 or less = the parent's.
    int network_namespace_fd;
    /// User and group that the child becomes, without further groups; user 0 = the parent's.
    uid_t user;
    gid_t group;
    /// Working directory of the child; NULL = the parent's.
    const char *directory;
    /// More than 0: the child is a keeper that starts the program, ends with the program's last
    /// descendant and takes standard input (Keeper.c). Its descendants have so many milliseconds
    /// to end after SIGTERM.
    int keeper_grace_ms;
};

/// Forks and executes; only async-signal-safe calls happen in between. Returns the pid.
int millrace_spawn(const struct millrace_spawn_options *options);

/// Restricts the calling thread (and threads it starts later) to the CPUs in `mask`.
int millrace_set_affinity(uint64_t mask);

/// Names the calling thread (15 bytes at most).
int millrace_set_thread_name(const char *name);

/// Asks the scheduler for slices of this length, nanoseconds (0.1 to 100 ms), for the calling thread.
/// Linux 6.12 and later heed it. It needs no privilege, and leaves a real-time thread as it is.
int millrace_set_slice(uint64_t nanoseconds);

/// prctl(PR_SET_PDEATHSIG), then fails with -ESRCH where the parent is already gone.
int millrace_set_parent_death_signal(int signal, pid_t expected_parent);

/// Moves the calling thread into a new network namespace and brings its loopback up.
int millrace_enter_network_namespace(void);

/// A second descriptor of the same socket, closed on exec; or -errno.
int millrace_duplicate(int fd);

/// An eventfd, non-blocking and closed on exec; or -errno.
int millrace_event_descriptor(void);

/// Bytes that a TCP socket has not yet had acknowledged (SIOCOUTQ); 0, or -errno.
int millrace_outq(int fd, int *bytes);

/// mallopt(M_MMAP_THRESHOLD): blocks of so many bytes and more go back to the system once freed.
int millrace_set_mmap_threshold(int bytes);

/// Opens a packet socket that sends Ethernet frames on an interface of the calling thread's network
/// namespace and receives none; or -errno.
int millrace_open_frame_sender(const char *interface);

/// Sends `count` frames, 64 at most, that begin `stride` bytes apart and have these lengths in
/// bytes. Returns how many the kernel took, or -errno.
int millrace_send_frames(
    int fd, const void *frames, int stride, const uint16_t *lengths, int count);

extern const int millrace_TCP_MAXSEG;
extern const int millrace_TCP_CONGESTION;
extern const int millrace_TCP_NODELAY;
extern const int millrace_SO_RCVLOWAT;

#endif
