#define _GNU_SOURCE
#include "Namespaces.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/route.h>
#include <sched.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define MILLRACE_DEVICE_QUEUE 20000

static int write_file(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return -errno;
    ssize_t written = write(fd, text, strlen(text));
    int error = errno;
    close(fd);
    return written < 0 ? -error : 0;
}

int millrace_enter_user_namespace(void) {
    char uid[64], gid[64];
    snprintf(uid, sizeof uid, "0 %u 1", geteuid());
    snprintf(gid, sizeof gid, "0 %u 1", getegid());
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) return -errno;
    int result = write_file("/proc/self/setgroups", "deny");
    if (result == 0) result = write_file("/proc/self/uid_map", uid);
    if (result == 0) result = write_file("/proc/self/gid_map", gid);
    return result;
}

int millrace_set_network_namespace(int fd) { return setns(fd, CLONE_NEWNET) == 0 ? 0 : -errno; }

int millrace_open_tun(const char *path, const char *name) {
    int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return -errno;
    struct ifreq request;
    memset(&request, 0, sizeof request);
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    if (ioctl(fd, TUNSETIFF, &request) == 0) return fd;
    int error = errno;
    close(fd);
    return -error;
}

static void set_address(struct sockaddr *target, uint32_t address) {
    struct sockaddr_in value;
    memset(&value, 0, sizeof value);
    value.sin_family = AF_INET;
    value.sin_addr.s_addr = htonl(address);
    memcpy(target, &value, sizeof value);
}

int millrace_configure_interface(const char *name, uint32_t address, uint32_t mask, int mtu) {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    struct ifreq request;
    memset(&request, 0, sizeof request);
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    set_address(&request.ifr_addr, address);
    int result = ioctl(fd, SIOCSIFADDR, &request);
    if (result == 0) {
        set_address(&request.ifr_netmask, mask);
        result = ioctl(fd, SIOCSIFNETMASK, &request);
    }
    if (result == 0 && mtu > 0) {
        request.ifr_mtu = mtu;
        result = ioctl(fd, SIOCSIFMTU, &request);
        if (result == 0) {
            // A burst waits here until the shell reads it: it is the model's queue that drops.
            request.ifr_qlen = MILLRACE_DEVICE_QUEUE;
            result = ioctl(fd, SIOCSIFTXQLEN, &request);
        }
    }
    if (result == 0) result = ioctl(fd, SIOCGIFFLAGS, &request);
    if (result == 0) {
        request.ifr_flags |= IFF_UP;
        result = ioctl(fd, SIOCSIFFLAGS, &request);
    }
    int error = errno;
    close(fd);
    return result == 0 ? 0 : -error;
}

int millrace_add_route(const char *device, uint32_t prefix, uint32_t mask) {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    struct rtentry route;
    memset(&route, 0, sizeof route);
    set_address(&route.rt_dst, prefix);
    set_address(&route.rt_genmask, mask);
    set_address(&route.rt_gateway, 0);
    route.rt_flags = RTF_UP;
    route.rt_dev = (char *)device;
    int result = ioctl(fd, SIOCADDRT, &route);
    int error = errno;
    close(fd);
    return result == 0 ? 0 : -error;
}

int millrace_poll(void *entries, int count, int64_t nanoseconds) {
    struct timespec time = {nanoseconds / 1000000000, nanoseconds % 1000000000};
    int ready = ppoll(entries, (nfds_t)count, &time, 0);
    return ready >= 0 ? ready : -errno;
}

int millrace_set_timer_slack(unsigned long nanoseconds) {
    return prctl(PR_SET_TIMERSLACK, nanoseconds) == 0 ? 0 : -errno;
}

int millrace_set_realtime(void) {
    struct sched_param parameters = {.sched_priority = 1};
    return sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &parameters) == 0 ? 0 : -errno;
}

int millrace_signal_descriptor(const int *signals, int count) {
    sigset_t set;
    sigemptyset(&set);
    for (int i = 0; i < count; i++) sigaddset(&set, signals[i]);
    int error = pthread_sigmask(SIG_BLOCK, &set, 0);
    if (error != 0) return -error;
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return fd >= 0 ? fd : -errno;
}

int millrace_read_signal(int fd, int *from_terminal) {
    struct signalfd_siginfo info;
    ssize_t n = read(fd, &info, sizeof info);
    if (n < 0) return -errno;
    *from_terminal = info.ssi_code == SI_KERNEL;
    return (int)info.ssi_signo;
}
