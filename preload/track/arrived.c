#include "preload/track/arrived.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "preload/sigsafe/raw.h"

bool arrived_before(int fd, uint64_t read_ns, uint64_t now_ns, uint64_t *waited_ns)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);
	uint64_t since_ns, ours_ns = now_ns - read_ns;

	if (raw_syscall6(SYS_getsockopt, fd, IPPROTO_TCP, TCP_INFO, (long)&info, (long)&len, 0) < 0 ||
	    len < offsetof(struct tcp_info, tcpi_last_data_recv) + sizeof(info.tcpi_last_data_recv))
		return false;
	since_ns = (uint64_t)info.tcpi_last_data_recv * 1000000;
	*waited_ns = since_ns > ours_ns ? since_ns - ours_ns : 0;
	return true;
}
