/*
 * A child process: shared by spawn.c (options), child.c (start and end) and capture.c (output).
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
	pid_t pid; /* 0: none, or already waited for */
	int pidfd;
	bool group; /* it leads a process group of its own */
	int pipe[STREAMS];
	int stdio[3]; /* of the child; -1: the caller's own */
};

/* The program to run: pointers into Lua strings that the options table keeps. */
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

/* [] -> [child]: killed, reaped and closed when the calling C function returns or raises. */
struct child *child_new(lua_State *L);

/* Opens what its 0, 1, 2 will be; `input` may be NULL. Returns 0, or -1 with errno set. */
int child_streams(const struct order *order, const char *input, size_t len, bool capture);

/* Starts it and closes its ends of the pipes. Returns 0, or -1 with errno set. */
int child_start(struct order *order);

void child_kill(const struct child *child);

/* Returns the status as waitpid(2) gives it, or -1 with errno set. */
int child_reap(struct child *child);

/* [] -> [result], or as sys_fail: waits for its end or deadline and collects its output. */
int child_finish(lua_State *L, struct order *order, size_t limit);

#endif
