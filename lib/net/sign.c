/* Asking the key holder. */
#include "net/sign.h"

#include "base/io.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

int
sign_ask(int sock, const struct sign_request *q, struct sign_reply *a)
{
	if (io_send(sock, q, sizeof *q, NULL, 0) == -1 ||
	    io_wait(sock, POLLIN, io_now_ms() + SIGN_MS) == -1)
		return -1;
	if (io_recv(sock, a, sizeof *a, NULL, 0) == (ssize_t)sizeof *a &&
	    a->n > 0 && a->n <= sizeof a->signature)
		return 0;
	errno = EPROTO;
	return -1;
}

int
sign_register(int sock)
{
	uint32_t what = SIGN_CLIENT;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return -1;
	if (io_send(sock, &what, sizeof what, &pair[1], 1) == -1) {
		close(pair[0]);
		pair[0] = -1;
	}
	close(pair[1]);
	return pair[0];
}
