/*
 * Network namespaces by reference, shared by ecmp.sys and ecmp.rtnl.
 */
#ifndef ECMP_NETNS_H
#define ECMP_NETNS_H

#include <stdbool.h>

/*
 * Opens a network namespace. `ref` is a path (anything with a slash), a decimal pid, or a name
 * under /run/netns. Returns a close-on-exec descriptor, or -1 with errno set; EINVAL when `ref` is
 * there but is no network namespace.
 */
int netns_open(const char *ref);

/* Whether the calling thread is in that namespace. */
bool netns_is_here(int nsfd);

/* Makes a namespace that lives as long as the descriptor returned; -1 with errno set. */
int netns_new(void);

/*
 * Runs fn(arg) in a fresh thread that has moved into the namespace `nsfd` and returns what fn
 * returned, with the errno it left. The calling thread never moves. Returns -1 with errno set when
 * there is no thread to be had or the namespace may not be entered; fn has not run then.
 * fn must not touch a Lua state.
 */
int netns_call(int nsfd, int (*fn)(void *), void *arg);

#endif
