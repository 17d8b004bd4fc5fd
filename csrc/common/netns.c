/*
 * Opens network namespaces and calls functions in them.
 *
 * setns(2) moves one thread, and the host program must find it in its own namespace afterwards: the
 * function is C that raises no Lua error, signals are blocked meanwhile, and a process that may not
 * return to its namespace uses another thread.
 */
#define _GNU_SOURCE
#include "common/netns.h"

#include "common/io.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/export.h"

enum {
	NETNS_PATH_SIZE = 4096,
	THREAD_STACK = 128 * 1024, /* netlink receive buffers live elsewhere; glibc needs some */
};

struct job {
	int nsfd;
	int (*fn)(void *);
	void *arg;
	int result;
	int error;
};

/* Writes the path of `ref`. A name that would leave /run/netns is an error. */
static int netns_path(const char *ref, char *path, size_t size)
{
	const char *form = "/run/netns/%s";
	int n;

	if (ref[0] == '\0' || !strcmp(ref, ".") || !strcmp(ref, "..")) {
		errno = EINVAL;
		return -1;
	}
	if (strchr(ref, '/'))
		form = "%s";
	else if (ref[strspn(ref, "0123456789")] == '\0')
		form = "/proc/%s/ns/net";
		/* gcc cannot see that each of the three formats takes exactly one string */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	n = snprintf(path, size, form, ref);
#pragma GCC diagnostic pop
	if (n < 0 || (size_t)n >= size) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return 0;
}

/* Whether the file is a network namespace, checked before a thread is started. */
static int netns_check(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return -1;
	if (fs.f_type != NSFS_MAGIC && fs.f_type != PROC_SUPER_MAGIC) {
		errno = EINVAL;
		return -1;
	}
	/* an uts or mount namespace is nsfs too; procfs files that are no namespace give ENOTTY */
	if (ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET) {
		errno = EINVAL;
		return -1;
	}
	return 0;
}

int netns_open(const char *ref)
{
	char path[NETNS_PATH_SIZE];
	int fd;

	if (netns_path(ref, path, sizeof(path)) < 0)
		return -1;
	/* O_NONBLOCK: `ref` may name a fifo, and opening one waits for its other end */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -1;
	if (netns_check(fd) < 0) {
		return close_keeping_errno(fd, -1);
	}
	return fd;
}

static void *job_run(void *arg)
{
	struct job *job = arg;

	if (setns(job->nsfd, CLONE_NEWNET) < 0) {
		job->error = errno;
		return NULL;
	}
	errno = 0;
	job->result = job->fn(job->arg);
	job->error = errno;
	return NULL;
}

/* Blocks signals in the thread: handlers run in the threads of the host program. */
static int job_start(pthread_t *thread, struct job *job)
{
	sigset_t all, before;
	pthread_attr_t attr;
	int error;

	error = pthread_attr_init(&attr);
	if (error)
		return error;
	pthread_attr_setstacksize(&attr, THREAD_STACK);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(thread, &attr, job_run, job);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return error;
}

static bool is_here(int nsfd)
{
	struct stat there, here;

	return fstat(nsfd, &there) == 0 && stat("/proc/thread-self/ns/net", &here) == 0 &&
	       there.st_dev == here.st_dev && there.st_ino == here.st_ino;
}

static int send_thread(int nsfd, int (*fn)(void *), void *arg)
{
	struct job job = {.nsfd = nsfd, .fn = fn, .arg = arg, .result = -1};
	pthread_t thread;
	int error = job_start(&thread, &job);

	if (!error) {
		pthread_join(thread, NULL);
		error = job.error;
	}
	errno = error;
	return job.result;
}

/* Whether the process may return: it may if it may enter the namespace it is in. */
static bool may_return(int here)
{
	return here >= 0 && setns(here, CLONE_NEWNET) == 0;
}

/* Only after may_return(), so that the way back cannot fail. */
static int go_and_return(int here, int nsfd, int (*fn)(void *), void *arg)
{
	struct job job = {.nsfd = nsfd, .fn = fn, .arg = arg, .result = -1};
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	job_run(&job);
	if (setns(here, CLONE_NEWNET) < 0)
		abort();
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = job.error;
	return job.result;
}

/* Without a thread where possible: it costs as much as ten system calls. */
static int visit(int nsfd, int (*fn)(void *), void *arg)
{
	int here = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	int result;

	if (may_return(here))
		result = go_and_return(here, nsfd, fn, arg);
	else
		result = send_thread(nsfd, fn, arg);
	return close_keeping_errno(here, result);
}

/* In the current namespace without setns(2), which needs a privilege. */
int netns_call(int nsfd, int (*fn)(void *), void *arg)
{
	return is_here(nsfd) ? fn(arg) : visit(nsfd, fn, arg);
}

static int leave_for_new(void *arg)
{
	(void)arg;
	if (unshare(CLONE_NEWNET) < 0)
		return -1;
	return open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
}

int netns_new(void)
{
	int here = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	return here < 0 ? -1 : close_keeping_errno(here, visit(here, leave_for_new, NULL));
}
