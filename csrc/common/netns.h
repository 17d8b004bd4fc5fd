/*
 * Network namespaces by reference, shared by ecmp.sys and ecmp.rtnl.
 */
#ifndef ECMP_NETNS_H
#define ECMP_NETNS_H

/*
 * Opens a network namespace. `ref` is a path (anything with a slash), a decimal pid, or a name
 * under /run/netns. Returns a close-on-exec descriptor, or -1 with errno set; EINVAL when `ref` is
 * there but is no network namespace.
 */
int netns_open(const char *ref);

/* Makes a namespace that lives as long as the descriptor returned; -1 with errno set. */
int netns_new(void);

/*
 * Runs fn(arg) in the namespace `nsfd` and returns what fn returned, with the errno it left. The
 * calling thread is back where it was by then, or has never moved. Returns -1 with errno set when
 * the namespace may not be entered, or no thread is to be had where one is needed; fn has not run
 * then. fn must not touch a Lua state.
 */
int netns_call(int nsfd, int (*fn)(void *), void *arg);

#endif
