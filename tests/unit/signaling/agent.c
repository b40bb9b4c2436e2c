#include "agent.h"
#include "base/clock.h"
#include "harness.h"
#include <poll.h>
#include <stdarg.h>
#include <strings.h>
#include <unistd.h>

/* --- reading --- */

static const char *keep(const char *p, size_t n)
{
	static char text[4][1024];
	static unsigned next;
	char *to = text[next++ % 4];
	if (n > sizeof text[0] - 1)
		n = sizeof text[0] - 1;
	memcpy(to, p, n);
	to[n] = 0;
	return to;
}

const char *sip_header(const struct sip *m, const char *name, unsigned n)
{
	size_t length = strlen(name);
	for (const char *line = strstr(m->text, "\r\n"); line && strncmp(line, "\r\n\r\n", 4) != 0; line = strstr(line + 2, "\r\n")) {
		const char *p = line + 2;
		if (strncasecmp(p, name, length) != 0 || p[length] != ':' || n--)
			continue;
		p += length + 1;
		while (*p == ' ')
			p++;
		const char *end = strstr(p, "\r\n");
		return keep(p, end ? (size_t)(end - p) : strlen(p));
	}
	return "";
}

static const char *param(const char *value, const char *name)
{
	char wanted[32];
	snprintf(wanted, sizeof wanted, ";%s=", name);
	const char *gt = strrchr(value, '>'), *p = strstr(gt ? gt : value, wanted);
	return p ? keep(p + strlen(wanted), strcspn(p + strlen(wanted), ";,")) : "";
}

const char *sip_tag(const struct sip *m, const char *header)
{
	return param(sip_header(m, header, 0), "tag");
}

const char *sip_uri(const struct sip *m, const char *header)
{
	const char *v = sip_header(m, header, 0), *lt = strchr(v, '<');
	return lt ? keep(lt + 1, strcspn(lt + 1, ">")) : v;
}

const char *sip_branch(const struct sip *m)
{
	return param(sip_header(m, "Via", 0), "branch");
}

const char *sip_body(const struct sip *m)
{
	const char *p = strstr(m->text, "\r\n\r\n");
	return p ? p + 4 : "";
}

static void must_be_well_formed(const struct agent *a, const struct sip *m)
{
	static const char *const mandatory[] = { "Via", "From", "To", "Call-ID", "CSeq", "Content-Length" };
	for (size_t i = 0; i < sizeof mandatory / sizeof *mandatory; i++)
		CHECK(*sip_header(m, mandatory[i], 0), "%s received a message without %s:\n%s", a->name, mandatory[i], m->text);
	CHECK((size_t)atoi(sip_header(m, "Content-Length", 0)) == strlen(sip_body(m)), "%s received a wrong Content-Length:\n%s", a->name, m->text);
	CHECK(!*sip_body(m) || *sip_header(m, "Content-Type", 0), "%s received a body without a type:\n%s", a->name, m->text);
	CHECK(*sip_tag(m, "From"), "%s received no From tag:\n%s", a->name, m->text);
	CHECK(m->code <= 100 || *sip_tag(m, "To"), "%s received no To tag:\n%s", a->name, m->text);
	CHECK(m->code || atoi(sip_header(m, "Max-Forwards", 0)) > 0 || !strcmp(sip_header(m, "Max-Forwards", 0), "0"),
		"%s received no Max-Forwards:\n%s", a->name, m->text);
}

static bool receive(struct agent *a, int ms)
{
	struct pollfd p = { .fd = a->fd, .events = POLLIN };
	struct sockaddr_storage sa;
	socklen_t size = sizeof sa;
	if (poll(&p, 1, ms < 0 ? 0 : ms) != 1)
		return false;
	CHECK(a->received < AGENT_LOG, "%s received too much", a->name);
	struct sip *m = &a->log[a->received];
	ssize_t n = recvfrom(a->fd, m->text, sizeof m->text - 1, 0, (struct sockaddr *)&sa, &size);
	CHECK(n > 0 && n < (ssize_t)sizeof m->text - 1, "recvfrom: %zd", n);
	m->text[n] = 0;
	m->n = (size_t)n;
	addr_from_sockaddr((struct sockaddr *)&sa, &m->source);
	if (sscanf(m->text, "SIP/2.0 %hu", &m->code) != 1)
		m->code = 0;
	must_be_well_formed(a, m);
	CHECK(sscanf(sip_header(m, "CSeq", 0), "%u %15s", &m->cseq, m->method) == 2, "CSeq");
	for (unsigned i = 0; i < a->received; i++)
		if (a->log[i].n == m->n && memcmp(a->log[i].text, m->text, m->n) == 0)
			m->again = true;
	a->received++;
	return true;
}

