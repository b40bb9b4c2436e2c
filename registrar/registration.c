/* What happens to an entry (behaviour: outbound registration). A round is one wish - to be registered, to be taken back - and all
 * requests that it takes: with credentials, with a longer expiry, at another address. */
#include "registrar/registrar.h"
#include "base/log.h"
#include "shm/names.h"
#include "sip/msg_parts.h"
#include <errno.h>
#include <stdio.h>

#define AUTO_EXPIRES   3600u
#define NAME_AGAIN_MS  500u  /* how often a name without address is looked up */
#define ANSWER_WAIT_MS 1000u /* for the answer to a REGISTER under way before it is taken back (RFC 3261 section 10.2) */
#define TOO_BRIEF_MAX  2u
#define LATE_MS	       100u  /* behind a deadline: whoever was to keep it was away */

#define SPAN_ARG(s) (int)(s).n, (s).p

static const char *id_of(const struct job *j)
{
	static char text[REGISTRATION_ID + 1];
	struct span id = registration_id(j->r);
	memcpy(text, id.p, id.n);
	text[id.n] = 0;
	return text;
}

static void say(struct job *j, const char *error)
{
	snprintf(j->s.error, sizeof j->s.error, "%s", error);
}

static bool bound(const struct job *j)
{
	return j->s.expires_ms > j->now;
}

static uint64_t retry_ms(const struct job *j)
{
	return j->now + (uint64_t)j->g->c->param[P_SS_SIP_USER_AGENT_RETRY_DELAY];
}

/* --- ends of a round --- */

/* it is taken back, or never was registered */
static void left(struct job *j, const char *error)
{
	bool was = j->s.expires_ms != 0;
	j->s.request = REQUEST_NONE;
	j->s.expires_ms = j->s.next_ms = j->s.leave_ms = 0;
	j->s.phase = REGISTRATION_UNREGISTERED;
	say(j, error);
	if (j->s.leave == LEAVE_REMOVED)
		j->gone = true;
	else if (j->s.leave == LEAVE_ORDER)
		j->s.leave = LEAVE_NOT;
	if (was)
		j->event = EVENT_UNREGISTERED;
	if (*error)
		log_warning("registration %s: not taken back: %s", id_of(j), error);
	else if (was)
		log_info("registration %s: taken back", id_of(j));
}

static void failed(struct job *j, const char *error);

static bool resolve(struct job *j)
{
	struct registration_state *s = &j->s;
	struct addr at[NAME_ADDRESSES];
	if (s->account.proxy.family) {
		s->server = s->account.proxy;
		return true;
	}
	int n = names_lookup(j->g->env, job_text(j, ACCOUNT_HOST), (uint16_t)s->account.proxy_port, (uint8_t)s->account.transport, at, NAME_ADDRESSES);
	int i = 0;
	for (int k = 0; k < n; k++)
		if (addr_eq(&at[k], &s->server) && !s->avoid)
			return true; /* stays with the one that it knows */
	if (n > 1 && addr_eq(&at[0], &s->server))
		i = 1;
	if (n > 0)
		s->server = at[i];
	s->avoid = 0;
	return s->server.family != 0;
}

/* one more request of the round */
static void request(struct job *j, enum registration_request what)
{
	struct registration_state *s = &j->s;
	int r;
	s->to = s->redirected ? s->elsewhere : s->server;
	r = compose_listen(j->g->c, &s->to, s->account.port, &s->listen);
	s->request = (uint8_t)what;
	s->cseq++;
	s->number++;
	s->resends = 0;
	s->next_ms = 0;
	s->resend_ms = j->now + j->g->c->resend.interval[0];
	if (r == 0)
		r = compose_register(j);
	if (r < 0) {
		failed(j, r == -EADDRNOTAVAIL ? "no address of sip.listen suits the proxy's and `port`" : "the request is too long");
		return;
	}
	j->send = true;
	count_one(j->g->head, COUNT_REGISTERS);
}

