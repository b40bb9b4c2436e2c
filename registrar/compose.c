/* REGISTER requests (RFC 3261 section 10.2). */
#include "registrar/registrar.h"
#include <errno.h>
#include <unistd.h>

static struct token token_of(const struct job *j)
{
	uint32_t workers = j->g->c->system.signaling;
	/* of which worker it is only spreads the answers */
	return (struct token){ .worker = (uint8_t)(j->slot % (workers ? workers : 1)), .aux = TOKEN_REGISTRAR, .slot = j->slot,
		.generation = j->r->slot.generation };
}

static const struct cfg_listen *listen_at(const struct config *c, uint32_t i)
{
	return CFG_LIST(c, &c->sip.listen, struct cfg_listen) + i;
}

int compose_listen(const struct config *c, const struct addr *to, uint32_t port, uint16_t *ret_listen)
{
	for (uint32_t i = 0; i < c->sip.listen.n && i < LISTEN_MAX; i++) {
		const struct cfg_listen *l = listen_at(c, i);
		if (l->transport != TRANSPORT_UDP || l->addr.family != to->family || (port && l->addr.port != port))
			continue;
		*ret_listen = (uint16_t)i;
		return 0;
	}
	return -EADDRNOTAVAIL;
}

/* listening on every address: the one that the kernel would send from */
static struct addr own_address(const struct addr *to)
{
	struct sockaddr_storage sa;
	struct addr own = { 0 };
	socklen_t n = addr_to_sockaddr(to, &sa);
	int fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&sa, n) == 0) {
		n = sizeof sa;
		if (getsockname(fd, (struct sockaddr *)&sa, &n) == 0)
			addr_from_sockaddr((const struct sockaddr *)&sa, &own);
	}
	if (fd >= 0)
		close(fd);
	return own;
}

/* host:port at which the upstream reaches us */
static void out_own(const struct job *j, struct span name, struct out *o)
{
	const struct config *c = j->g->c;
	if (j->s.listen >= c->sip.listen.n)
		return;
	struct addr own = listen_at(c, j->s.listen)->addr;
	if (!name.n && !addr_is_any(&own)) {
		out_addr(o, &own);
		return;
	}
	uint16_t port = own.port;
	if (name.n) {
		out_span(o, name);
		out_char(o, ':');
		out_u64(o, port);
		return;
	}
	own = own_address(&j->s.to);
	own.port = port;
	out_addr(o, &own);
}

static void out_user(struct out *o, struct span user)
{
	for (size_t i = 0; i < user.n; i++) {
		char ch = user.p[i];
		bool plain = (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch && strchr("-_.!~*'()&=+$,;?/", ch));
		if (plain) {
			out_char(o, ch);
		} else {
			out_char(o, '%');
			out_hex(o, (unsigned char)ch, 2);
		}
	}
}

void compose_contact(const struct job *j, struct out *o)
{
	struct span name = job_text(j, ACCOUNT_HOST_NAME);
	out_lit(o, "sip:");
	out_user(o, job_text(j, ACCOUNT_USERNAME));
	out_char(o, '@');
	out_own(j, name.n ? name : cfg_span(j->g->c, j->g->c->sip.advertise), o);
}

static void out_ids(const struct job *j, struct out *o)
{
	const struct roster *roster = j->g->env->roster;
	struct token t = token_of(j);
	char text[BRANCH_TEXT];
	out_lit(o, "Via: SIP/2.0/UDP ");
	out_own(j, cfg_span(j->g->c, j->g->c->sip.advertise), o);
	out_lit(o, ";branch=");
	out_bytes(o, text, branch_make(&roster->token_key, &t, j->s.number, text));
	out_lit(o, ";rport\r\nMax-Forwards: 70\r\nCall-ID: ");
	out_bytes(o, text, call_id_make(&roster->token_key, roster->instance, &t, text));
	out_lit(o, "\r\nCSeq: ");
	out_u64(o, j->s.cseq);
	out_lit(o, " REGISTER\r\n");
}

static void out_account(const struct job *j, struct out *o)
{
	struct token t = token_of(j);
	char text[TAG_TEXT];
	for (int to = 0; to < 2; to++) {
		if (to)
			out_lit(o, "To: <sip:");
		else
			out_lit(o, "From: <sip:");
		out_user(o, job_text(j, ACCOUNT_USERNAME));
		out_char(o, '@');
		out_span(o, job_text(j, ACCOUNT_DOMAIN));
		out_char(o, '>');
		if (!to) {
			out_lit(o, ";tag=");
			out_bytes(o, text, tag_make(&j->g->env->roster->token_key, &t, text));
		}
		out_lit(o, "\r\n");
	}
}

static void out_contact(const struct job *j, struct out *o)
{
	uint32_t expires = j->s.request == REQUEST_UNREGISTER ? 0 : j->s.asked;
	out_lit(o, "Contact: <");
	compose_contact(j, o);
	out_lit(o, ">;expires=");
	out_u64(o, expires);
	out_lit(o, "\r\nExpires: ");
	out_u64(o, expires);
	out_lit(o, "\r\n");
}

int compose_register(struct job *j)
{
	const struct config *c = j->g->c;
	struct out o = out_init(j->s.message, sizeof j->s.message);
	out_lit(&o, "REGISTER ");
	size_t at = o.n;
	if (j->s.redirected) {
		out_bytes(&o, j->s.uri, j->s.uri_n);
	} else {
		out_lit(&o, "sip:");
		out_span(&o, job_text(j, ACCOUNT_DOMAIN));
	}
	struct span uri = { o.p + at, o.n - at };
	out_lit(&o, " SIP/2.0\r\n");
	out_ids(j, &o);
	out_account(j, &o);
	out_contact(j, &o);
	challenge_out(j, &o, uri);
	if (j->s.account.privacy == PRIVACY_ID)
		out_lit(&o, "Privacy: id\r\n");
	else if (j->s.account.privacy == PRIVACY_NONE)
		out_lit(&o, "Privacy: none\r\n");
	if (c->sip.user_agent.n) {
		out_lit(&o, "User-Agent: ");
		out_span(&o, cfg_span(c, c->sip.user_agent));
		out_lit(&o, "\r\n");
	}
	out_lit(&o, "Content-Length: 0\r\n\r\n");
	if (o.full)
		return -E2BIG;
	j->s.message_n = (uint32_t)o.n;
	return 0;
}
