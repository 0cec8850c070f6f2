/*
 * System calls without libc. In the host's process read, open, close, write and even syscall() are
 * names we stand in front of, and libc's versions set errno, which belongs to the host. These do
 * neither: each returns what the kernel returned, a failure as -errno. All are async-signal-safe
 * and none is a cancellation point. Meaning and arguments are those of the manual's section 2.
 */
#ifndef REQPROF_SIGSAFE_RAW_H
#define REQPROF_SIGSAFE_RAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>

struct iovec;
struct perf_event_attr;
struct stat;
struct timespec;

static inline long raw_syscall6(long number, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

static inline long raw_syscall3(long number, long a, long b, long c)
{
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "0"(number), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return result;
}

static inline long raw_syscall4(long number, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory");
	return result;
}

/* Did a call that returns an address fail? (raw_mmap: then its value is -errno.) */
static inline bool raw_failed(const void *address)
{
	return (unsigned long)address >= -4095UL;
}

/* ---- memory ---- */

static inline void *raw_mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset)
{
	return (void *)raw_syscall6(SYS_mmap, (long)at, (long)len, prot, flags, fd, offset);
}

static inline int raw_munmap(void *at, size_t len)
{
	return (int)raw_syscall3(SYS_munmap, (long)at, (long)len, 0);
}

static inline int raw_mprotect(void *at, size_t len, int prot)
{
	return (int)raw_syscall3(SYS_mprotect, (long)at, (long)len, prot);
}

static inline int raw_madvise(void *at, size_t len, int advice)
{
	return (int)raw_syscall3(SYS_madvise, (long)at, (long)len, advice);
}

static inline ssize_t raw_process_vm_readv(pid_t pid, const struct iovec *local,
					   unsigned long local_count, const struct iovec *remote,
					   unsigned long remote_count)
{
	return raw_syscall6(SYS_process_vm_readv, pid, (long)local, (long)local_count, (long)remote,
			    (long)remote_count, 0);
}

/* ---- files ---- */

static inline int raw_openat(int dir, const char *path, int flags, mode_t mode)
{
	return (int)raw_syscall4(SYS_openat, dir, (long)path, flags, (long)mode);
}

static inline int raw_open(const char *path, int flags, mode_t mode)
{
	return (int)raw_syscall3(SYS_open, (long)path, flags, (long)mode);
}

static inline int raw_close(int fd)
{
	return (int)raw_syscall3(SYS_close, fd, 0, 0);
}

static inline ssize_t raw_read(int fd, void *buf, size_t len)
{
	return raw_syscall3(SYS_read, fd, (long)buf, (long)len);
}

static inline ssize_t raw_pread(int fd, void *buf, size_t len, off_t offset)
{
	return raw_syscall4(SYS_pread64, fd, (long)buf, (long)len, offset);
}

static inline ssize_t raw_write(int fd, const void *buf, size_t len)
{
	return raw_syscall3(SYS_write, fd, (long)buf, (long)len);
}

static inline ssize_t raw_pwrite(int fd, const void *buf, size_t len, off_t offset)
{
	return raw_syscall4(SYS_pwrite64, fd, (long)buf, (long)len, offset);
}

static inline ssize_t raw_writev(int fd, const struct iovec *parts, int count)
{
	return raw_syscall3(SYS_writev, fd, (long)parts, count);
}

static inline off_t raw_lseek(int fd, off_t offset, int whence)
{
	return raw_syscall3(SYS_lseek, fd, offset, whence);
}

static inline int raw_ftruncate(int fd, off_t len)
{
	return (int)raw_syscall3(SYS_ftruncate, fd, len, 0);
}

static inline int raw_fstat(int fd, struct stat *st)
{
	return (int)raw_syscall3(SYS_fstat, fd, (long)st, 0);
}

static inline int raw_fstatat(int dir, const char *path, struct stat *st, int flags)
{
	return (int)raw_syscall4(SYS_newfstatat, dir, (long)path, (long)st, flags);
}

static inline ssize_t raw_readlink(const char *path, char *buf, size_t len)
{
	return raw_syscall3(SYS_readlink, (long)path, (long)buf, (long)len);
}

static inline int raw_mkdirat(int dir, const char *path, mode_t mode)
{
	return (int)raw_syscall3(SYS_mkdirat, dir, (long)path, (long)mode);
}

static inline int raw_unlinkat(int dir, const char *path, int flags)
{
	return (int)raw_syscall3(SYS_unlinkat, dir, (long)path, flags);
}

static inline int raw_renameat2(int from_dir, const char *from, int to_dir, const char *to,
				unsigned flags)
{
	return (int)raw_syscall6(SYS_renameat2, from_dir, (long)from, to_dir, (long)to, flags, 0);
}

static inline int raw_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	return (int)raw_syscall6(SYS_linkat, from_dir, (long)from, to_dir, (long)to, flags, 0);
}

static inline int raw_fcntl(int fd, int command, long argument)
{
	return (int)raw_syscall3(SYS_fcntl, fd, command, argument);
}

static inline int raw_dup3(int fd, int to, int flags)
{
	return (int)raw_syscall3(SYS_dup3, fd, to, flags);
}

static inline int raw_ioctl(int fd, unsigned long request, long argument)
{
	return (int)raw_syscall3(SYS_ioctl, fd, (long)request, argument);
}

/* ---- processes, threads, signals, clocks ---- */

static inline pid_t raw_getpid(void)
{
	return (pid_t)raw_syscall3(SYS_getpid, 0, 0, 0);
}

static inline pid_t raw_gettid(void)
{
	return (pid_t)raw_syscall3(SYS_gettid, 0, 0, 0);
}

static inline int raw_tgkill(pid_t pid, pid_t tid, int signal)
{
	return (int)raw_syscall3(SYS_tgkill, pid, tid, signal);
}

/* The masks are the kernel's: 64 bits, bit n-1 for signal n. */
static inline int raw_sigprocmask(int how, const uint64_t *set, uint64_t *old)
{
	return (int)raw_syscall4(SYS_rt_sigprocmask, how, (long)set, (long)old, sizeof(*set));
}

static inline int raw_futex(uint32_t *word, int op, uint32_t value, const struct timespec *timeout)
{
	return (int)raw_syscall6(SYS_futex, (long)word, op, value, (long)timeout, 0, 0);
}

static inline int raw_perf_event_open(struct perf_event_attr *attr, pid_t pid, int cpu, int group,
				      unsigned long flags)
{
	return (int)raw_syscall6(SYS_perf_event_open, (long)attr, pid, cpu, group, (long)flags, 0);
}

static inline int raw_clock_gettime(int clock, struct timespec *now)
{
	return (int)raw_syscall3(SYS_clock_gettime, clock, (long)now, 0);
}

static inline int raw_sched_yield(void)
{
	return (int)raw_syscall3(SYS_sched_yield, 0, 0, 0);
}

#endif
