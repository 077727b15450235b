// Sending of prepared Ethernet frames, for the bench of the capture.
#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FRAMES_AT_ONCE 64

int millrace_open_frame_sender(const char *interface) {
    unsigned index = if_nametoindex(interface);
    if (index == 0) return -errno;
    // With protocol 0 the socket receives nothing.
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    struct sockaddr_ll address;
    memset(&address, 0, sizeof address);
    address.sll_family = AF_PACKET;
    address.sll_ifindex = (int)index;
    if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
    int error = errno;
    close(fd);
    return -error;
}

int millrace_send_frames(
    int fd, const void *frames, int stride, const uint16_t *lengths, int count) {
    struct mmsghdr messages[FRAMES_AT_ONCE];
    struct iovec parts[FRAMES_AT_ONCE];
    if (count > FRAMES_AT_ONCE) count = FRAMES_AT_ONCE;
    if (count < 0 || stride < 0) return -EINVAL;
    memset(messages, 0, sizeof messages[0] * (size_t)count);
    for (int i = 0; i < count; i++) {
        parts[i].iov_base = (char *)frames + (size_t)i * (size_t)stride;
        parts[i].iov_len = lengths[i];
        messages[i].msg_hdr.msg_iov = &parts[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    int sent = sendmmsg(fd, messages, (unsigned)count, 0);
    return sent < 0 ? -errno : sent;
}
