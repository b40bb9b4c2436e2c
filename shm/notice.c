#include "shm/env.h"
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int notice_send(int sock, const struct notice *n, int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct notice copy; /* struct iovec takes no pointer to const */
	size_t text = strnlen(n->text, sizeof n->text - 1), size = offsetof(struct notice, text) + text + 1;
	memcpy(&copy, n, size - 1);
	copy.text[text] = 0;
	struct iovec piece = { .iov_base = &copy, .iov_len = size };
	struct msghdr m = { .msg_iov = &piece, .msg_iovlen = 1 };
	if (fd >= 0) {
		m.msg_control = &control;
		m.msg_controllen = sizeof control;
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(c), &fd, sizeof fd);
	}
	ssize_t r;
	do
		r = sendmsg(sock, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

/* the first descriptor that came along; further ones are closed */
static int take_descriptor(struct msghdr *m)
{
	int fd = -1;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = 0; at + sizeof(int) <= c->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
			int other;
			memcpy(&other, CMSG_DATA(c) + at, sizeof other);
			if (fd < 0)
				fd = other;
			else
				close(other);
		}
	}
	return fd;
}

int notice_receive(int sock, struct notice *ret_notice, int *ret_fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec piece = { .iov_base = ret_notice, .iov_len = sizeof *ret_notice };
	struct msghdr m = {
		.msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
	};
	ssize_t n;
	do
		n = recvmsg(sock, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? -errno : -ECONNRESET;
	int fd = take_descriptor(&m);
	if ((size_t)n < offsetof(struct notice, text) || (m.msg_flags & MSG_TRUNC)) {
		if (fd >= 0)
			close(fd);
		return -EPROTO;
	}
	size_t text = (size_t)n - offsetof(struct notice, text);
	ret_notice->text[text < sizeof ret_notice->text ? text : sizeof ret_notice->text - 1] = 0;
	*ret_fd = fd;
	return 0;
}
