/*
 * Installs a seccomp filter, so that even a script that breaks out of Lua reaches no file, process
 * or socket. Its Lua environment has no function for that either.
 */
#define _GNU_SOURCE
#include "sandbox/sandbox.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "common/export.h"

#if defined(__x86_64__)
#define THIS_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define THIS_ARCH AUDIT_ARCH_AARCH64
#endif

#ifdef THIS_ARCH

#define LOAD(field)   BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(what)  BPF_STMT(BPF_RET | BPF_K, what)
#define ALLOW(number) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), RETURN(SECCOMP_RET_ALLOW)

/* System calls of the allocator, of messages, and of exit; all others fail with EPERM. */
static const struct sock_filter rules[] = {
	LOAD(arch),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, THIS_ARCH, 1, 0),
	RETURN(SECCOMP_RET_KILL_PROCESS),
	LOAD(nr),
	ALLOW(__NR_read),
	ALLOW(__NR_write),
	ALLOW(__NR_brk),
	ALLOW(__NR_mmap),
	ALLOW(__NR_munmap),
	ALLOW(__NR_mremap),
	ALLOW(__NR_madvise),
	ALLOW(__NR_futex),
	ALLOW(__NR_rt_sigreturn),
	ALLOW(__NR_sigaltstack), /* the address sanitizer asks before each longjmp */
	ALLOW(__NR_clock_gettime),
	ALLOW(__NR_exit),
	ALLOW(__NR_exit_group),
	RETURN(SECCOMP_RET_ERRNO | EPERM),
};

/* A kernel without filters is no error: the caller reports it. */
bool seccomp_install(void)
{
	struct sock_fprog program = {
		.len = sizeof(rules) / sizeof(rules[0]),
		.filter = (struct sock_filter *)(void *)rules,
	};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

#else

bool seccomp_install(void)
{
	return false;
}

#endif