static bool is(const struct sip *m, const char *what)
{
	if (*what < '0' || *what > '9')
		return !m->code && strcmp(m->method, what) == 0;
	return m->code == atoi(what) && (!what[3] || strcmp(m->method, what + 4) == 0);
}

static void print_log(const struct agent *a)
{
	for (unsigned i = 0; i < a->received; i++)
		fprintf(stderr, "--- %s received%s\n%s\n", a->name, a->log[i].again ? " again" : "", a->log[i].text);
}

const struct sip *agent_expect(struct agent *a, const char *what, unsigned ms)
{
	uint64_t until = clock_ms() + ms;
	for (;;) {
		for (; a->taken < a->received; a->taken++) {
			const struct sip *m = &a->log[a->taken];
			if (m->again)
				continue;
			if (is(m, what)) {
				a->taken++;
				return m;
			}
			if (m->code == 100)
				continue;
			print_log(a);
			CHECK(false, "%s expected %s, received %u %s", a->name, what, m->code, m->method);
		}
		uint64_t now = clock_ms();
		if (!receive(a, now < until ? (int)(until - now) : 0) && clock_ms() >= until) {
			print_log(a);
			CHECK(false, "%s expected %s, nothing came in %u ms", a->name, what, ms);
		}
	}
}

const struct sip *agent_next(struct agent *a, unsigned ms)
{
	if (a->taken == a->received && !receive(a, (int)ms))
		return NULL;
	return &a->log[a->taken++];
}

const struct sip *agent_again(struct agent *a, const char *what, unsigned ms)
{
	uint64_t until = clock_ms() + ms;
	for (;;) {
		uint64_t now = clock_ms();
		if (!receive(a, now < until ? (int)(until - now) : 0)) {
			CHECK(clock_ms() < until, "%s expected a repetition of %s, nothing came in %u ms", a->name, what, ms);
			continue;
		}
		const struct sip *m = &a->log[a->received - 1];
		if (m->again && is(m, what))
			return m;
	}
}

void agent_quiet(struct agent *a, unsigned ms)
{
	uint64_t until = clock_ms() + ms;
	for (uint64_t now = clock_ms(); now < until; now = clock_ms())
		receive(a, (int)(until - now));
	for (; a->taken < a->received; a->taken++) {
		const struct sip *m = &a->log[a->taken];
		if (m->again || m->code == 100)
			continue;
		print_log(a);
		CHECK(false, "%s expected silence, received %u %s", a->name, m->code, m->method);
	}
}

unsigned agent_count(struct agent *a, const char *what)
{
	unsigned n = 0;
	while (receive(a, 0))
		;
	for (unsigned i = 0; i < a->received; i++)
		n += is(&a->log[i], what);
	return n;
}

void agent_must_not_know(const struct agent *a, const char *secret)
{
	for (unsigned i = 0; i < a->received; i++)
		CHECK(!strcasestr(a->log[i].text, secret), "%s must not see \"%s\":\n%s", a->name, secret, a->log[i].text);
}

/* --- sending --- */

void agent_open(struct agent *a, const char *name, const char *ip)
{
	struct sockaddr_storage sa;
	memset(a, 0, sizeof *a);
	a->name = name;
	CHECK(!addr_parse(span_of(ip), &a->addr), "address %s", ip);
	socklen_t n = addr_to_sockaddr(&a->addr, &sa);
	a->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	CHECK(a->fd >= 0 && !bind(a->fd, (struct sockaddr *)&sa, n) && !getsockname(a->fd, (struct sockaddr *)&sa, &n), "socket of %s", name);
	addr_from_sockaddr((struct sockaddr *)&sa, &a->addr);
}

