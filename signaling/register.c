#include "signaling/register.h"
#include "signaling/auth.h"
#include "signaling/bindings.h"
#include "signaling/compose.h"
#include "signaling/contact.h"
#include "signaling/peer.h"
#include "signaling/transport.h"
#include <errno.h>

#define RETRY_AFTER_S 30u /* when the table is full */
#define LINES_MAX     (LOCATION_PATH_MAX + LOCATION_CONTACTS * (LOCATION_URI_MAX + LOCATION_INSTANCE_MAX + 128u))

/* One REGISTER being worked on. */
struct reg {
	struct sig *g;
	const struct event *ev;
	const struct cfg_account *account;
	struct span id;
	struct contact asked[MSG_CONTACTS];
	uint32_t n_asked;
	struct span path;
	uint64_t call_id;
	struct location_set set; /* the account's contacts: as they were, then as they will be */
	char path_text[LOCATION_PATH_MAX];
};

uint32_t register_owner(const struct sig *g, const struct msg *m)
{
	struct span account = uri_user(&m->to.u);
	return CMM_LOAD_SHARED(g->env->roster->partition[steer_hash(account.p, account.n)]);
}

/* --- answers --- */

/* What is let through is remembered: its repetition could not show its credentials again. */
static void answer(const struct reg *r, uint16_t code, const char *phrase, struct span lines)
{
	struct sig *g = r->g;
	struct out o = compose_begin(g);
	struct event of_peer = *r->ev;
	struct addr to;
	compose_reply(g, &o, r->ev, code, span_of(phrase), lines);
	of_peer.reply = peer_reply_mode_of(g, r->ev);
	reply_address(&of_peer, &to);
	if (o.full)
		return;
	done_add(g, DONE_RESPONSE, key_server(g, r->ev->m, METHOD_REGISTER), out_done(&o), r->ev->listen, &to, r->ev->now);
	transport_queue_copy(g, o.p, o.n, r->ev->listen, &to);
}

static void refuse(const struct reg *r, uint16_t code, const char *phrase, struct span lines)
{
	count_one(r->g->head, COUNT_ENDPOINT_REFUSED);
	answer(r, code, phrase, lines);
	if (code == 403)
		auth_register_failed(r->g, r->ev, r->id);
}

static void out_contact(struct out *o, const struct location_set *set, uint32_t i, uint64_t now)
{
	const struct location_binding *b = &set->at[i].b;
	out_lit(o, "Contact: <");
	out_span(o, set->at[i].text[LOCATION_URI]);
	out_lit(o, ">;expires=");
	out_u64(o, (b->expires_ms - now + 999) / 1000);
	if (b->q < 1000) {
		out_lit(o, ";q=0.");
		out_char(o, (char)('0' + b->q / 100));
		out_char(o, (char)('0' + b->q / 10 % 10));
		out_char(o, (char)('0' + b->q % 10));
	}
	if (set->at[i].text[LOCATION_INSTANCE].n) {
		out_lit(o, ";+sip.instance=\"");
		out_span(o, set->at[i].text[LOCATION_INSTANCE]);
		out_char(o, '"');
	}
	if (b->reg_id) {
		out_lit(o, ";reg-id=");
		out_u64(o, b->reg_id);
	}
	out_lit(o, "\r\n");
}

/* all contacts there are now (section 10.3, step 8), and the Path we keep (RFC 3327 section 5.3) */
static void grant(struct reg *r)
{
	static char lines[LINES_MAX];
	struct out o = out_init(lines, sizeof lines);
	if (r->path.n) {
		out_lit(&o, "Path: ");
		out_span(&o, r->path);
		out_lit(&o, "\r\n");
	}
	for (uint32_t i = 0; i < r->set.n; i++)
		out_contact(&o, &r->set, i, r->ev->now);
	count_one(r->g->head, COUNT_ENDPOINT_REGISTERED);
	answer(r, 200, NULL, out_done(&o));
	auth_register_good(r->g, r->ev, r->id);
}

static void refuse_brief(const struct reg *r)
{
	char text[40];
	struct out o = out_init(text, sizeof text);
	out_lit(&o, "Min-Expires: ");
	out_u64(&o, REGISTER_EXPIRES_MIN_S);
	out_lit(&o, "\r\n");
	refuse(r, 423, NULL, out_done(&o));
}

static void refuse_full(const struct reg *r)
{
	char text[40];
	struct out o = out_init(text, sizeof text);
	out_lit(&o, "Retry-After: ");
	out_u64(&o, RETRY_AFTER_S);
	out_lit(&o, "\r\n");
	refuse(r, 503, NULL, out_done(&o));
}

