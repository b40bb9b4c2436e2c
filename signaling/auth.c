#include "signaling/auth.h"
#include "shm/location.h"
#include "signaling/auth_book.h"
#include "signaling/compose.h"
#include "signaling/nonce.h"
#include "signaling/peer.h"
#include "signaling/protect.h"
#include "signaling/trace.h"
#include "signaling/transport.h"
#include "sip/digest.h"

#define TRUST_MS 600000u /* how long an address from which somebody has authenticated is spared by flood protection */

struct request { /* what is judged */
	struct auth_asker who;
	uint32_t account;     /* that the credentials must be right for; CONFIG_NONE: there is none of that name, or it is disabled */
	uint32_t like;        /* the account that it is, or, for none, one that it looks like */
	bool gateway, silent; /* the source is a gateway's; strangers get no answer */
	bool shown;           /* `d` is there */
	struct digest_credentials d;
	struct nonce nonce;
	struct span call_id;  /* tells attempts apart: those of other phones behind the same NAT are not this one's */
};

/* --- who asks ---------------------------------------------------------------------------------------------------- */

/* the first credentials for our realm */
static bool find_credentials(const struct sig *g, const struct msg *m, struct digest_credentials *ret)
{
	struct span realm = cfg_span(g->c, g->c->sip.realm);
	for (uint32_t i = 0; i < m->n_others; i++) {
		struct span name = m->others[i].name;
		bool fits = span_ieq(name, SPAN("Authorization")) || span_ieq(name, SPAN("Proxy-Authorization"));
		if (fits && digest_read_credentials(m->others[i].value, ret) == 0 && span_eq(ret->realm, realm))
			return true;
	}
	return false;
}

static uint32_t find_account(const struct config *c, struct span name)
{
	uint32_t i = config_account(c, name);
	return i != CONFIG_NONE && cfg_account(c, i)->enabled ? i : CONFIG_NONE;
}

/* Without credentials the From says who it is; where that is anonymous the Contact may. */
static void name_without_credentials(const struct sig *g, const struct msg *m, struct request *r)
{
	struct span contact = m->n_contacts && !m->contacts[0].star ? uri_user(&m->contacts[0].u) : (struct span){ 0 };
	r->who.name = uri_user(&m->from.u);
	r->account = find_account(g->c, r->who.name);
	if (r->account != CONFIG_NONE)
		return;
	r->account = find_account(g->c, contact);
	if (r->account != CONFIG_NONE)
		r->who.name = contact;
}

static void who_asks(const struct sig *g, const struct event *ev, struct request *r)
{
	const struct msg *m = ev->m;
	memset(r, 0, sizeof *r);
	r->who.source = ev->source;
	r->who.now = ev->now;
	r->who.request = key_server(g, m, m->method);
	r->gateway = g->routes && routes_known_source(g->routes, g->c, &ev->source);
	r->silent = !r->gateway && !g->c->param[P_SS_REPLY_UNAUTHORIZED];
	r->shown = find_credentials(g, m, &r->d);
	if (r->shown) /* another guess in the same transaction is no repetition */
		r->who.request ^= hash_sip(&g->private_key, r->d.response.p, r->d.response.n);
	r->call_id = m->call_id;
	if (m->method == METHOD_REGISTER) {
		r->who.name = uri_user(&m->to.u);
		r->account = find_account(g->c, r->who.name);
	} else if (r->shown) {
		r->who.name = r->d.username;
		r->account = find_account(g->c, r->who.name);
	} else {
		name_without_credentials(g, m, r);
	}
	/* Whoever asks for a name that nobody has is treated as if it were that of some account, always the same one: what is
	 * offered and how long it takes tell nothing. */
	r->like = r->account;
	if (r->like == CONFIG_NONE && g->c->accounts.n)
		r->like = (uint32_t)(hash_sip(&g->private_key, r->who.name.p, r->who.name.n) % g->c->accounts.n);
}

/* gateways and contacts that are registered are not suspended; ports count: a NAT has several phones behind it */
static bool spared(const struct sig *g, const struct request *r)
{
	static struct location_contact at[LOCATION_CONTACTS]; /* large */
	if (r->gateway)
		return true;
	uint32_t n = location_lookup(g->env, r->who.name, r->who.now, at, LOCATION_CONTACTS);
	for (uint32_t i = 0; i < n; i++)
		if (addr_eq(&at[i].source, &r->who.source))
			return true;
	return false;
}

/* --- answers ----------------------------------------------------------------------------------------------------- */

static void answer(struct sig *g, const struct event *ev, uint16_t code, struct span lines)
{
	struct out o = compose_begin(g);
	struct event of_peer = *ev;
	struct addr to;
	compose_reply(g, &o, ev, code, (struct span){ 0 }, lines);
	of_peer.reply = peer_reply_mode_of(g, ev);
	reply_address(&of_peer, &to);
	if (!o.full)
		transport_queue_copy(g, o.p, o.n, ev->listen, &to);
}

