// Network namespaces, TUN devices and the program that runs behind an emulated link. Every function
// returns a value >= 0, or -errno. Addresses and masks are IPv4 in host byte order.
#ifndef MILLRACE_NAMESPACES_H
#define MILLRACE_NAMESPACES_H

#include <stdint.h>
#include <sys/types.h>

/// Moves the calling process, which must have one thread, into a new user and network namespace in
/// which it keeps its user and group but may administer the network.
int millrace_enter_user_namespace(void);

/// Moves the calling thread into the network namespace of a descriptor.
int millrace_set_network_namespace(int fd);

/// Opens a TUN device (IP packets, no header, non-blocking, close-on-exec) in the calling thread's
/// network namespace. It goes away with its descriptor. -EBUSY where another process has the name.
int millrace_open_tun(const char *path, const char *name);

/// Gives an interface an address, sets the MTU where it is not 0 and brings it up.
int millrace_configure_interface(const char *name, uint32_t address, uint32_t mask, int mtu);

/// Routes a prefix through a device without a gateway.
int millrace_add_route(const char *device, uint32_t prefix, uint32_t mask);

/// ppoll on an array of struct pollfd, with a timeout in nanoseconds, 0 or more.
int millrace_poll(void *entries, int count, int64_t nanoseconds);

/// Sets how late timers of the calling thread may be, nanoseconds; 1 is the least.
int millrace_set_timer_slack(unsigned long nanoseconds);

/// Lets the calling thread run before all that are not real-time (SCHED_FIFO, priority 1).
int millrace_set_realtime(void);

/// A descriptor from which the given signals are read instead of being delivered. Blocks them for
/// the calling thread: call before there are others.
int millrace_signal_descriptor(const int *signals, int count);

/// The next signal of such a descriptor; *from_terminal tells whether the terminal sent it (to the
/// whole foreground process group). -EAGAIN where there is none.
int millrace_read_signal(int fd, int *from_terminal);

/// The steps of `millrace_spawn_isolated`, and the messages of its control socket.
enum millrace_isolation_step {
    MILLRACE_STEP_NAMESPACES = 1,
    MILLRACE_STEP_MOUNTS,
    MILLRACE_STEP_TUN,
    MILLRACE_STEP_INTERFACE,
    MILLRACE_STEP_EXECUTE,
    /// The device exists; its descriptor comes along.
    MILLRACE_STEP_READY,
    /// The value is the program's wait status.
    MILLRACE_STEP_ENDED,
};

struct millrace_isolation_options {
    const char *path;
    char *const *argv;
    char *const *envp;
    const char *tun_path;
    const char *device;
    uint32_t address;
    uint32_t mask;
    int mtu;
    /// Takes the place of /etc/resolv.conf; NULL leaves it.
    const char *resolv_conf;
};

struct millrace_isolated {
    /// The init process of the program's PID namespace: when it ends, everything in there does.
    pid_t pid;
    /// A socket: reads `millrace_read_step` messages; a byte written is a signal for the program.
    int control;
};

/// Starts a program in new network, PID and mount namespaces with a TUN device as its default
/// route. All of it dies with the calling thread.
int millrace_spawn_isolated(
    const struct millrace_isolation_options *options, struct millrace_isolated *result);

/// The next message of the control socket: returns a step (0 at its end), sets its value (an errno,
/// or a wait status) and the descriptor that came along, or -1. Blocks until there is one.
int millrace_read_step(int control, int *value, int *descriptor);

#endif
