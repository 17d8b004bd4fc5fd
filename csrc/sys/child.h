/*
 * A child process between the files that start one, listen to it, and tell a script of it.
 */
#ifndef ECMP_SYS_CHILD_H
#define ECMP_SYS_CHILD_H

#include "sys/sys.h"

enum {
	OUT,
	ERR,
	STREAMS
};

struct child {
	pid_t pid; /* 0 when there is none, or it has been waited for */
	int pidfd;
	bool group; /* it leads a process group of its own */
	int pipe[STREAMS];
	int stdio[3]; /* what the child gets; -1 means the caller's own */
};

/* What is to be run: pointers into Lua strings that the options table keeps. */
struct order {
	char **argv;
	char **envp;
	int nsfd;
	bool inherit, detach;
	double deadline;
	struct child *child;
};

/* Closes a descriptor, where there is one. */
void close_one(int *fd);

/* [] -> [child]: killed, reaped and closed when the calling C function ends, by whatever way. */
struct child *child_new(lua_State *L);

/* Opens what its 0, 1, 2 will be; `input` may be NULL. Returns 0, or -1 with errno set. */
int child_streams(const struct order *order, const char *input, size_t len, bool capture);

/* Starts it and closes what is its alone. Returns 0, or -1 with errno set when it, or its program,
 * cannot be. */
int child_start(struct order *order);

void child_kill(const struct child *child);

/* Returns the status as waitpid(2) gives it, or -1 with errno set. */
int child_reap(struct child *child);

/* [] -> [result], or as sys_fail: follows it to its end or deadline, keeping what it writes. */
int child_finish(lua_State *L, struct order *order, size_t limit);

#endif