static void begin(struct job *j, enum registration_request what)
{
	struct registration_state *s = &j->s;
	s->redirects = s->too_brief = 0;
	s->challenge[0].answered = s->challenge[1].answered = 0;
	if (what == REQUEST_UNREGISTER) {
		s->asked = 0;
		request(j, what);
		return;
	}
	if (!resolve(j)) {
		const char *why = names_reason(j->g->env, job_text(j, ACCOUNT_HOST), (uint16_t)s->account.proxy_port, (uint8_t)s->account.transport);
		snprintf(s->error, sizeof s->error, "%.60s: %.30s", *why ? why : "not resolved", job_text(j, ACCOUNT_HOST).p);
		s->phase = REGISTRATION_UNRESOLVED;
		s->next_ms = j->now + NAME_AGAIN_MS;
		return;
	}
	if (s->account.transport != TRANSPORT_UDP) {
		failed(j, "only udp is available towards proxies");
		return;
	}
	s->asked = s->account.period ? s->account.period : AUTO_EXPIRES;
	if (s->asked < s->min_expires)
		s->asked = s->min_expires;
	if (!bound(j))
		s->phase = REGISTRATION_REGISTERING;
	request(j, REQUEST_REGISTER);
}

static void failed(struct job *j, const char *error)
{
	struct registration_state *s = &j->s;
	bool wanted = s->request == REQUEST_UNREGISTER;
	s->request = REQUEST_NONE;
	s->redirected = 0;
	s->avoid = 1;
	if (job_leaving(s)) {
		if (!wanted && bound(j))
			begin(j, REQUEST_UNREGISTER);
		else
			left(j, wanted ? error : "");
		return;
	}
	count_one(j->g->head, COUNT_REGISTER_FAILED);
	if (!s->told || strcmp(s->error, error) != 0)
		log_warning("registration %s: failed: %s; tried again every %u s", id_of(j), error, (unsigned)((retry_ms(j) - j->now) / 1000));
	s->told = 1;
	s->phase = REGISTRATION_FAILED;
	s->next_ms = retry_ms(j);
	say(j, error);
	j->event = EVENT_REGISTRATION_FAILED;
}

/* --- 200 --- */

static bool is_ours(struct span uri, struct span own)
{
	struct msg_uri a, b;
	return uri_parse(uri, &a) == 0 && uri_parse(own, &b) == 0 && span_eq(uri_user(&a), uri_user(&b)) && span_ieq(a.host, b.host) &&
	       (a.port ? a.port : 5060) == (b.port ? b.port : 5060);
}

static bool number_of(struct span text, uint32_t *ret_seconds)
{
	int64_t v;
	if (part_number(part_trim(text), INT32_MAX, &v) < 0)
		return false;
	*ret_seconds = (uint32_t)v;
	return true;
}

/* One Contact value; true: it is ours. */
static bool read_contact(struct span value, struct span own, uint32_t *ret_seconds, bool *ret_given)
{
	struct msg_address a;
	struct span expires;
	if (address_parse(value, &a) < 0 || !is_ours(a.uri, own))
		return false;
	*ret_given = msg_param(a.params, SPAN("expires"), &expires) && number_of(expires, ret_seconds);
	return true;
}

/* The upstream lists all bindings of the account, and the reader of messages keeps only the first few: the lines themselves. */
static bool find_contact(const struct msg *m, struct span own, uint32_t *ret_seconds, bool *ret_given)
{
	struct span rest = m->raw;
	while (rest.n) {
		struct span line = span_line(&rest), value;
		const char *colon = line.n ? memchr(line.p, ':', line.n) : NULL;
		if (!line.n)
			return false;
		if (!colon || part_header(part_trim((struct span){ line.p, (size_t)(colon - line.p) })) != HEADER_CONTACT)
			continue;
		struct span list = { colon + 1, line.n - (size_t)(colon + 1 - line.p) };
		while (msg_next_value(&list, &value))
			if (read_contact(value, own, ret_seconds, ret_given))
				return true;
	}
	return false;
}

