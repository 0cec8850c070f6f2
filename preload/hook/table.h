/*
 * Every function that we stand in front of, once: declarations, look-up of libc's own, and the test
 * that our exported symbols are exactly these all come from this table.
 *
 * HOOK(result, name, parameters, arguments): `name` is ours, `libc_name` the real one.
 * HOOK(result, name, parameters, fixed, arguments) in the variadic table.
 * ALIAS(name, of): another name that libc exports for the same function.
 * HOOK(result, name, failure, version, parameters, arguments) in the table of OpenSSL's: `failure` is what
 *   it returns then, `version` what libssl.so.1.1 calls the symbol's.
 * vfork is apart: its wrapper must not return twice through a C frame (process.c).
 */
#ifndef REQPROF_HOOK_TABLE_H
#define REQPROF_HOOK_TABLE_H

#include <aio.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#define HOOK_TABLE(HOOK) \
	/* lock.c: locks and threads. First: an allocator may want one while the rest is looked up */ \
	HOOK(int, pthread_mutex_lock, (pthread_mutex_t * mutex), (mutex)) \
	HOOK(int, pthread_mutex_timedlock, \
	     (pthread_mutex_t * mutex, const struct timespec *deadline), (mutex, deadline)) \
	HOOK(int, pthread_mutex_clocklock, \
	     (pthread_mutex_t * mutex, clockid_t clock, const struct timespec *deadline), \
	     (mutex, clock, deadline)) \
	HOOK(int, pthread_rwlock_rdlock, (pthread_rwlock_t * lock), (lock)) \
	HOOK(int, pthread_rwlock_wrlock, (pthread_rwlock_t * lock), (lock)) \
	HOOK(int, pthread_cond_wait, (pthread_cond_t * condition, pthread_mutex_t *mutex), \
	     (condition, mutex)) \
	HOOK(int, pthread_cond_timedwait, \
	     (pthread_cond_t * condition, pthread_mutex_t *mutex, const struct timespec *deadline), \
	     (condition, mutex, deadline)) \
	HOOK(int, pthread_cond_clockwait, \
	     (pthread_cond_t * condition, pthread_mutex_t *mutex, clockid_t clock, \
	      const struct timespec *deadline), \
	     (condition, mutex, clock, deadline)) \
	HOOK(int, sem_post, (sem_t * semaphore), (semaphore)) \
	HOOK(int, sem_wait, (sem_t * semaphore), (semaphore)) \
	HOOK(int, sem_timedwait, (sem_t * semaphore, const struct timespec *deadline), \
	     (semaphore, deadline)) \
	HOOK(int, sem_clockwait, \
	     (sem_t * semaphore, clockid_t clock, const struct timespec *deadline), \
	     (semaphore, clock, deadline)) \
	HOOK(int, pthread_join, (pthread_t thread, void **result), (thread, result)) \
	/* stream.c: bytes */ \
	HOOK(ssize_t, read, (int fd, void *buf, size_t size), (fd, buf, size)) \
	HOOK(ssize_t, __read_chk, (int fd, void *buf, size_t size, size_t buf_size), \
	     (fd, buf, size, buf_size)) \
	HOOK(ssize_t, readv, (int fd, const struct iovec *parts, int count), (fd, parts, count)) \
	HOOK(ssize_t, recv, (int fd, void *buf, size_t size, int flags), (fd, buf, size, flags)) \
	HOOK(ssize_t, __recv_chk, (int fd, void *buf, size_t size, size_t buf_size, int flags), \
	     (fd, buf, size, buf_size, flags)) \
	HOOK(ssize_t, recvfrom, \
	     (int fd, void *buf, size_t size, int flags, struct sockaddr *from, socklen_t *from_len), \
	     (fd, buf, size, flags, from, from_len)) \
	HOOK(ssize_t, __recvfrom_chk, \
	     (int fd, void *buf, size_t size, size_t buf_size, int flags, struct sockaddr *from, \
	      socklen_t *from_len), \
	     (fd, buf, size, buf_size, flags, from, from_len)) \
	HOOK(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags)) \
	HOOK(int, recvmmsg, \
	     (int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout), \
	     (fd, messages, count, flags, timeout)) \
	HOOK(ssize_t, write, (int fd, const void *buf, size_t size), (fd, buf, size)) \
	HOOK(ssize_t, writev, (int fd, const struct iovec *parts, int count), (fd, parts, count)) \
	HOOK(ssize_t, send, (int fd, const void *buf, size_t size, int flags), \
	     (fd, buf, size, flags)) \
	HOOK(ssize_t, sendto, \
	     (int fd, const void *buf, size_t size, int flags, const struct sockaddr *to, \
	      socklen_t to_len), \
	     (fd, buf, size, flags, to, to_len)) \
	HOOK(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), \
	     (fd, message, flags)) \
	HOOK(int, sendmmsg, (int fd, struct mmsghdr *messages, unsigned count, int flags), \
	     (fd, messages, count, flags)) \
	HOOK(ssize_t, sendfile, (int out, int in, off_t *offset, size_t size), \
	     (out, in, offset, size)) \
	HOOK(ssize_t, sendfile64, (int out, int in, off64_t *offset, size_t size), \
	     (out, in, offset, size)) \
	HOOK(ssize_t, splice, \
	     (int in, off64_t *in_offset, int out, off64_t *out_offset, size_t size, \
	      unsigned flags), \
	     (in, in_offset, out, out_offset, size, flags)) \
	/* vector.c: bytes, with flags */ \
	HOOK(ssize_t, preadv2, \
	     (int fd, const struct iovec *parts, int count, off_t offset, int flags), \
	     (fd, parts, count, offset, flags)) \
	HOOK(ssize_t, pwritev2, \
	     (int fd, const struct iovec *parts, int count, off_t offset, int flags), \
	     (fd, parts, count, offset, flags)) \
	/* socket.c: descriptors */ \
	HOOK(int, accept, (int fd, struct sockaddr *address, socklen_t *len), (fd, address, len)) \
	HOOK(int, accept4, (int fd, struct sockaddr *address, socklen_t *len, int flags), \
	     (fd, address, len, flags)) \
	HOOK(int, connect, (int fd, const struct sockaddr *address, socklen_t len), \
	     (fd, address, len)) \
	HOOK(int, shutdown, (int fd, int how), (fd, how)) \
	HOOK(int, close, (int fd), (fd)) \
	HOOK(int, close_range, (unsigned first, unsigned last, int flags), (first, last, flags)) \
	HOOK(void, closefrom, (int low), (low)) \
	HOOK(int, dup, (int fd), (fd)) \
	HOOK(int, dup2, (int fd, int to), (fd, to)) \
	HOOK(int, dup3, (int fd, int to, int flags), (fd, to, flags)) \
	/* wait.c: where a thread waits, perhaps for new work */ \
	HOOK(int, poll, (struct pollfd * fds, nfds_t count, int timeout), (fds, count, timeout)) \
	HOOK(int, __poll_chk, (struct pollfd * fds, nfds_t count, int timeout, size_t fds_size), \
	     (fds, count, timeout, fds_size)) \
	HOOK(int, ppoll, \
	     (struct pollfd * fds, nfds_t count, const struct timespec *timeout, \
	      const sigset_t *mask), \
	     (fds, count, timeout, mask)) \
	HOOK(int, __ppoll_chk, \
	     (struct pollfd * fds, nfds_t count, const struct timespec *timeout, \
	      const sigset_t *mask, size_t fds_size), \
	     (fds, count, timeout, mask, fds_size)) \
	HOOK(int, select, \
	     (int count, fd_set *read_set, fd_set *write_set, fd_set *except_set, \
	      struct timeval *timeout), \
	     (count, read_set, write_set, except_set, timeout)) \
	HOOK(int, pselect, \
	     (int count, fd_set *read_set, fd_set *write_set, fd_set *except_set, \
	      const struct timespec *timeout, const sigset_t *mask), \
	     (count, read_set, write_set, except_set, timeout, mask)) \
	HOOK(int, epoll_wait, (int fd, struct epoll_event *events, int max, int timeout), \
	     (fd, events, max, timeout)) \
	HOOK(int, epoll_pwait, \
	     (int fd, struct epoll_event *events, int max, int timeout, const sigset_t *mask), \
	     (fd, events, max, timeout, mask)) \
	HOOK(int, epoll_pwait2, \
	     (int fd, struct epoll_event *events, int max, const struct timespec *timeout, \
	      const sigset_t *mask), \
	     (fd, events, max, timeout, mask)) \
	/* pause.c: time, children, names */ \
	HOOK(int, nanosleep, (const struct timespec *time, struct timespec *left), (time, left)) \
	HOOK(int, clock_nanosleep, \
	     (clockid_t clock, int flags, const struct timespec *time, struct timespec *left), \
	     (clock, flags, time, left)) \
	HOOK(int, usleep, (useconds_t us), (us)) \
	HOOK(unsigned, sleep, (unsigned seconds), (seconds)) \
	HOOK(int, thrd_sleep, (const struct timespec *time, struct timespec *left), (time, left)) \
	HOOK(ssize_t, getrandom, (void *buf, size_t size, unsigned flags), (buf, size, flags)) \
	HOOK(pid_t, wait, (int *status), (status)) \
	HOOK(pid_t, waitpid, (pid_t pid, int *status, int options), (pid, status, options)) \
	HOOK(pid_t, wait3, (int *status, int options, struct rusage *usage), \
	     (status, options, usage)) \
	HOOK(pid_t, wait4, (pid_t pid, int *status, int options, struct rusage *usage), \
	     (pid, status, options, usage)) \
	HOOK(int, waitid, (idtype_t type, id_t id, siginfo_t *info, int options), \
	     (type, id, info, options)) \
	/* spawn.c: what it sets going */ \
	HOOK(pid_t, fork, (void), ()) \
	HOOK(int, posix_spawn, \
	     (pid_t * pid, const char *path, const posix_spawn_file_actions_t *actions, \
	      const posix_spawnattr_t *attributes, char *const arguments[], \
	      char *const environment[]), \
	     (pid, path, actions, attributes, arguments, environment)) \
	HOOK(int, posix_spawnp, \
	     (pid_t * pid, const char *name, const posix_spawn_file_actions_t *actions, \
	      const posix_spawnattr_t *attributes, char *const arguments[], \
	      char *const environment[]), \
	     (pid, name, actions, attributes, arguments, environment)) \
	HOOK(FILE *, popen, (const char *command, const char *mode), (command, mode)) \
	HOOK(int, pthread_create, \
	     (pthread_t * thread, const pthread_attr_t *attributes, void *(*start)(void *), \
	      void *argument), \
	     (thread, attributes, start, argument)) \
	HOOK(int, system, (const char *command), (command)) \
	HOOK(int, pclose, (FILE * stream), (stream)) \
	HOOK(int, getaddrinfo, \
	     (const char *node, const char *service, const struct addrinfo *hints, \
	      struct addrinfo **results), \
	     (node, service, hints, results)) \
	HOOK(int, getnameinfo, \
	     (const struct sockaddr *address, socklen_t len, char *host, socklen_t host_size, \
	      char *service, socklen_t service_size, int flags), \
	     (address, len, host, host_size, service, service_size, flags)) \
	HOOK(struct hostent *, gethostbyname, (const char *name), (name)) \
	HOOK(struct hostent *, gethostbyname2, (const char *name, int family), (name, family)) \
	HOOK(int, gethostbyname_r, \
	     (const char *name, struct hostent *entry, char *buf, size_t size, \
	      struct hostent **found, int *error), \
	     (name, entry, buf, size, found, error)) \
	HOOK(int, gethostbyname2_r, \
	     (const char *name, int family, struct hostent *entry, char *buf, size_t size, \
	      struct hostent **found, int *error), \
	     (name, family, entry, buf, size, found, error)) \
	HOOK(struct hostent *, gethostbyaddr, (const void *address, socklen_t len, int family), \
	     (address, len, family)) \
	HOOK(int, gethostbyaddr_r, \
	     (const void *address, socklen_t len, int family, struct hostent *entry, char *buf, \
	      size_t size, struct hostent **found, int *error), \
	     (address, len, family, entry, buf, size, found, error)) \
	/* bare_fork.c: forks without libc's handlers */ \
	HOOK(pid_t, _Fork, (void), ()) \
	/* file.c: files, which may be on a slow disk, and their locks */ \
	HOOK(ssize_t, pread, (int fd, void *buf, size_t size, off_t offset), \
	     (fd, buf, size, offset)) \
	HOOK(ssize_t, __pread_chk, (int fd, void *buf, size_t size, off_t offset, size_t buf_size), \
	     (fd, buf, size, offset, buf_size)) \
	HOOK(ssize_t, pread64, (int fd, void *buf, size_t size, off64_t offset), \
	     (fd, buf, size, offset)) \
	HOOK(ssize_t, __pread64_chk, \
	     (int fd, void *buf, size_t size, off64_t offset, size_t buf_size), \
	     (fd, buf, size, offset, buf_size)) \
	HOOK(ssize_t, preadv, (int fd, const struct iovec *parts, int count, off_t offset), \
	     (fd, parts, count, offset)) \
	HOOK(ssize_t, preadv64, (int fd, const struct iovec *parts, int count, off64_t offset), \
	     (fd, parts, count, offset)) \
	HOOK(ssize_t, pwrite, (int fd, const void *buf, size_t size, off_t offset), \
	     (fd, buf, size, offset)) \
	HOOK(ssize_t, pwrite64, (int fd, const void *buf, size_t size, off64_t offset), \
	     (fd, buf, size, offset)) \
	HOOK(ssize_t, pwritev, (int fd, const struct iovec *parts, int count, off_t offset), \
	     (fd, parts, count, offset)) \
	HOOK(ssize_t, pwritev64, (int fd, const struct iovec *parts, int count, off64_t offset), \
	     (fd, parts, count, offset)) \
	HOOK(int, fsync, (int fd), (fd)) \
	HOOK(int, fdatasync, (int fd), (fd)) \
	HOOK(int, flock, (int fd, int operation), (fd, operation)) \
	HOOK(int, lockf, (int fd, int command, off_t len), (fd, command, len)) \
	HOOK(int, lockf64, (int fd, int command, off64_t len), (fd, command, len)) \
	HOOK(int, fallocate, (int fd, int mode, off_t offset, off_t len), (fd, mode, offset, len)) \
	HOOK(int, fallocate64, (int fd, int mode, off64_t offset, off64_t len), \
	     (fd, mode, offset, len)) \
	HOOK(int, posix_fallocate, (int fd, off_t offset, off_t len), (fd, offset, len)) \
	HOOK(int, posix_fallocate64, (int fd, off64_t offset, off64_t len), (fd, offset, len)) \
	HOOK(ssize_t, vmsplice, (int fd, const struct iovec *parts, size_t count, unsigned flags), \
	     (fd, parts, count, flags)) \
	HOOK(ssize_t, tee, (int in, int out, size_t size, unsigned flags), (in, out, size, flags)) \
	HOOK(int, tcdrain, (int fd), (fd)) \
	HOOK(int, epoll_ctl, (int epoll_fd, int command, int fd, struct epoll_event *event), \
	     (epoll_fd, command, fd, event)) \
	/* signal.c: our signal's action and mask bit */ \
	HOOK(int, sigaction, \
	     (int number, const struct sigaction *action, struct sigaction *old), \
	     (number, action, old)) \
	HOOK(int, signalfd, (int fd, const sigset_t *mask, int flags), (fd, mask, flags)) \
	HOOK(sighandler_t, signal, (int number, sighandler_t handler), (number, handler)) \
	HOOK(sighandler_t, sysv_signal, (int number, sighandler_t handler), (number, handler)) \
	HOOK(sighandler_t, sigset, (int number, sighandler_t handler), (number, handler)) \
	HOOK(int, sigignore, (int number), (number)) \
	HOOK(int, siginterrupt, (int number, int interrupt), (number, interrupt)) \
	HOOK(int, sighold, (int number), (number)) \
	HOOK(int, sigrelse, (int number), (number)) \
	HOOK(int, sigprocmask, (int how, const sigset_t *set, sigset_t *old), (how, set, old)) \
	HOOK(int, pthread_sigmask, (int how, const sigset_t *set, sigset_t *old), \
	     (how, set, old)) \
	/* suspend.c: waiting for signals */ \
	HOOK(int, pause, (void), ()) \
	HOOK(int, sigsuspend, (const sigset_t *mask), (mask)) \
	HOOK(int, sigpause, (int mask), (mask)) \
	HOOK(int, __xpg_sigpause, (int number), (number)) \
	HOOK(int, __sigpause, (int number_or_mask, int is_number), (number_or_mask, is_number)) \
	HOOK(int, sigtimedwait, \
	     (const sigset_t *set, siginfo_t *info, const struct timespec *limit), \
	     (set, info, limit)) \
	HOOK(int, sigwaitinfo, (const sigset_t *set, siginfo_t *info), (set, info)) \
	HOOK(int, sigwait, (const sigset_t *set, int *number), (set, number)) \
	/* ipc.c: System V's */ \
	HOOK(int, semop, (int set, struct sembuf *operations, size_t count), \
	     (set, operations, count)) \
	HOOK(int, semtimedop, \
	     (int set, struct sembuf *operations, size_t count, const struct timespec *limit), \
	     (set, operations, count, limit)) \
	HOOK(int, msgsnd, (int queue, const void *message, size_t size, int flags), \
	     (queue, message, size, flags)) \
	HOOK(ssize_t, msgrcv, (int queue, void *message, size_t size, long type, int flags), \
	     (queue, message, size, type, flags)) \
	/* completion.c: what other threads do for it */ \
	HOOK(int, aio_suspend, \
	     (const struct aiocb *const list[], int count, const struct timespec *limit), \
	     (list, count, limit)) \
	HOOK(int, gai_suspend, \
	     (const struct gaicb *const list[], int count, const struct timespec *limit), \
	     (list, count, limit)) \
	/* process.c: ends, modules, and the close that libuv makes by number */ \
	HOOK(void, _exit, (int status), (status)) \
	HOOK(void, _Exit, (int status), (status)) \
	HOOK(int, dlclose, (void *handle), (handle))