void agent_close(struct agent *a)
{
	close(a->fd);
}

void agent_send(struct agent *a, const struct addr *to, const char *text)
{
	struct sockaddr_storage sa;
	socklen_t n = addr_to_sockaddr(to, &sa);
	CHECK(sendto(a->fd, text, strlen(text), 0, (struct sockaddr *)&sa, n) == (ssize_t)strlen(text), "sendto");
}

__attribute__((format(printf, 3, 4))) static void add(char *text, size_t *n, const char *format, ...)
{
	va_list v;
	va_start(v, format);
	*n += (size_t)vsnprintf(text + *n, SIP_BYTES - *n, format, v);
	va_end(v);
	CHECK(*n < SIP_BYTES, "message too long");
}

static const char *where(const struct agent *a)
{
	char text[ADDR_TEXT_MAX];
	return keep(text, addr_format(&a->addr, false, text, sizeof text));
}

static void add_end(char *text, size_t *n, const char *headers, const char *body)
{
	const char *type = "application/sdp";
	size_t type_n = strlen(type);
	const char *line = body ? strchr(body, '\n') : NULL;
	if (line && strncmp(body, "v=0", 3) != 0) {
		type = body;
		type_n = (size_t)(line - body);
		body = line + 1;
	}
	add(text, n, "%s", headers ? headers : "");
	if (body && *body)
		add(text, n, "Content-Type: %.*s\r\n", (int)type_n, type);
	add(text, n, "Content-Length: %zu\r\n\r\n%s", body ? strlen(body) : 0, body ? body : "");
}

void dialog_init(struct dialog *d, struct agent *a, const struct addr *peer, const char *callee)
{
	static unsigned serial;
	char to[ADDR_TEXT_MAX];
	memset(d, 0, sizeof *d);
	addr_format(peer, false, to, sizeof to);
	d->agent = a;
	d->peer = *peer;
	snprintf(d->call_id, sizeof d->call_id, "%u-%d@%s.private", ++serial, (int)getpid(), a->name);
	snprintf(d->local, sizeof d->local, "\"A\" <sip:5550001@%s.private>;tag=tag%s%u", a->name, a->name, serial);
	snprintf(d->remote, sizeof d->remote, "<sip:%s@%s>", callee, to);
	snprintf(d->target, sizeof d->target, "sip:%s@%s", callee, to);
}

void dialog_take(struct dialog *d, struct agent *a, unsigned ms)
{
	static unsigned serial;
	memset(d, 0, sizeof *d);
	d->invite = *agent_expect(a, "INVITE", ms);
	d->agent = a;
	d->peer = d->invite.source;
	snprintf(d->tag, sizeof d->tag, "tag%s%u", a->name, ++serial);
	snprintf(d->call_id, sizeof d->call_id, "%s", sip_header(&d->invite, "Call-ID", 0));
	snprintf(d->local, sizeof d->local, "%s;tag=%s", sip_header(&d->invite, "To", 0), d->tag);
	snprintf(d->remote, sizeof d->remote, "%s", sip_header(&d->invite, "From", 0));
	snprintf(d->target, sizeof d->target, "%s", sip_uri(&d->invite, "Contact"));
}

void dialog_send_as(struct dialog *d, const char *method, unsigned cseq, const char *branch, const char *headers, const char *body)
{
	char text[SIP_BYTES];
	size_t n = 0;
	bool same = !strcmp(method, "CANCEL");
	add(text, &n, "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=%s;rport\r\n", method, same ? d->invite_target : d->target, where(d->agent), branch);
	if (!headers || !strcasestr(headers, "Max-Forwards:"))
		add(text, &n, "Max-Forwards: 70\r\n");
	add(text, &n, "From: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %u %s\r\nUser-Agent: agent-of-%s\r\n", d->local, d->remote, d->call_id, cseq, method,
		d->agent->name);
	if (!strcmp(method, "INVITE") || !strcmp(method, "UPDATE"))
		add(text, &n, "Contact: <sip:%s@%s>\r\n", d->agent->name, where(d->agent));
	add_end(text, &n, headers, body);
	agent_send(d->agent, &d->peer, text);
}