/* Contact's `expires`, else the Expires header, else what was asked */
static uint32_t granted(const struct job *j, const struct msg *m)
{
	char text[REGISTRATION_URI * 2];
	struct out own = out_init(text, sizeof text);
	uint32_t seconds = j->s.asked;
	bool given = false, found = false;
	compose_contact(j, &own);
	for (uint32_t i = 0; i < m->n_contacts && !found; i++)
		found = !m->contacts[i].star && read_contact(m->contacts[i].value, out_done(&own), &seconds, &given);
	if (!found && m->n_contacts == MSG_CONTACTS)
		find_contact(m, out_done(&own), &seconds, &given);
	if (!given && m->expires >= 0)
		seconds = (uint32_t)m->expires;
	return seconds;
}

static void registered(struct job *j, const struct msg *m)
{
	struct registration_state *s = &j->s;
	bool before = bound(j);
	s->granted = granted(j, m);
	if (!s->granted) {
		s->expires_ms = 0;
		failed(j, "answered with 200 but not kept");
		return;
	}
	s->request = REQUEST_NONE;
	s->phase = REGISTRATION_REGISTERED;
	s->expires_ms = j->now + s->granted * 1000ull;
	s->told = s->avoid = 0;
	say(j, "");
	/* a fixed period is ours: refreshed at half of it, or of what was granted; else the upstream's */
	uint64_t smaller = s->asked < s->granted ? s->asked : s->granted;
	s->next_ms = j->now + (s->account.period ? smaller * 500ull : s->granted * 800ull);
	count_one(j->g->head, COUNT_REGISTERED);
	if (!before) {
		j->event = EVENT_REGISTERED;
		char to[ADDR_TEXT_MAX];
		addr_format(&s->to, false, to, sizeof to);
		log_info("registration %s: registered with %s for %u s", id_of(j), to, s->granted);
	}
	if (job_leaving(s))
		begin(j, REQUEST_UNREGISTER);
}

/* --- other answers --- */

static bool ask_longer(struct job *j, const struct msg *m)
{
	uint32_t least = 0;
	if (j->s.request != REQUEST_REGISTER || j->s.too_brief++ >= TOO_BRIEF_MAX || !number_of(msg_other(m, SPAN("Min-Expires")), &least) ||
	    least <= j->s.asked)
		return false;
	j->s.min_expires = j->s.asked = least;
	request(j, REQUEST_REGISTER);
	return true;
}

static bool follow(struct job *j, const struct msg *m)
{
	struct registration_state *s = &j->s;
	struct addr to;
	if (s->redirects || !m->n_contacts || m->contacts[0].star || m->contacts[0].u.scheme != MSG_SCHEME_SIP ||
	    m->contacts[0].uri.n > sizeof s->uri || uri_addr(&m->contacts[0].u, &to) < 0)
		return false;
	s->redirects = 1;
	s->redirected = 1;
	s->elsewhere = to;
	memcpy(s->uri, m->contacts[0].uri.p, m->contacts[0].uri.n);
	s->uri_n = (uint32_t)m->contacts[0].uri.n;
	request(j, (enum registration_request)s->request);
	return true;
}

