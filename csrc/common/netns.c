/*
 * Finding a network namespace and running something in it.
 *
 * setns(2) moves one thread. A program that hosts a Lua state must find its own namespace unchanged
 * whatever happens in between: what runs inside is C that cannot throw, no signal is taken there,
 * and who could not come back sends a thread that ends with the job.
 */
#define _GNU_SOURCE
#include "common/netns.h"

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

/* Writes the path that `ref` means. A name that would leave /run/netns is refused. */
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

/* Any file opens, but only a namespace may be entered: say so before a thread is started. */
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
	int fd, error;

	if (netns_path(ref, path, sizeof(path)) < 0)
		return -1;
	/* O_NONBLOCK: `ref` may name a fifo, and opening one waits for its other end */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -1;
	if (netns_check(fd) < 0) {
		error = errno;
		close(fd);
		errno = error;
		return -1;
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

/* The thread takes no signals: handlers belong to the threads of the host program. */
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

/* Who may enter the namespace in which it is may come back to it. */
static bool comes_back(int here)
{
	return here >= 0 && setns(here, CLONE_NEWNET) == 0;
}

/* The kernel denies the way back to nobody whom comes_back() has asked. */
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

/* A thread costs as much as ten system calls, and on a busy machine has to wait for its turn. */
static int visit(int nsfd, int (*fn)(void *), void *arg)
{
	int here = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	int result, error;

	if (comes_back(here))
		result = go_and_return(here, nsfd, fn, arg);
	else
		result = send_thread(nsfd, fn, arg);
	error = errno;
	if (here >= 0)
		close(here);
	errno = error;
	return result;
}

/* Where one is already, one needs no leave to be. */
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
	int fd, error;

	if (here < 0)
		return -1;
	fd = visit(here, leave_for_new, NULL);
	error = errno;
	close(here);
	errno = error;
	return fd;
}
