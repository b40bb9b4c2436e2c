#include "signaling/identity.h"
#include "signaling/compose.h"
#include "signaling/fork.h"
#include "signaling/numbers.h"
#include "signaling/transport.h"
#include "signaling/upstream.h"

/* --- arrival --- */

struct span identity_callee(const struct config *c, const struct cfg_mapping_gateway *mg, const struct msg *m)
{
	struct span callee = mg->callee_from == CALLEE_FROM_REQUEST_LINE ? uri_user(&m->ruri) : uri_user(&m->to.u);
	struct span prefix = cfg_span(c, mg->tech_prefix);
	if (prefix.n && span_starts(callee, prefix))
		return (struct span){ callee.p + prefix.n, callee.n - prefix.n };
	return callee;
}

struct span identity_caller(const struct cfg_mapping_gateway *mg, const struct msg *m)
{
	switch (mg->caller_from) {
	case CALLER_FROM_RPID:
		if (mg->trusted && m->has_remote_party_id && m->remote_party_id.u.has_user)
			return uri_user(&m->remote_party_id.u);
		break;
	case CALLER_FROM_PAI:
		for (uint32_t i = 0; mg->trusted && i < m->n_identities; i++)
			if (m->identities[i].u.user_n)
				return uri_user(&m->identities[i].u);
		break;
	case CALLER_FROM_DISPLAY:
		if (m->from.display.n && m->from.display.n <= MSG_USER_BYTES)
			return m->from.display;
		break;
	default:
		break;
	}
	return uri_user(&m->from.u);
}

enum identity_asked identity_asked(struct span privacy)
{
	enum identity_asked asked = ASKED_NOTHING;
	for (size_t i = 0; i < privacy.n;) {
		size_t from = i;
		while (i < privacy.n && !strchr("; ,\t", privacy.p[i]))
			i++;
		struct span value = { privacy.p + from, i - from };
		if (span_ieq(value, SPAN("id")) || span_ieq(value, SPAN("user")) || span_ieq(value, SPAN("full")))
			return ASKED_ID;
		if (span_ieq(value, SPAN("none")))
			asked = ASKED_NONE;
		while (i < privacy.n && strchr("; ,\t", privacy.p[i]))
			i++;
	}
	return asked;
}

/* signatures are passed as they came: a changed one would be none. The short form needs the Date it was made over. */
static void keep_signed(struct work *w, const struct msg *m)
{
	struct out o = compose_begin(w->g);
	for (uint32_t i = 0; i < m->n_others; i++) {
		const struct msg_header *h = &m->others[i];
		if (!span_ieq(h->name, SPAN("Identity")) && !span_ieq(h->name, SPAN("y")))
			continue;
		out_lit(&o, "Identity: ");
		out_span(&o, h->value);
		out_lit(&o, "\r\n");
	}
	struct span date = o.n ? msg_other(m, SPAN("Date")) : (struct span){ 0 };
	if (date.n) {
		out_lit(&o, "Date: ");
		out_span(&o, date);
		out_lit(&o, "\r\n");
	}
	if (o.n && !o.full)
		work_put(w, TEXT_SIGNED, out_done(&o));
}

void identity_keep(struct work *w, const struct cfg_mapping_gateway *mg, const struct msg *m)
{
	if (m->privacy.n && mg->support_privacy)
		w->s.privacy = (uint8_t)identity_asked(m->privacy);
	if (m->n_others)
		work_put(w, TEXT_PREFERRED, msg_other(m, SPAN("P-Preferred-Identity")));
	if (!mg->trusted)
		return;
	if (m->n_identities) {
		struct out o = compose_begin(w->g);
		for (uint32_t i = 0; i < m->n_identities; i++) {
			out_bytes(&o, ", ", i ? 2 : 0);
			out_span(&o, m->identities[i].value);
		}
		work_put(w, TEXT_ASSERTED, out_done(&o));
	}
	if (m->has_remote_party_id)
		work_put(w, TEXT_PARTY, m->remote_party_id.value);
	if (m->n_others)
		keep_signed(w, m);
}

/* --- pieces --- */