static void refused(struct job *j, const struct msg *m, const char *why)
{
	char text[REGISTRATION_ERROR];
	if (why)
		snprintf(text, sizeof text, "%u: %s", m->status, why);
	else
		snprintf(text, sizeof text, "%u %.*s", m->status, (int)(m->status_reason.n < 60 ? m->status_reason.n : 60),
			m->status_reason.n ? m->status_reason.p : "");
	for (char *p = text; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	failed(j, text);
}

void registration_answered(struct registrar *g, uint32_t slot, uint32_t number, const struct msg *m, uint64_t now)
{
	static struct job j;
	const char *why = NULL;
	job_open(&j, g, slot, now);
	struct registration_state *s = &j.s;
	if (!s->request || number != s->number || m->status < 200)
		return;
	s->last_code = m->status;
	if (m->status < 300 && s->request == REQUEST_UNREGISTER)
		left(&j, "");
	else if (m->status < 300)
		registered(&j, m);
	else if ((m->status == 401 || m->status == 407) && challenge_keep(&j, m, &why))
		request(&j, (enum registration_request)s->request);
	else if (m->status == 423 && ask_longer(&j, m))
		;
	else if ((m->status == 301 || m->status == 302) && follow(&j, m))
		;
	else
		refused(&j, m, why);
	job_commit(&j);
}

/* --- time --- */

static void not_answered(struct job *j)
{
	const struct cfg_resend *list = &j->g->c->resend;
	struct registration_state *s = &j->s;
	if (s->resends >= list->limit) {
		s->last_code = 408;
		failed(j, "no answer");
		return;
	}
	uint64_t from = j->now - s->resend_ms > LATE_MS ? j->now : s->resend_ms;
	s->resends++;
	s->resend_ms = from + list->interval[s->resends < list->limit ? s->resends : 0];
	j->send = true;
	count_one(j->g->head, COUNT_RESENT);
}

static void lapsed(struct job *j)
{
	j->s.expires_ms = 0;
	if (j->s.phase == REGISTRATION_REGISTERED)
		j->s.phase = j->s.request ? REGISTRATION_REGISTERING : REGISTRATION_FAILED;
	if (!j->event)
		j->event = EVENT_UNREGISTERED;
	log_warning("registration %s: expired", id_of(j));
}

void registration_due(struct registrar *g, uint32_t slot, uint64_t now)
{
	static struct job j;
	job_open(&j, g, slot, now);
	struct registration_state *s = &j.s;
	bool leaving = job_leaving(s);
	if (s->expires_ms && s->expires_ms <= now)
		lapsed(&j);
	if (leaving && s->leave_ms <= now)
		left(&j, "no answer in time");
	else if (leaving && s->next_ms && s->next_ms <= now)
		begin(&j, REQUEST_UNREGISTER);
	else if (s->request && s->resend_ms <= now)
		not_answered(&j);
	else if (!s->request && s->next_ms && s->next_ms <= now)
		begin(&j, REQUEST_REGISTER);
	job_commit(&j);
}

/* --- orders --- */

void registration_leave(struct job *j, enum registration_leave why)
{
	struct registration_state *s = &j->s;
	bool send = why == LEAVE_ORDER || j->g->c->param[P_SS_SIP_USER_AGENT_SEND_UNREGISTER];
	bool under_way = job_leaving(s);
	if (why > s->leave)
		s->leave = (uint8_t)why;
	if (under_way)
		return; /* its time runs already */
	if (s->phase == REGISTRATION_UNREGISTERED || !send || (!bound(j) && s->request != REQUEST_REGISTER)) {
		left(j, "");
		return;
	}
	s->leave_ms = j->now + j->g->c->registration.unregister_timeout;
	s->next_ms = schedule_leave(j->g, j->now);
	if (s->request) {
		uint64_t half = j->g->c->registration.unregister_timeout / 2;
		s->next_ms = j->now + (half < ANSWER_WAIT_MS ? half : ANSWER_WAIT_MS);
	}
}

void registration_order(struct registrar *g, uint32_t slot, bool on, uint64_t now)
{
	static struct job j;
	job_open(&j, g, slot, now);
	if (j.s.leave == LEAVE_REMOVED || j.s.leave == LEAVE_STOP)
		return;
	if (!on) {
		if (j.s.phase == REGISTRATION_UNREGISTERED)
			return;
		registration_leave(&j, LEAVE_ORDER);
	} else {
		if (j.s.request == REQUEST_REGISTER && !j.s.leave)
			return;
		j.s.leave = LEAVE_NOT;
		j.s.request = REQUEST_NONE;
		if (j.s.phase != REGISTRATION_REGISTERED)
			j.s.phase = REGISTRATION_WAITING;
		begin(&j, REQUEST_REGISTER);
	}
	job_commit(&j);
}