static enum auth_result refuse(struct sig *g, const struct event *ev, const struct request *r, const char *why)
{
	count_one(g->head, COUNT_AUTH_REFUSED);
	protect_count(g, &ev->source, BAN_UNAUTHORISED);
	if (g->tracing)
		trace_note(g, "authentication of %.*s: refused, %s", TRACE_SPAN(r->who.name), why);
	answer(g, ev, 403, (struct span){ 0 });
	return AUTH_ANSWERED;
}

static bool suspended(const struct sig *g, const struct request *r)
{
	return book_suspended(g, &r->who) && !spared(g, r);
}

static enum auth_result refuse_suspended(struct sig *g, const struct event *ev, const struct request *r)
{
	if (!r->silent)
		return refuse(g, ev, r, "suspended");
	count_one(g->head, COUNT_AUTH_REFUSED);
	protect_count(g, &ev->source, BAN_UNAUTHORISED);
	return AUTH_IGNORED;
}

static enum auth_result ignore(struct sig *g, const struct event *ev, const struct request *r)
{
	count_one(g->head, COUNT_UNAUTHORISED);
	protect_count(g, &ev->source, BAN_UNAUTHORISED);
	if (g->tracing)
		trace_note(g, "%.*s names no account: no answer", TRACE_SPAN(r->who.name));
	book_unknown(g, &r->who);
	return AUTH_IGNORED;
}

static struct digest_secret secret_of(const struct config *c, const struct cfg_account *a)
{
	return (struct digest_secret){ cfg_span(c, a->password), cfg_span(c, a->ha1) };
}

static bool offered(const struct sig *g, const struct request *r, enum md algorithm)
{
	const struct digest_secret s = secret_of(g->c, cfg_account(g->c, r->like));
	return (algorithm == MD_MD5 ? g->c->sip.digest_md5 : g->c->sip.digest_sha256) && digest_serves(&s, algorithm);
}

/* one header per algorithm, the preferred one first (RFC 8760 section 2.4) */
static enum auth_result challenge(struct sig *g, const struct event *ev, const struct request *r, bool stale)
{
	bool proxy = g->c->param[P_SS_SIP_AUTHENTICATION_CODE] == 407, sha256_first = g->c->sip.digest_sha256_first;
	char nonce[TOKEN_TEXT], text[1024];
	struct out lines = out_init(text, sizeof text);
	const enum md order[] = { sha256_first ? MD_SHA256 : MD_MD5, sha256_first ? MD_MD5 : MD_SHA256 };
	nonce_make(g, ev->now, nonce);
	for (unsigned i = 0; i < 2; i++) {
		const struct digest_challenge c = { .realm = cfg_span(g->c, g->c->sip.realm), .nonce = { nonce, TOKEN_TEXT }, .algorithm = order[i],
			.qop = true, .stale = stale };
		if (!offered(g, r, order[i]))
			continue;
		out_span(&lines, proxy ? SPAN("Proxy-Authenticate: ") : SPAN("WWW-Authenticate: "));
		digest_write_challenge(&c, &lines);
		out_lit(&lines, "\r\n");
	}
	count_one(g->head, COUNT_CHALLENGED);
	if (g->tracing)
		trace_note(g, "authentication of %.*s: challenged%s", TRACE_SPAN(r->who.name), stale ? ", the nonce was stale" : "");
	answer(g, ev, proxy ? 407 : 401, out_done(&lines));
	return AUTH_ANSWERED;
}

/* --- credentials ------------------------------------------------------------------------------------------------- */

static uint32_t count_shown(const struct request *r)
{
	return r->d.qop ? r->d.nc : NONCE_ONCE;
}

static enum auth_shown judge(const struct sig *g, const struct event *ev, struct request *r)
{
	if (!r->shown || !offered(g, r, r->d.algorithm))
		return SHOWN_NOTHING;
	if (nonce_read(g, r->d.nonce, ev->now, &r->nonce) < 0)
		return SHOWN_STALE; /* whatever else it says: a guess with it tells nothing */
	const struct cfg_account *a = cfg_account(g->c, r->like);
	const struct digest_secret s = secret_of(g->c, a);
	bool right = digest_verify(&r->d, ev->m->method_text, &s);
	right &= r->account != CONFIG_NONE && span_eq(r->d.username, cfg_span(g->c, a->id));
	return right ? SHOWN_RIGHT : SHOWN_WRONG;
}

/* The nonce once more: a count that was used, or a first use that comes after the attempt it was for is forgotten. One that has let
 * somebody in before answers no challenge of this attempt: its time-out is none of its business. */
static enum auth_shown judge_nonce(const struct sig *g, const struct request *r, struct auth_state *attempt, const struct auth_limits *l)
{
	enum nonce_use use = nonce_look(&g->env->region[g->env->seat], &g->private_key, r->nonce.id, count_shown(r));
	if (use == NONCE_REPLAYED)
		return SHOWN_STALE;
	if (use == NONCE_AGAIN)
		*attempt = (struct auth_state){ 0 };
	bool late = use == NONCE_FIRST && r->nonce.age_ms > l->timeout && !auth_under_way(attempt, r->who.now);
	return late ? SHOWN_STALE : SHOWN_RIGHT;
}

