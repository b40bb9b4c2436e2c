#include "media-proxy/sockets.h"
#include "shm/media.h"
#include <criterion/criterion.h>
#include <dirent.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

static struct {
	struct config c;
	struct addr address[MEDIA_ADDRESSES_MAX + 1];
} image;
static struct env env;

static struct addr parse(const char *text)
{
	struct addr a;
	cr_assert_eq(addr_parse(span_of(text), &a), 0);
	return a;
}

static void plan(const char *first, const char *second)
{
	image.c.system.media = image.c.system.signaling = 2;
	image.c.media.port_low = 21000;
	image.c.media.port_high = 21015;
	image.c.media.addresses.at = (uint32_t)((char *)image.address - (char *)&image);
	image.c.media.addresses.n = second ? 2 : 1;
	image.address[0] = parse(first);
	if (second)
		image.address[1] = parse(second);
	setenv("TANDEM_RELAY", "sockets", 1);
}

static unsigned open_files(void)
{
	unsigned n = 0;
	DIR *d = opendir("/proc/self/fd");
	cr_assert(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

Test(sockets, one_for_every_port_and_address)
{
	plan("127.66.1.1", "127.66.1.2");
	unsigned before = open_files();
	cr_assert_eq(relay_sockets_open(&image.c, &env), RELAY_SOCKETS);
	cr_assert(env.raw4 == -1 && env.raw6 == -1 && env.relay[0][0] == -1);
	for (unsigned i = 0; i < 32; i++) {
		struct sockaddr_storage sa;
		socklen_t n = sizeof(sa);
		struct addr a;
		cr_assert_eq(getsockname(env.port_socket[i], (struct sockaddr *)&sa, &n), 0);
		addr_from_sockaddr((struct sockaddr *)&sa, &a);
		cr_assert_eq(a.port, 21000 + i % 16);
		cr_assert(addr_same_ip(&a, &image.address[i / 16]));
	}
	cr_assert_eq(open_files(), before + 32);
	relay_sockets_close(&image.c, &env);
	cr_assert(open_files() == before && !env.port_socket);
}

Test(sockets, a_port_that_is_taken_is_an_error_and_leaves_nothing_open)
{
	struct sockaddr_storage sa;
	struct addr taken = parse("127.66.1.3:21009");
	plan("127.66.1.3", NULL);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t n = addr_to_sockaddr(&taken, &sa);
	cr_assert_eq(bind(fd, (struct sockaddr *)&sa, n), 0);
	unsigned before = open_files();
	cr_assert_eq(relay_sockets_open(&image.c, &env), -EADDRINUSE);
	cr_assert_eq(open_files(), before);
	close(fd);
}

Test(sockets, too_many_addresses)
{
	plan("127.66.1.1", NULL);
	image.c.media.addresses.n = MEDIA_ADDRESSES_MAX + 1;
	cr_assert_eq(relay_sockets_open(&image.c, &env), -EINVAL);
}

/* which address a packet from a wildcard leaves by is the kernel's choice, so no header can be written beforehand */
Test(sockets, wildcard_address_gets_port_sockets)
{
	plan("0.0.0.0", NULL);
	unsetenv("TANDEM_RELAY");
	cr_assert_eq(relay_sockets_open(&image.c, &env), RELAY_SOCKETS);
	relay_sockets_close(&image.c, &env);
}

Test(sockets, addresses_of_a_family_share_a_socket)
{
	env.relay[0][1] = 7;
	env.relay[1][1] = 8;
	env.relay[2][1] = 7;
	cr_assert_eq(relay_socket_first(&env, 0, 1), 0);
	cr_assert_eq(relay_socket_first(&env, 1, 1), 1);
	cr_assert_eq(relay_socket_first(&env, 2, 1), 0);
}