/* Variadic in the header; `fixed` are all parameters that any call can have, in registers on x86-64. */
#define HOOK_VARIADIC_TABLE(HOOK) \
	HOOK(int, fcntl, (int fd, int command, ...), (int fd, int command, void *argument), \
	     (fd, command, argument)) \
	HOOK(int, fcntl64, (int fd, int command, ...), (int fd, int command, void *argument), \
	     (fd, command, argument)) \
	HOOK(int, clone, (int (*run)(void *), void *stack, int flags, void *argument, ...), \
	     (int (*run)(void *), void *stack, int flags, void *argument, void *parent_tid, \
	      void *tls, void *child_tid), \
	     (run, stack, flags, argument, parent_tid, tls, child_tid)) \
	HOOK(long, syscall, (long number, ...), \
	     (long number, long a, long b, long c, long d, long e, long f), \
	     (number, a, b, c, d, e, f))

/*
 * tls.c: plain text. We define each under the versions that OpenSSL 3 and 1.1 give it, and hide it from
 * look-ups without one: dlsym(RTLD_DEFAULT, "SSL_read") does not find ours (libssl.h).
 */
#define HOOK_SSL_TABLE(HOOK) \
	HOOK(int, SSL_read, -1, OPENSSL_1_1_0, (void *ssl, void *buf, int size), (ssl, buf, size)) \
	HOOK(int, SSL_read_ex, 0, OPENSSL_1_1_1, (void *ssl, void *buf, size_t size, size_t *got), \
	     (ssl, buf, size, got)) \
	HOOK(int, SSL_read_early_data, 0, OPENSSL_1_1_1, \
	     (void *ssl, void *buf, size_t size, size_t *got), (ssl, buf, size, got)) \
	HOOK(int, SSL_write, -1, OPENSSL_1_1_0, (void *ssl, const void *buf, int size), \
	     (ssl, buf, size)) \
	HOOK(int, SSL_write_ex, 0, OPENSSL_1_1_1, \
	     (void *ssl, const void *buf, size_t size, size_t *sent), (ssl, buf, size, sent)) \
	HOOK(int, SSL_write_early_data, 0, OPENSSL_1_1_1, \
	     (void *ssl, const void *buf, size_t size, size_t *sent), (ssl, buf, size, sent)) \
	HOOK(ssize_t, SSL_sendfile, -1, OPENSSL_1_1_1, \
	     (void *ssl, int fd, off_t offset, size_t size, int flags), \
	     (ssl, fd, offset, size, flags))

