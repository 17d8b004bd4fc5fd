/*
 * Preloaded into a program: writes down every message that it sends to a netlink socket and every
 * value that it writes to a sysctl, in order, and sends them on. Built by spec/trace.lua.
 *
 *   TRACE_ALONE=1  leaves alone the programs that this one starts
 *   TRACE_FILE=f   the file to append to; one line for each send or write:
 *
 *   netlink PID PROTOCOL LINKS NAMESPACES HEX
 *   sysctl PID PATH HEX
 *
 * LINKS are the links of the socket's namespace at that moment, INDEX=NAME/ADDRESS, and NAMESPACES
 * the descriptors that are network namespaces, FD=INODE, both separated by commas: the numbers in a
 * message are the kernel's choice and mean nothing to a reader.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
	LAST_INDEX = 128,
	LAST_FD = 64,
	LINE_BYTES = 512 << 10
};

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

struct line {
	char *text;
	size_t length;
};

#define PUT(line, ...)                                                                             \
	((line)->length += (size_t)snprintf((line)->text + (line)->length,                         \
					    LINE_BYTES - (line)->length, __VA_ARGS__))

__attribute__((constructor)) static void leave_alone(void)
{
	if (getenv("TRACE_ALONE"))
		unsetenv("LD_PRELOAD");
}

static void put_hex(struct line *line, const unsigned char *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		PUT(line, "%02x", bytes[i]);
}

static void begin(struct line *line, const char *word)
{
	line->text = malloc(LINE_BYTES);
	if (!line->text)
		abort();
	line->length = 0;
	PUT(line, "%s %d ", word, (int)getpid());
}

/* In one write, so that lines of several processes do not mix. */
static void end(struct line *line)
{
	int fd = (int)syscall(SYS_openat, AT_FDCWD, getenv("TRACE_FILE"),
			      O_WRONLY | O_APPEND | O_CLOEXEC, 0);
	PUT(line, "\n");
	if (line->length >= LINE_BYTES ||
	    syscall(SYS_write, fd, line->text, line->length) != (long)line->length)
		abort();
	syscall(SYS_close, fd);
	free(line->text);
}

/* Any socket answers these, for the namespace that it is of. */
static void put_links(struct line *line, int fd)
{
	size_t before = line->length;
	struct ifreq request;
	for (int i = 1; i <= LAST_INDEX; i++) {
		request.ifr_ifindex = i;
		if (ioctl(fd, SIOCGIFNAME, &request) < 0)
			continue;
		PUT(line, "%s%d=%s/", line->length > before ? "," : "", i, request.ifr_name);
		if (ioctl(fd, SIOCGIFHWADDR, &request) == 0)
			put_hex(line, (unsigned char *)request.ifr_hwaddr.sa_data, 6);
	}
	PUT(line, line->length > before ? " " : "- ");
}

static void put_namespaces(struct line *line)
{
	size_t before = line->length;
	for (int fd = 0; fd < LAST_FD; fd++) {
		char path[32], target[64];
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		ssize_t n = readlink(path, target, sizeof(target) - 1);
		struct stat found;
		/* "net:[INODE]", or the path that it is mounted on */
		if (n > 0 && fstat(fd, &found) == 0 && S_ISREG(found.st_mode) &&
		    syscall(SYS_ioctl, fd, 0xb703 /* NS_GET_NSTYPE */) ==
			    0x40000000 /* CLONE_NEWNET */)
			PUT(line, "%s%d=%lu", line->length > before ? "," : "", fd,
			    (unsigned long)found.st_ino);
	}
	PUT(line, line->length > before ? " " : "- ");
}

static int is_netlink(int fd, int *protocol)
{
	int domain = 0;
	socklen_t size = sizeof(int);
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0 || domain != AF_NETLINK)
		return 0;
	size = sizeof(int);
	return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, protocol, &size) == 0;
}

static void trace_send(int fd, const struct iovec *parts, size_t count)
{
	int protocol, error = errno;
	struct line line;
	if (getenv("TRACE_FILE") && is_netlink(fd, &protocol)) {
		begin(&line, "netlink");
		PUT(&line, "%d ", protocol);
		put_links(&line, fd);
		put_namespaces(&line);
		for (size_t i = 0; i < count; i++)
			put_hex(&line, parts[i].iov_base, parts[i].iov_len);
		end(&line);
	}
	errno = error;
}

static void trace_write(int fd, const void *data, size_t size)
{
	int error = errno;
	char path[32], target[256] = "";
	struct line line;
	struct iovec part = {.iov_base = (void *)data, .iov_len = size};
	trace_send(fd, &part, 1);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ssize_t n = getenv("TRACE_FILE") ? readlink(path, target, sizeof(target) - 1) : -1;
	if (n > 0 && strncmp(target, "/proc/sys/", 10) == 0) {
		begin(&line, "sysctl");
		PUT(&line, "%s ", target + 10);
		put_hex(&line, data, size);
		end(&line);
	}
	errno = error;
}

ssize_t send(int fd, const void *data, size_t size, int flags)
{
	struct iovec part = {.iov_base = (void *)data, .iov_len = size};
	trace_send(fd, &part, 1);
	return NEXT(send)(fd, data, size, flags);
}

ssize_t sendto(int fd, const void *data, size_t size, int flags, __CONST_SOCKADDR_ARG to,
	       socklen_t length)
{
	struct iovec part = {.iov_base = (void *)data, .iov_len = size};
	trace_send(fd, &part, 1);
	return NEXT(sendto)(fd, data, size, flags, to, length);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	trace_send(fd, message->msg_iov, message->msg_iovlen);
	return NEXT(sendmsg)(fd, message, flags);
}

int sendmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags)
{
	for (unsigned int i = 0; i < count; i++)
		trace_send(fd, messages[i].msg_hdr.msg_iov, messages[i].msg_hdr.msg_iovlen);
	return NEXT(sendmmsg)(fd, messages, count, flags);
}

ssize_t write(int fd, const void *data, size_t size)
{
	trace_write(fd, data, size);
	return NEXT(write)(fd, data, size);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
	trace_send(fd, parts, (size_t)count);
	return NEXT(writev)(fd, parts, count);
}