void dialog_send(struct dialog *d, const char *method, const char *headers, const char *body)
{
	static unsigned serial;
	char branch[80];
	snprintf(branch, sizeof branch, "z9hG4bK%s%u-%d", d->agent->name, ++serial, (int)getpid());
	d->cseq++;
	if (!strcmp(method, "INVITE")) {
		memcpy(d->invite_branch, branch, sizeof branch);
		memcpy(d->invite_target, d->target, sizeof d->target);
		d->invite_cseq = d->cseq;
	}
	dialog_send_as(d, method, d->cseq, branch, headers, body);
}

void dialog_ack(struct dialog *d, const char *body)
{
	char branch[96];
	snprintf(branch, sizeof branch, "%sack", d->invite_branch);
	dialog_send_as(d, "ACK", d->invite_cseq, branch, NULL, body);
}

void dialog_ack_failure(struct dialog *d, const struct sip *response)
{
	char to[256], target[256];
	memcpy(to, d->remote, sizeof to);
	memcpy(target, d->target, sizeof target);
	snprintf(d->remote, sizeof d->remote, "%s", sip_header(response, "To", 0));
	memcpy(d->target, d->invite_target, sizeof target);
	dialog_send_as(d, "ACK", d->invite_cseq, d->invite_branch, NULL, NULL);
	memcpy(d->remote, to, sizeof to);
	memcpy(d->target, target, sizeof target);
}

void dialog_cancel(struct dialog *d)
{
	char to[256];
	memcpy(to, d->remote, sizeof to);
	char *tag = strstr(d->remote, ";tag="); /* as in the INVITE */
	if (tag)
		*tag = 0;
	dialog_send_as(d, "CANCEL", d->invite_cseq, d->invite_branch, NULL, NULL);
	memcpy(d->remote, to, sizeof to);
}

void dialog_learn(struct dialog *d, const struct sip *response)
{
	snprintf(d->remote, sizeof d->remote, "%s", sip_header(response, "To", 0));
	if (*sip_uri(response, "Contact"))
		snprintf(d->target, sizeof d->target, "%s", sip_uri(response, "Contact"));
}

void dialog_reply(struct dialog *d, const struct sip *request, unsigned code, const char *headers, const char *body)
{
	char contact[400];
	snprintf(contact, sizeof contact, "%sContact: <sip:%s@%s>\r\n", headers ? headers : "", d->agent->name, where(d->agent));
	dialog_reply_as(d, request, code, code > 100 && code < 300 ? contact : headers, body);
}

void dialog_reply_as(struct dialog *d, const struct sip *request, unsigned code, const char *headers, const char *body)
{
	char text[SIP_BYTES];
	size_t n = 0;
	bool dialog = *sip_tag(request, "To");
	add(text, &n, "SIP/2.0 %u Whatever\r\n", code);
	for (unsigned i = 0; *sip_header(request, "Via", i); i++)
		add(text, &n, "Via: %s\r\n", sip_header(request, "Via", i));
	add(text, &n, "From: %s\r\nTo: %s", sip_header(request, "From", 0), sip_header(request, "To", 0));
	if (code > 100 && !dialog)
		add(text, &n, ";tag=%s", d->tag);
	add(text, &n, "\r\nCall-ID: %s\r\nCSeq: %s\r\nServer: agent-of-%s\r\n", sip_header(request, "Call-ID", 0), sip_header(request, "CSeq", 0),
		d->agent->name);
	add_end(text, &n, headers, body);
	agent_send(d->agent, &request->source, text);
}

const struct sip *dialog_expect(struct dialog *d, const char *what)
{
	const struct sip *m = agent_expect(d->agent, what, 3000);
	CHECK(!strcmp(sip_header(m, "Call-ID", 0), d->call_id), "%s: %s of another call:\n%s", d->agent->name, what, m->text);
	if (m->code > 100 && m->code < 300 && !strcmp(m->method, "INVITE"))
		dialog_learn(d, m);
	return m;
}