#define HOOK_ALIASES(ALIAS) \
	ALIAS(__read, read) \
	ALIAS(__write, write) \
	ALIAS(__send, send) \
	ALIAS(__connect, connect) \
	ALIAS(__close, close) \
	ALIAS(__dup2, dup2) \
	ALIAS(__fcntl, fcntl) \
	ALIAS(__poll, poll) \
	ALIAS(__select, select) \
	ALIAS(__sigaction, sigaction) \
	ALIAS(bsd_signal, signal) \
	ALIAS(ssignal, signal) \
	ALIAS(__sigsuspend, sigsuspend) \
	ALIAS(__nanosleep, nanosleep) \
	ALIAS(__fork, fork) \
	ALIAS(__wait, wait) \
	ALIAS(__waitpid, waitpid) \
	ALIAS(__pread64, pread64) \
	ALIAS(__pwrite64, pwrite64) \
	ALIAS(__pthread_mutex_lock, pthread_mutex_lock) \
	ALIAS(__pthread_rwlock_rdlock, pthread_rwlock_rdlock) \
	ALIAS(__pthread_rwlock_wrlock, pthread_rwlock_wrlock) \
	ALIAS(__sysv_signal, sysv_signal) \
	ALIAS(aio_suspend64, aio_suspend) \
	ALIAS(__clone, clone) \
	ALIAS(preadv64v2, preadv2) \
	ALIAS(pwritev64v2, pwritev2)

#endif