/* --- reading --- */

/* true: refused for an extension we do not know */
static bool requires_unknown(const struct reg *r)
{
	char lines[512];
	struct out o = out_init(lines, sizeof lines);
	const struct msg_options *require = &r->ev->m->require;
	for (uint32_t i = 0; i < require->n; i++) {
		if (span_ieq(require->v[i], SPAN("path")))
			continue;
		out_span(&o, o.n ? SPAN(", ") : SPAN("Unsupported: "));
		out_span(&o, require->v[i]);
	}
	if (!o.n)
		return false;
	out_lit(&o, "\r\n");
	refuse(r, 420, NULL, o.full ? (struct span){ 0 } : out_done(&o));
	return true;
}

/* true: refused */
static bool read_contacts(struct reg *r)
{
	const struct msg *m = r->ev->m;
	struct out path = out_init(r->path_text, sizeof r->path_text);
	for (r->n_asked = 0; r->n_asked < m->n_contacts; r->n_asked++) {
		struct contact *c = &r->asked[r->n_asked];
		int error = contact_read(&m->contacts[r->n_asked], c);
		if (error) {
			refuse(r, error == -EMSGSIZE ? 513 : 400, error == -EMSGSIZE ? NULL : "Bad Request - Contact", (struct span){ 0 });
			return true;
		}
		if (c->asked_ms < 0)
			c->asked_ms = m->expires >= 0 ? (int64_t)m->expires * 1000 : r->g->c->param[P_SS_ENDPOINT_EXPIRE];
		if (c->asked_ms && c->asked_ms < (int64_t)REGISTER_EXPIRES_MIN_S * 1000) {
			refuse_brief(r);
			return true;
		}
	}
	contact_path(m, &path);
	if (path.full) {
		refuse(r, 513, NULL, (struct span){ 0 });
		return true;
	}
	r->path = out_done(&path);
	return false;
}

/* --- deciding --- */

static void drop(struct location_set *set, uint32_t i)
{
	memmove(&set->at[i], &set->at[i + 1], (set->n - i - 1) * sizeof set->at[0]);
	set->n--;
}

enum order { ORDER_GOOD, ORDER_SAME, ORDER_LATE };

/* Of one Call-ID only what is newer counts (section 10.3, steps 6 and 7). The very same is a request that a worker had worked off
 * when it died: nothing changes any more. */
static enum order order(const struct reg *r, const struct location_binding *b)
{
	if (b->call_id != r->call_id || r->ev->m->cseq > b->cseq)
		return ORDER_GOOD;
	return r->ev->m->cseq == b->cseq && addr_eq(&b->source, &r->ev->source) && r->ev->now - b->registered_ms < TXN_LIFE_MS
		? ORDER_SAME : ORDER_LATE;
}

static uint64_t granted(const struct reg *r, const struct contact *c, bool behind_nat)
{
	const struct config *cfg = r->g->c;
	uint64_t ms = (uint64_t)c->asked_ms, most = cfg->endpoint_expire_max;
	if (behind_nat && (uint64_t)cfg->param[P_SS_ENDPOINT_NAT_EXPIRE] < most)
		most = (uint64_t)cfg->param[P_SS_ENDPOINT_NAT_EXPIRE];
	return ms < most ? ms : most;
}

static struct span user_agent(const struct msg *m)
{
	struct span s = msg_other(m, SPAN("User-Agent"));
	if (s.n > LOCATION_USER_AGENT_MAX)
		s.n = LOCATION_USER_AGENT_MAX;
	return s;
}

static void enter(struct reg *r, uint32_t at, const struct contact *c)
{
	const struct event *ev = r->ev;
	bool fresh = at == r->set.n, behind_nat = contact_behind_nat(ev->m, c, r->path.n > 0, &ev->source);
	struct location_binding *b = &r->set.at[at].b;
	uint64_t first = fresh ? ev->now : b->first_ms;
	if (fresh)
		r->set.n++;
	*b = (struct location_binding){ .expires_ms = ev->now + granted(r, c, behind_nat), .registered_ms = ev->now, .first_ms = first,
		.call_id = r->call_id, .cseq = ev->m->cseq, .reg_id = c->reg_id, .q = c->q, .listen = ev->listen,
		.behind_nat = behind_nat, .source = ev->source, .target = contact_target(c, r->path, behind_nat, &ev->source) };
	b->source.bits = 0;
	struct span *text = r->set.at[at].text;
	text[LOCATION_URI] = c->uri;
	text[LOCATION_PATH] = r->path;
	text[LOCATION_INSTANCE] = c->instance;
	text[LOCATION_USER_AGENT] = user_agent(ev->m);
}