/* The digest covers the Request-URI as the client wrote it: whom it calls must be who is called (RFC 7616 section 3.4.6). A
 * REGISTER's says nothing but the domain. */
static bool covers_target(const struct event *ev, const struct request *r)
{
	struct msg_uri u;
	if (!r->shown || ev->m->method == METHOD_REGISTER)
		return true;
	return uri_parse(r->d.uri, &u) == 0 && span_eq(uri_user(&u), uri_user(&ev->m->ruri));
}

static enum auth_result admit(struct sig *g, const struct event *ev, const struct request *r, struct auth *ret_auth)
{
	nonce_use(&g->env->region[g->env->seat], &g->private_key, r->nonce.id, count_shown(r));
	book_count(g, &r->who, AUTH_RIGHT);
	protect_trust(g, &ev->source, ev->now + TRUST_MS);
	count_one(g->head, COUNT_AUTHENTICATED);
	if (g->tracing)
		trace_note(g, "authentication of %.*s: right", TRACE_SPAN(r->who.name));
	ret_auth->account = r->account;
	return AUTH_OK;
}

static bool wrong_password(struct sig *g, const struct event *ev, const struct request *r)
{
	count_one(g->head, COUNT_WRONG_PASSWORDS);
	protect_count(g, &ev->source, BAN_UNAUTHORISED);
	return !spared(g, r) && book_count(g, &r->who, ev->m->method == METHOD_REGISTER ? AUTH_WRONG_REGISTER : AUTH_WRONG);
}

static enum auth_result decide(struct sig *g, const struct event *ev, struct request *r, struct auth *ret_auth)
{
	const struct auth_limits l = auth_limits(g->c);
	struct auth_state attempt;
	enum auth_shown shown = judge(g, ev, r);
	book_attempt(g, &r->who, r->call_id, &attempt);
	if (shown == SHOWN_RIGHT)
		shown = judge_nonce(g, r, &attempt, &l);
	bool now_suspended = shown == SHOWN_WRONG && wrong_password(g, ev, r);
	enum auth_verdict v = auth_attempt(&attempt, &l, shown, r->who.request, r->who.now);
	book_attempt_put(g, &r->who, r->call_id, &attempt);
	if (v == VERDICT_PASS)
		return admit(g, ev, r, ret_auth);
	if (v == VERDICT_REFUSE || now_suspended)
		return refuse(g, ev, r, now_suspended ? "now suspended" : attempt.over ? "time-out" : "too many challenges");
	if (shown != SHOWN_WRONG)
		protect_count(g, &ev->source, BAN_CHALLENGED);
	return challenge(g, ev, r, shown == SHOWN_STALE);
}

enum auth_result auth_check(struct sig *g, const struct event *ev, struct auth *ret_auth)
{
	struct request r;
	who_asks(g, ev, &r);
	if (r.silent && r.account == CONFIG_NONE)
		return ignore(g, ev, &r);
	if (!g->c->accounts.n)
		return refuse(g, ev, &r, "there are no accounts");
	if (suspended(g, &r))
		return refuse_suspended(g, ev, &r);
	if (!covers_target(ev, &r)) {
		protect_count(g, &ev->source, BAN_UNAUTHORISED);
		answer(g, ev, 400, (struct span){ 0 });
		return AUTH_ANSWERED;
	}
	return decide(g, ev, &r, ret_auth);
}

enum auth_result auth_stranger(struct sig *g, const struct event *ev)
{
	struct request r;
	who_asks(g, ev, &r);
	if (r.silent && r.account == CONFIG_NONE)
		return ignore(g, ev, &r);
	if (suspended(g, &r))
		return refuse_suspended(g, ev, &r);
	return AUTH_OK;
}

bool auth_answers(const struct sig *g, const struct event *ev)
{
	struct request r;
	if (g->c->param[P_SS_REPLY_UNAUTHORIZED])
		return true;
	who_asks(g, ev, &r);
	return !r.silent || r.account != CONFIG_NONE;
}

/* --- registrations ----------------------------------------------------------------------------------------------- */

static void registration(struct sig *g, const struct event *ev, struct span account, enum auth_event how)
{
	struct request r = { .who = { account, ev->source, key_server(g, ev->m, ev->m->method), ev->now } };
	r.gateway = g->routes && routes_known_source(g->routes, g->c, &ev->source);
	if (how == AUTH_REGISTERED || !spared(g, &r))
		book_count(g, &r.who, how);
}

void auth_register_failed(struct sig *g, const struct event *ev, struct span account)
{
	registration(g, ev, account, AUTH_FAILED_REGISTER);
}

void auth_register_good(struct sig *g, const struct event *ev, struct span account)
{
	registration(g, ev, account, AUTH_REGISTERED);
}

void auth_open(struct sig *g)
{
	auth_adopt(&g->env->region[g->env->seat]);
}
