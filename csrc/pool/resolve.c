/*
 * Resolves names with a deadline. getaddrinfo has none, so it runs in a thread, which is abandoned
 * at the deadline.
 */
#define _GNU_SOURCE
#include "pool/pool.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/export.h"

/* Shared by both threads; the last to release it frees it. */
struct job {
	atomic_int owners;
	int done; /* an eventfd */
	int error;
	struct addrinfo *found;
	char *host, *port;
};

static const struct addrinfo stream = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};

static void job_release(struct job *job)
{
	if (atomic_fetch_sub(&job->owners, 1) > 1)
		return;
	if (job->found)
		freeaddrinfo(job->found);
	if (job->done >= 0)
		close(job->done);
	free(job->host);
	free(job->port);
	free(job);
}

static void *job_run(void *arg)
{
	struct job *job = arg;

	job->error = getaddrinfo(job->host, job->port, &stream, &job->found);
	eventfd_write(job->done, 1);
	job_release(job);
	return NULL;
}

static struct job *job_new(const char *host, const char *port)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	atomic_init(&job->owners, 1);
	job->done = eventfd(0, EFD_CLOEXEC);
	job->host = strdup(host);
	job->port = strdup(port);
	if (job->done >= 0 && job->host && job->port)
		return job;
	job_release(job);
	return NULL;
}

/* With all signals blocked in the thread: they are the host program's. */
static int job_start(struct job *job)
{
	sigset_t all, before;
	pthread_t thread;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	atomic_store(&job->owners, 2);
	error = pthread_create(&thread, NULL, job_run, job);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error)
		atomic_store(&job->owners, 1);
	else
		pthread_detach(thread);
	return error;
}

/* EAI_AGAIN at the deadline. */
static int job_wait(struct connection *c, struct job *job, struct addrinfo **found)
{
	struct pollfd item = {.fd = job->done, .events = POLLIN};
	int n, left;

	do {
		left = clock_remaining(c->deadline);
		n = left > 0 ? poll(&item, 1, left) : 0;
	} while ((n < 0 && errno == EINTR) || (n == 0 && left > 0));
	if (n <= 0)
		return EAI_AGAIN;
	*found = job->found;
	job->found = NULL;
	return job->error;
}

int pool_resolve(struct connection *c, const char *host, const char *port, struct addrinfo **found)
{
	struct addrinfo numeric = stream;
	struct job *job;
	int error;

	numeric.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
	if (getaddrinfo(host, port, &numeric, found) == 0)
		return 0;
	job = job_new(host, port);
	if (!job)
		return EAI_MEMORY;
	error = job_start(job) ? EAI_MEMORY : job_wait(c, job, found);
	job_release(job);
	return error;
}
