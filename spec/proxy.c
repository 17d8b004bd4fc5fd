/*
 * A proxy that loses answers: proxy PORT TARGET LIMIT. On the loopback it hands every byte of a
 * client on; of what the server says each second connection gets LIMIT bytes and is then closed, or
 * gets everything where LIMIT is below 0.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_in loopback(const char *port)
{
	struct sockaddr_in to = {.sin_family = AF_INET};

	to.sin_port = htons((unsigned short)atoi(port));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return to;
}

/* Hands on what one side says, though the other may be gone; 0 at its end. */
static ssize_t hand_on(int from, int to, long most)
{
	char buffer[4096];
	ssize_t n = read(from, buffer, sizeof(buffer));

	if (n > 0 && most < n)
		n = most;
	for (ssize_t done = 0, now = 1; done < n && now > 0; done += now)
		now = write(to, buffer + done, (size_t)(n - done));
	return n;
}

/* `limit` below 0: everything. */
static void serve(int client, const char *target, long limit)
{
	struct sockaddr_in to = loopback(target);
	int server = socket(AF_INET, SOCK_STREAM, 0);
	struct pollfd sides[2] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
	ssize_t n;

	if (connect(server, (struct sockaddr *)&to, sizeof(to)) < 0)
		_exit(1);
	/*
	 * A client that has gone may have left a request, which is to be served all the same: what the
	 * server says to it is dropped, since without the connection it would cancel the request.
	 */
	while (poll(sides, 2, sides[0].fd < 0 ? 10000 : -1) > 0) {
		if (sides[0].revents && hand_on(client, server, 4096) <= 0)
			sides[0].fd = -1;
		if (!sides[1].revents)
			continue;
		n = hand_on(server, client, limit < 0 ? 4096 : limit);
		if (n <= 0)
			break;
		if (limit >= 0)
			limit -= n;
		if (limit == 0)
			break;
	}
	_exit(0);
}

int main(int argc, char **argv)
{
	struct sockaddr_in here;
	int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);

	if (argc != 4)
		return 2;
	here = loopback(argv[1]);
	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (struct sockaddr *)&here, sizeof(here)) < 0 || listen(listener, 64) < 0)
		return 1;
	for (long turn = 0;; turn++) {
		int client = accept(listener, NULL, NULL);

		if (client >= 0 && fork() == 0) {
			close(listener);
			serve(client, argv[2], turn % 2 == 0 ? atol(argv[3]) : -1);
		}
		close(client);
	}
}