/* false: out of order, the request fails as a whole */
static bool apply(struct reg *r)
{
	for (uint32_t i = 0; i < r->n_asked; i++) {
		const struct contact *c = &r->asked[i];
		uint32_t at = contact_find(&r->set, c);
		enum order o = at < r->set.n ? order(r, &r->set.at[at].b) : ORDER_GOOD;
		/* a contact that this very request has brought may be named in it again */
		bool own = at < r->set.n && r->set.at[at].b.registered_ms == r->ev->now && r->set.at[at].text[LOCATION_URI].p >= r->ev->data &&
			   r->set.at[at].text[LOCATION_URI].p < r->ev->data + r->ev->n;
		if (!own && (o == ORDER_LATE || (o == ORDER_SAME && !c->asked_ms)))
			return false;
		if (c->asked_ms && (o == ORDER_GOOD || own))
			enter(r, at, c);
		else if (!c->asked_ms && at < r->set.n)
			drop(&r->set, at);
	}
	return true;
}

/* SS_ENDPOINT_REGISTER_REPLACE: those that have not been heard of for longest give way; false: too many */
static bool make_room(struct reg *r)
{
	while (r->set.n > r->account->max_contacts) {
		uint32_t oldest = LOCATION_NONE;
		for (uint32_t i = 0; i < r->set.n; i++) {
			const struct location_binding *b = &r->set.at[i].b;
			bool asked = b->call_id == r->call_id && b->cseq == r->ev->m->cseq;
			if (!asked && (oldest == LOCATION_NONE || b->registered_ms < r->set.at[oldest].b.registered_ms))
				oldest = i;
		}
		if (oldest == LOCATION_NONE || !r->g->c->param[P_SS_ENDPOINT_REGISTER_REPLACE])
			return false;
		drop(&r->set, oldest);
	}
	return true;
}

static void change(struct reg *r)
{
	uint32_t before = r->set.n;
	if (!apply(r)) {
		refuse(r, 500, "CSeq Out Of Order", (struct span){ 0 });
		return;
	}
	if (r->set.n > before && !make_room(r)) {
		refuse(r, 403, "Too Many Contacts", (struct span){ 0 });
		return;
	}
	int error = r->set.n > before && !bindings_room(r->g, r->set.n - before) ? -ENOSPC
										  : bindings_put(r->g, r->id, &r->set, r->ev->now);
	if (error == -EMSGSIZE)
		refuse(r, 513, NULL, (struct span){ 0 });
	else if (error)
		refuse_full(r);
	else
		grant(r);
}

/* "Contact: *": all of them, if each may be removed (section 10.3, step 6) */
static void change_all(struct reg *r)
{
	const struct msg *m = r->ev->m;
	if (m->n_contacts != 1 || m->expires != 0) {
		refuse(r, 400, "Bad Request - Contact", (struct span){ 0 });
		return;
	}
	for (uint32_t i = 0; i < r->set.n; i++)
		if (order(r, &r->set.at[i].b) != ORDER_GOOD) {
			refuse(r, 500, "CSeq Out Of Order", (struct span){ 0 });
			return;
		}
	r->set.n = 0;
	bindings_put(r->g, r->id, &r->set, r->ev->now);
	grant(r);
}

void register_request(struct sig *g, const struct event *ev)
{
	static struct reg r; /* large, and one is worked on at a time */
	const struct msg *m = ev->m;
	struct auth auth;
	if (auth_check(g, ev, &auth) != AUTH_OK)
		return;
	r.g = g;
	r.ev = ev;
	r.account = cfg_account(g->c, auth.account);
	r.id = cfg_span(g->c, r.account->id);
	r.call_id = location_hash(m->call_id);
	r.n_asked = 0;
	r.path = (struct span){ 0 };
	if (!span_eq(r.id, uri_user(&m->to.u))) {
		refuse(&r, 403, NULL, (struct span){ 0 });
		return;
	}
	if (requires_unknown(&r))
		return;
	bool star = false;
	for (uint32_t i = 0; i < m->n_contacts; i++)
		star = star || m->contacts[i].star;
	if (!star && read_contacts(&r))
		return;
	bindings_get(g, r.id, ev->now, &r.set);
	if (star)
		change_all(&r);
	else if (r.n_asked)
		change(&r);
	else
		grant(&r);
}