void out_user(struct out *o, struct span user)
{
	for (size_t i = 0; i < user.n; i++) {
		char ch = user.p[i];
		bool plain = (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
			     (ch && strchr("-_.!~*'()&=+$,;?/", ch));
		if (plain) {
			out_char(o, ch);
		} else {
			out_char(o, '%');
			out_hex(o, (unsigned char)ch, 2);
		}
	}
}

void out_display(struct out *o, struct span display)
{
	out_char(o, '"');
	for (size_t i = 0; i < display.n; i++) {
		bool pair = display.p[i] == '\\' && i + 1 < display.n;
		if (pair)
			out_char(o, display.p[i++]);
		else if (display.p[i] == '"' || display.p[i] == '\\')
			out_char(o, '\\');
		out_char(o, display.p[i]);
	}
	out_lit(o, "\" ");
}

struct span identity_display(enum cfg_display mode, struct span display, struct span number, char buffer[DISPLAY_BYTES])
{
	struct span digits = number;
	if (digits.n && digits.p[0] == '+')
		digits = (struct span){ digits.p + 1, digits.n - 1 };
	if (mode == DISPLAY_IGNORE || !digits.n || digits.n > DISPLAY_BYTES - 1)
		return display;
	for (size_t i = 0; i < digits.n; i++)
		if (digits.p[i] < '0' || digits.p[i] > '9')
			return display; /* a name has no international form */
	if (mode == DISPLAY_NUMBER)
		return digits;
	if (digits.p == number.p && span_starts(digits, SPAN("00")))
		digits = (struct span){ digits.p + 2, digits.n - 2 };
	buffer[0] = '+';
	memcpy(buffer + 1, digits.p, digits.n);
	return (struct span){ buffer, digits.n + 1 };
}

/* --- departure --- */

void identity_numbers(struct work *w, const struct cfg_routing_gateway *gw)
{
	char buffer[DIALPLAN_BYTES];
	struct span number;
	numbers_apply(w->g, gw->caller_dial_plan, work_text(w, TEXT_CALLER), buffer, &number);
	work_put(w, TEXT_CALLER_OUT, number);
	numbers_apply(w->g, gw->callee_dial_plan, work_text(w, TEXT_CALLEE), buffer, &number);
	work_put(w, TEXT_CALLEE_OUT, number);
}

static bool anonymous(const struct work *w, const struct cfg_routing_gateway *gw)
{
	return gw->privacy == PRIVACY_ID || (gw->privacy == PRIVACY_PASSTHROUGH && w->s.privacy == ASKED_ID);
}

static void out_host(const struct work *w, const struct cfg_routing_gateway *gw, struct out *o)
{
	const struct call_leg *leg = &w->s.leg[LEG_CALLEE];
	const struct cfg_registration *account = upstream_of(w->g->c, gw);
	if (account)
		out_span(o, cfg_span(w->g->c, account->domain));
	else if (gw->local_domain && w->g->c->sip.local_domain.n)
		out_span(o, cfg_span(w->g->c, w->g->c->sip.local_domain));
	else
		transport_host(w->g, leg->listen, &leg->target, o);
}

static void out_callee(const struct work *w, const struct cfg_routing_gateway *gw, struct out *o, struct span user)
{
	const struct cfg_registration *account = upstream_of(w->g->c, gw);
	out_lit(o, "sip:");
	if (user.n) {
		out_user(o, user);
		out_char(o, '@');
	}
	if (account)
		out_span(o, cfg_span(w->g->c, account->domain));
	else if (w->s.to_account) /* its address of record; where it is, each INVITE says for itself */
		transport_host(w->g, w->s.leg[LEG_CALLEE].listen, &w->s.leg[LEG_CALLEE].target, o);
	else
		out_addr(o, &w->s.leg[LEG_CALLEE].target);
}

/* who calls: at an upstream that we are registered with we are the account */
static struct span caller_of(const struct work *w, const struct cfg_routing_gateway *gw)
{
	const struct cfg_registration *account = upstream_of(w->g->c, gw);
	return account ? cfg_span(w->g->c, account->username) : work_text(w, TEXT_CALLER_OUT);
}

static void put_from(struct work *w, const struct cfg_routing_gateway *gw)
{
	struct out o = compose_begin(w->g);
	struct span caller = caller_of(w, gw);
	char tag[32], number[DISPLAY_BYTES];
	size_t tag_n;
	if (anonymous(w, gw)) {
		out_lit(&o, "\"Anonymous\" <sip:anonymous@anonymous.invalid");
	} else {
		struct span display = identity_display((enum cfg_display)w->g->c->param[P_SS_SIP_E164_DISPLAY_FROM],
			work_text(w, TEXT_DISPLAY), work_text(w, TEXT_CALLER_OUT), number);
		if (display.n)
			out_display(&o, display);
		out_lit(&o, "<sip:");
		if (caller.n) {
			out_user(&o, caller);
			out_char(&o, '@');
		}
		out_host(w, gw, &o);
	}
	out_lit(&o, ">;tag=");
	compose_local_tag(w, LEG_CALLEE, tag, &tag_n);
	out_bytes(&o, tag, tag_n);
	work_put(w, TEXT_OUT_FROM, out_done(&o));
}

void identity_put(struct work *w, const struct cfg_routing_gateway *gw)
{
	struct msg_address as_received;
	struct out o = compose_begin(w->g);
	out_callee(w, gw, &o, work_text(w, TEXT_CALLEE_OUT));
	work_put(w, TEXT_OUT_URI, out_done(&o));

	struct span to = work_text(w, TEXT_CALLEE_OUT);
	if (w->g->c->param[P_SS_SIP_ROUTING_GATEWAY_INVITE_USE_CONTACT] &&
		address_parse(work_text(w, TEXT_IN_TO), &as_received) == 0)
		to = uri_user(&as_received.u);
	o = compose_begin(w->g);
	out_char(&o, '<');
	out_callee(w, gw, &o, to);
	out_char(&o, '>');
	work_put(w, TEXT_OUT_TO, out_done(&o));
	put_from(w, gw);
}

/* --- header lines --- */

/* The number of a passed identity goes the way of the caller's: through the gateway's plan, and where it is the caller's own the
 * result is the same, whatever is drawn. */
static struct span shown_number(
	const struct work *w, const struct cfg_routing_gateway *gw, struct span number, char buffer[DIALPLAN_BYTES])
{
	struct span shown;
	if (span_eq(number, work_text(w, TEXT_CALLER)))
		return work_text(w, TEXT_CALLER_OUT);
	numbers_apply(w->g, gw->caller_dial_plan, number, buffer, &shown);
	return shown;
}

/* One name-addr, our host in it; false: nothing that could be shown. Parameters of the other side's URI do not pass. */
static bool out_party(
	const struct work *w, const struct cfg_routing_gateway *gw, struct out *o, const struct msg_address *a)
{
	char buffer[DIALPLAN_BYTES];
	struct span number = shown_number(w, gw, uri_user(&a->u), buffer), phone;
	if (!number.n || a->u.scheme == MSG_SCHEME_OTHER)
		return false;
	if (a->display.n)
		out_display(o, a->display);
	if (a->u.scheme == MSG_SCHEME_TEL) {
		out_lit(o, "<tel:");
		out_user(o, number);
	} else {
		out_lit(o, "<sip:");
		out_user(o, number);
		out_char(o, '@');
		out_host(w, gw, o);
		if (msg_param(a->u.params, SPAN("user"), &phone) && span_ieq(phone, SPAN("phone")))
			out_lit(o, ";user=phone");
	}
	out_char(o, '>');
	return true;
}

/* P-Asserted-Identity, P-Preferred-Identity */
static void out_identity(const struct work *w, const struct cfg_routing_gateway *gw, struct out *o, struct span name,
	uint32_t mode, enum call_text_id passed)
{
	struct span values = work_text(w, passed), value, caller = caller_of(w, gw);
	struct msg_address a;
	if (mode == IDENTITY_CALLER && caller.n && !span_ieq(caller, SPAN("anonymous"))) {
		out_span(o, name);
		out_lit(o, "<sip:");
		out_user(o, caller);
		out_char(o, '@');
		out_host(w, gw, o);
		out_lit(o, ">\r\n");
	}
	while (mode == IDENTITY_PASSTHROUGH && values.n && msg_next_value(&values, &value)) {
		struct out before = *o;
		out_span(o, name);
		if (address_parse(value, &a) == 0 && out_party(w, gw, o, &a))
			out_lit(o, "\r\n");
		else
			*o = before;
	}
}

/* the forerunner of P-Asserted-Identity goes by the same key */
static void out_remote_party(const struct work *w, const struct cfg_routing_gateway *gw, struct out *o)
{
	static const struct span params[] = { SPAN("party"), SPAN("id-type"), SPAN("screen"), SPAN("privacy") };
	struct msg_address a;
	struct out before = *o;
	out_lit(o, "Remote-Party-ID: ");
	if (address_parse(work_text(w, TEXT_PARTY), &a) < 0 || !out_party(w, gw, o, &a)) {
		*o = before;
		return;
	}
	for (size_t i = 0; i < sizeof params / sizeof *params; i++) {
		struct span value;
		bool there = msg_param(a.params, params[i], &value) && value.n;
		if (i == 3 && anonymous(w, gw)) {
			value = SPAN("full");
			there = true;
		}
		if (!there)
			continue;
		out_char(o, ';');
		out_span(o, params[i]);
		out_char(o, '=');
		out_user(o, value); /* a token */
	}
	out_lit(o, "\r\n");
}

void identity_lines(const struct work *w, struct out *o)
{
	const struct cfg_routing_gateway *gw = fork_settings(w);
	if (!gw)
		return;
	bool hidden = anonymous(w, gw);
	if (hidden)
		out_lit(o, "Privacy: id\r\n");
	else if (gw->privacy == PRIVACY_PASSTHROUGH && w->s.privacy == ASKED_NONE)
		out_lit(o, "Privacy: none\r\n");
	if (gw->p_asserted_identity != IDENTITY_NONE)
		out_identity(w, gw, o, SPAN("P-Asserted-Identity: "), gw->p_asserted_identity, TEXT_ASSERTED);
	if (gw->p_preferred_identity != IDENTITY_NONE)
		out_identity(w, gw, o, SPAN("P-Preferred-Identity: "), gw->p_preferred_identity, TEXT_PREFERRED);
	if (gw->p_asserted_identity == IDENTITY_PASSTHROUGH && work_text(w, TEXT_PARTY).n)
		out_remote_party(w, gw, o);
	/* a signature names the caller: to a gateway that is not told who that is it does not go */
	if (!hidden || gw->p_asserted_identity != IDENTITY_NONE)
		out_span(o, work_text(w, TEXT_SIGNED));
}
